#!/bin/bash
# A backup: lock or stop, copy both directories, put them back, start.  And what a
# restore of the ciphertext alone is: a rollback, which is refused.
: "${srcdir:=.}" "${builddir:=.}"
. "$srcdir/tests/apps/lib.sh"
need_mounts

back_up() { rm -rf "${scratch:?}/$1" && mkdir "$scratch/$1" && cp -a "$scratch/v/." "$scratch/$1/"; }
put_back() {
	for part in $2; do
		rm -rf "${scratch:?}/v/$part"
		cp -a "$scratch/$1/$part" "$scratch/v/$part"
	done
}
has() { [ "$(cat "$mnt/report")" = "$1" ]; }
starts() {
	"$builddir/tests/fs/mount-store" "$scratch/v" "$mnt" >"$scratch/started" 2>&1 &
	local pid=$!
	until_ok grep -q mounted "$scratch/started" || { wait $pid; return 1; }
	kill $pid
	wait $pid
	return 0
}

plan 6
mount_volume v
mnt=$scratch/v/mnt
parts=$(cd "$scratch/v" && printf '%s\n' * | grep -v -e '^mnt$' -e '^out$' -e '^err$' -e '\.tail$')
echo first >"$mnt/report"
unmount_volume v
ok "a stopped volume is copied" back_up stopped
mount_volume v
echo second >"$mnt/report"
toggle_lock v locked
mkdir -p "$scratch/locked"
ok "a locked one too" sh -c "for part in $(echo $parts); do cp -a '$scratch/v/'\$part '$scratch/locked/'; done"
toggle_lock v unlocked
echo third >"$mnt/report"
unmount_volume v
put_back stopped "$parts"
mount_volume v
ok "the stopped copy comes back" has first
unmount_volume v
put_back locked "$parts"
mount_volume v
ok "and so does the locked one" has second
echo fourth >"$mnt/report"
unmount_volume v
ciphertext=$(echo "$parts" | grep -m 1 '^c')
put_back locked "$ciphertext"
refused "old ciphertext under a newer ledger is not what was acknowledged" sh -c "
	'$builddir/tests/fs/mount-store' '$scratch/v' '$mnt' >'$scratch/started' 2>'$scratch/why' &
	pid=\$!
	for _ in \$(seq 200); do
		grep -q mounted '$scratch/started' && break
		kill -0 \$pid 2>/dev/null || { cat '$scratch/why'; exit 1; }
		sleep 0.05
	done
	cat '$mnt/report'; status=\$?
	kill \$pid; wait \$pid
	exit \$status"
put_back locked "$parts"
mount_volume v
ok "both directories together are" has second
finish
