#!/bin/sh
# Nothing opens without a role: whatever a stranger, root and the heir of a
# descriptor try is refused, and recorded as theirs.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
owner=40001 stranger=40002
cat >"$scratch/v.policy" <<END
[class root]
path = /
mode = 777
[class secret]
path = /secret
mode = 777
mmap = yes
[class open]
path = /open
mode = 777
[role owners]
members = uid:$owner
allow = all on root, secret, open
[role strangers]
members = uid:$stranger
allow = all on root, open
END
make_volume v
start_volume v
unlock_volume v
mnt=$scratch/v/mnt
setpriv --reuid $owner --regid $owner --clear-groups sh -c \
	"cd '$mnt/secret' && head -c 20000 /dev/zero >file && chmod 666 file && mkdir dir"
ok $? "who may makes a file that the mode bits give to all"

# refused NAME ARG...: not one attempt succeeds
refused() {
	refused_name=$1
	shift
	"$builddir/tests/fs/attack" "$@" >"$out" 2>"$err"
	status=$?
	[ $status -eq 0 ] && [ "$(wc -l <"$out")" -eq 1 ]
	ok $? "$refused_name: $(tail -n 1 "$out"), all refused" || diagnose
}
refused "a stranger" paths "$mnt" $stranger
refused "root" paths "$mnt" 0
refused "an inherited descriptor" handle "$mnt/secret/file" $owner $stranger
refused "read-ahead of processes that ended" ahead "$mnt/secret/file" $owner $stranger

head -c 20000 /dev/zero >"$scratch/wanted"
setpriv --reuid $owner --regid $owner --clear-groups cat "$mnt/secret/file" |
	cmp -s - "$scratch/wanted"
ok $? "nothing was changed"
stop_volume v
ok $? "stop"
phifs-audit show --config "$scratch/v/v.conf" --key "$scratch/auditor" --all --json >"$out"
: >"$err"
[ "$(grep '"event":"READ"' "$out" | grep -c '"outcome":"done"')" -eq \
	"$(grep '"event":"READ"' "$out" | grep '"outcome":"done"' | grep '"program":"[^"]*/cat"' |
		grep -c "\"uid\":$owner,")" ]
ok $? "only cat(1) read, and as who it was" || diagnose
for uid in 0 $stranger; do
	for action in read write create delete rename list; do
		has out "uid $uid was denied $action" \
			"\"event\":\"DENY\".*\"uid\":$uid,.*\"class\":\"secret\".*\"action\":\"$action\""
	done
done
done_testing
