#!/bin/bash
# An interface engine: messages are made in an inbox, renamed when they are whole, and
# moved into another class when they are done; and files moved in by rsync, in a role
# that puts in what it may not read.
. "${srcdir:-.}/tests/posix/lib.sh"
need_mounts
skip_without rsync setpriv find

sender=40001 engine=40002 reader=40003
messages=30
cat >"$scratch/v.policy" <<END
[class root]
path = /
[class inbox]
path = /inbox
owner = $sender:$engine
mode = 2770
[class done]
path = /done
owner = $engine:$engine
mode = 0755
[class archive]
path = /archive
mode = 0755
[role sender]
members = uid:$sender
login = none
allow = list create rename on inbox
allow = list on root
[role engine]
members = uid:$engine
login = none
allow = all on inbox
allow = list create on done
allow = list on root
[role reader]
members = uid:$reader
allow = view on done, archive
allow = list on root
END
# As the template has it, for files that are moved in.
sed -n '/^#\[role migration\]/,$s/^#//p' "$srcdir/examples/templates/service.policy" |
	sed "s/^until.*/until = 2099-12-31/; s/ on .*/ on archive/" >>"$scratch/v.policy"
echo "allow = list on root" >>"$scratch/v.policy"

as() { # UID COMMAND...
	as_uid=$1
	shift
	setpriv --reuid "$as_uid" --regid "$engine" --clear-groups "$@"
}

# --- messages ----------------------------------------------------------------------

message() { # NUMBER
	printf 'MSH|^~\\&|LAB|%s\r' "$1"
	head -c $(($1 * 700 % 40000)) /dev/zero | tr '\0' 'x'
	printf '\rEND|%s\r' "$1"
}
is_whole() { tail -c 20 "$1" | tr '\r' '\n' | grep -qx "END|$2"; }

send() {
	for i in $(seq $messages); do
		message "$i" >"$mnt/inbox/.$i.part" && mv "$mnt/inbox/.$i.part" "$mnt/inbox/$i.hl7" || exit 1
	done
}

# Every message as soon as it is there; whole, or the engine says so.
process() {
	local seen=0 file number
	while [ $seen -lt $messages ]; do
		for file in "$mnt"/inbox/*.hl7; do
			[ -e "$file" ] || continue
			number=$(basename "$file" .hl7)
			is_whole "$file" "$number" || exit 2
			"$scratch/rename" "$file" "$mnt/done/$number.hl7" || exit 3
			seen=$((seen + 1))
		done
	done
}

export -f message is_whole send process
all_done() {
	[ "$(find "$mnt/done" -type f | wc -l)" = "$messages" ] || return 1
	for i in $(seq $messages); do
		message "$i" | cmp - "$mnt/done/$i.hl7" || return 1
	done
}
export -f all_done

open_volume v
mnt=$scratch/v/mnt
# The build may lie where these people may not look.
cp "$builddir/tests/fs/rename" "$scratch/"
export mnt messages scratch
as $sender bash -c send 2>"$scratch/send" &
sending=$!
passes "the engine gets every message, and whole" as $engine timeout 60 bash -c process
wait $sending
ok $? "the sender has sent them" || sed 's/^/# /' "$scratch/send"
passes "all of them are done, as they were sent" as $reader bash -c all_done
passes "and none is left" as $engine bash -c '[ -z "$(ls -A "$mnt/inbox")" ]'
echo late | as $sender tee "$mnt/inbox/late.hl7" >"$out"
refused "the sender does not read what it has sent" as $sender cat "$mnt/inbox/late.hl7"
refused "and does not move it on" as $sender "$scratch/rename" "$mnt/inbox/late.hl7" "$mnt/done/late.hl7"
refused "the engine deletes nothing that is done" as $engine rm "$mnt/done/1.hl7"
refused "and replaces nothing" as $engine "$scratch/rename" "$mnt/inbox/late.hl7" "$mnt/done/1.hl7"

# --- files that are moved in ------------------------------------------------------------

make_files() {
	mkdir -p "$1/1/deep" "$1/empty"
	echo one >"$1/1/one"
	ln "$1/1/one" "$1/1/deep/two"
	ln -s ../one "$1/1/deep/link"
	head -c 3000000 /dev/urandom >"$1/1/large"
	chown -R $reader:$reader "$1/1"
	chmod 640 "$1/1/large"
	chmod 2750 "$1/1/deep"
	command -v setfattr >/dev/null && setfattr -n user.patient -v 12345 "$1/1/large"
	# Of the same second would be good enough for rsync.
	find "$1" -depth -exec touch -h -d '2001-02-03 04:05:06.789' {} +
}

same_tree() {
	diff -r --no-dereference "$1" "$2" &&
		diff <(listing "$1") <(listing "$2")
}
listing() {
	(cd "$1" && find . -mindepth 1 -printf '%P %y %m %U %G %n %T@ %l\n' | sort &&
		{ ! command -v getfattr >/dev/null || getfattr -Rhd . | grep -v '^$'; })
}
export -f same_tree listing

need_ext4 old 100M
make_files "$scratch/old/mnt/tree"
passes "rsync -aHAX by a role that may not read" timeout 60 rsync -aHAX "$scratch/old/mnt/tree/" "$mnt/archive/tree/"
chmod 755 "$scratch/old" "$scratch/old/mnt"
passes "everything is there, with owners, links, times, attributes" as $reader bash -c "same_tree '$scratch/old/mnt/tree' '$mnt/archive/tree'"
refused "root reads nothing of it" cat "$mnt/archive/tree/1/one"
refused "and deletes nothing" rm -f "$mnt/archive/tree/1/one"
passes "the volume stops" stop_volume v
records_of v >"$out"
[ "$(grep -c "rename .*/inbox/[0-9]*.hl7 -> /done/[0-9]*.hl7" "$out")" -ge $messages ]
ok $? "each move has a record"
done_testing
