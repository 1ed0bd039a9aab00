#!/bin/sh
# Every request of a known sequence is in the journal, once, with its range; what went
# through the page cache is there as fills and write-backs.  Needs root and /dev/fuse.
: "${srcdir:=.}" "${builddir:=.}"
. "$srcdir/tests/fs/mount-lib.sh"

count=0
ok() {
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" && return
	echo "not ok $count - $2"
	[ -z "$3" ] || sed 's/^/# /' "$3"
}

need_mounts
mount_volume v
file=$scratch/v/mnt/file
dd if=/dev/urandom of="$file" bs=65536 count=17 status=none || exit 1
"$builddir/tests/fs/accesses" "$file" >"$scratch/expected" 2>"$scratch/failed"
ok $? "the accesses themselves" "$scratch/failed"
unmount_volume v
ok $? "unmounted" "$scratch/v/err"
"$builddir/tests/fs/dump-journal" "$scratch/v/state/audit" "$scratch/v/auditor" \
	>"$scratch/journal" 2>"$scratch/failed"
ok $? "the journal verifies" "$scratch/failed"

# Only handles that the process opened; READ and WRITE carry nothing but the handle.
pid=$(sed -n 's/^PID //p' "$scratch/expected")
awk -v pid="pid=$pid" '
	function value(field) { sub(/^[^=]*=/, "", field); return field }
	$2 == "OPEN" && $5 == pid { mine[$7] = 1 }
	($2 == "READ" || $2 == "WRITE") && mine[$7] && $3 == "OK" {
		print $2, value($9), value($10), value($11), value($12)
	}' "$scratch/journal" >"$scratch/got"
sed -n '/^READ\|^WRITE /p' "$scratch/expected" >"$scratch/direct-expected"
sed -n 's/ 0$//p' "$scratch/got" >"$scratch/direct-got"
diff "$scratch/direct-expected" "$scratch/direct-got" >"$scratch/diff"
ok $? "each direct request is one record, in order, with its range" "$scratch/diff"

grep '^FILL\|^WRITEBACK' "$scratch/expected" >"$scratch/cached"
while read -r what position least; do
	awk -v what="$what" -v position="$position" -v least="${least:-1}" '
		$5 == (what == "FILL" ? 1 : 2) && $2 <= position && position < $2 + $3 { n++ }
		END { print n + 0; exit !(n >= least) }' "$scratch/got" >"$scratch/number"
	ok $? "$what of position $position" "$scratch/number"
done <"$scratch/cached"

grep " CLOSE OK .* pid=$pid " "$scratch/journal" >"$scratch/closed"
opened=$(grep -c " OPEN OK .* pid=$pid " "$scratch/journal")
[ "$opened" -eq 6 ] && [ "$(wc -l <"$scratch/closed")" -eq "$opened" ]
ok $? "each open has its close" "$scratch/closed"
echo "1..$count"
