#!/bin/sh
# README.md pasted line by line, "Five minutes to a working volume" and "Backup", on a
# host where phifs is installed: a copy-on-write view of this one that nobody else sees.
. "${srcdir:-.}/tests/cli/lib.sh"
. "${srcdir:-.}/tests/cli/terminal.sh"

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ "$(id -u)" -eq 0 ] || skip "mounting needs root"
[ -c /dev/fuse ] || skip "there is no /dev/fuse"
command -v runuser >/dev/null && id www-data >/dev/null 2>&1 || skip "this is no Debian"

readme=$(cd "$srcdir" && pwd)/README.md
cd "$scratch" || exit 1
mkdir upper work memory view

# Lines to paste of a section.
lines_of() {
	awk -v section="## $1" '/^## / { on = $0 == section } on' "$readme" |
		sed -n '/^```sh$/,/^```$/p' | grep -v '^```'
}

# In namespaces of its own: when this script ends, its mounts and processes end too.
cat >enter.sh <<'END'
cd "$1" || exit 1
if ! mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work view 2>/dev/null; then
	mount -t tmpfs -o size=1g tmpfs memory && mkdir memory/upper memory/work &&
		mount -t overlay overlay -o lowerdir=/,upperdir=memory/upper,workdir=memory/work view ||
		exit 77
fi
mount -t proc proc view/proc && mount --rbind /dev view/dev && mount -t tmpfs tmpfs view/run || exit 77
[ "$2" != try ] || exit 0
# README's prefix, whatever this build was configured for: distcheck has one of its own.
# Without MAKEFLAGS of a make around this one, and leaving ours to the makes below it.
env -u MAKEFLAGS -u MFLAGS make -s -C "$2" install DESTDIR="$1/view" prefix=/usr/local >install.log 2>&1 || { tail install.log; exit 1; }
mkdir view/paste && cp lines.sh view/paste/ || exit 1
# Where it was installed to; the tests' own path has the build directory.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
exec chroot view sh -c 'cd /paste && PS4="pasted: " && set -x && . ./lines.sh'
END
enter="unshare --mount --pid --fork --kill-child --propagation private sh $scratch/enter.sh $scratch"
$enter try >"$out" 2>"$err" || skip "no namespaces or no overlay here"

{
	lines_of "Five minutes to a working volume"
	lines_of "Backup"
	cat <<-'END'
		ls /backup/demo
		umount /srv/demo
		phifs-volume check demo
	END
} >lines.sh
[ "$(grep -c . lines.sh)" -gt 20 ]
ok $? "README.md has lines to paste"

start_terminal "$enter $builddir"
type_at "Passphrase for key slot 1" "geheim"
type_at "Again" "geheim"
wait_for "last five characters"
key=$(grep -oE '([a-z2-7]{5}-){7}[a-z2-7]{5}' screen | tail -n 1)
type_at "last five characters" "$(printf '%s' "$key" | tail -c 5)"
# unlock, use, lock; unlock after the backup; check what was put back, and once more.
for _ in 1 2 3 4; do
	type_at "Passphrase for demo" "geheim"
done
ends 0 "the last line, phifs-volume check"
tr -d '\r' <screen >"$out"

has out "the volume is made" "^Volume demo is made"
has out "the application reads what it wrote" "^blood pressure 120/80$"
has out "root is refused" "^cat: /srv/demo/0042.txt: Permission denied$"
has out "why says by which rule" "by: no rule allows it; root is not a role"
has out "the auditor sees the write" "www-data .* write  */0042.txt"
has out "the auditor sees the refusal" "root .* read  */0042.txt .* refused "
has out "status tells that it is unlocked" "^demo  unlocked since "
has out "the volume is locked" "^demo is locked\.$"
has out "the backup is there" "^ciphertext *demo.conf *demo.policy *state"
has out "everything verifies" "^demo: 2 objects, .*: everything verifies$"
[ "$(grep -c ': error: ' "$out")" -eq "$(grep -c 'error: demo: it is locked already' "$out")" ]
ok $? "no line was an error, but for locking what is locked" || grep ': error: ' "$out" | sed 's/^/# /'
done_testing
