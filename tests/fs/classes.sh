#!/bin/sh
# What may not change its class stays where it is; a file whose names a reload puts
# into two classes is for who may do so in both.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
one=40001 both=40002
cat >"$scratch/classes" <<END
[class root]
path = /
mode = 1777
[class psychiatry]
path = /wards/*/psychiatry
END
cat >"$scratch/roles" <<END
[role both]
members = uid:0, uid:$both
allow = all on root, psychiatry
[role one]
members = uid:$one
allow = all on root
END
cat "$scratch/classes" "$scratch/roles" >"$scratch/v.policy"
make_volume v
dir=$scratch/v
mnt=$dir/mnt
start_volume v
unlock_volume v
as_one="setpriv --reuid $one --regid $one --clear-groups"
as_both="setpriv --reuid $both --regid $both --clear-groups"
# By rename(2) alone: mv(1) would copy what it is refused.
stays() {
	stays_name=$1
	shift
	"$builddir/tests/fs/rename" "$@" 2>"$err"
	[ $? -eq 1 ] && grep -q "Invalid cross-device link" "$err"
	ok $? "$stays_name gives EXDEV" || diagnose
}

# --- renames ---------------------------------------------------------------------------
mkdir -p "$mnt/wards/5/psychiatry" "$mnt/wards/6" "$mnt/psychiatry"
echo note >"$mnt/wards/5/psychiatry/note"
stays "a directory whose files would leave a class" "$mnt/wards/5" "$mnt/elsewhere"
stays "one whose files would come into a class" "$mnt/psychiatry" "$mnt/wards/6/psychiatry"
stays "a hard link into another class" --link "$mnt/wards/5/psychiatry/note" "$mnt/note"
expect 0 "a directory to where nothing changes" \
	"$builddir/tests/fs/rename" "$mnt/wards/5" "$mnt/wards/7"
expect 0 "a file, by who may do both" \
	"$builddir/tests/fs/rename" "$mnt/wards/7/psychiatry/note" "$mnt/note"
expect 1 "not by who may do one" $as_one "$builddir/tests/fs/rename" "$mnt/note" \
	"$mnt/wards/7/psychiatry/note"

# --- a link set that a reload splits -----------------------------------------------------
mkdir -m 777 "$mnt/a" "$mnt/b"
echo text >"$mnt/a/file"
ln "$mnt/a/file" "$mnt/b/file"
expect 0 "a file with two names in one class" $as_one cat "$mnt/b/file"
{
	cat "$scratch/classes"
	printf '[class other]\npath = /b\n'
	printf '[class made]\npath = /made\nowner = %s:%s\nmode = 2750\n' $one $both
	sed '2,3s/psychiatry/psychiatry, other/' "$scratch/roles"
} >"$scratch/v.policy"
must ctl v reload
[ "$(stat -c '%u:%g %a' "$mnt/made")" = "$one:$both 2750" ]
ok $? "a reload makes the directory of a new class"
expect 1 "is refused by either name to who has one of the classes" $as_one cat "$mnt/a/file"
expect 0 "and not to who has both" $as_both cat "$mnt/a/file"
expect 0 "the other files of the class are his as before" $as_one sh -c "echo x >'$mnt/a/more'"

# --- the trail -----------------------------------------------------------------------------
stop_volume v
ok $? "stop"
records_of v >"$out"
has out "refused for the classes, by no rule" \
	"rename .*/wards/5 -> /elsewhere  files below would change class *refused *$"
phifs-audit show --config "$dir/v.conf" --key "$scratch/auditor" --json --event RENAME >"$out"
has out "a move has both classes" '"path":"/wards/7/psychiatry/note".*"class":"psychiatry".*"new_class":"root"'
done_testing
