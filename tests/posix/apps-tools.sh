#!/bin/bash
# Programs that lean on a file system: a compiler and make, git gc and fsck, rsync with
# extended attributes, LMDB through a writable mapping.
. "${srcdir:-.}/tests/posix/lib.sh"
need_mounts
skip_without git make gcc rsync

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org

open_volume v
mnt=$scratch/v/mnt

# --- a build ------------------------------------------------------------------------

make_project() {
	mkdir "$1" && cd "$1" || return 1
	for i in $(seq 20); do
		printf '#include <stdio.h>\nint part%d(void) { return printf("") + %d; }\n' "$i" "$i" >"part$i.c"
	done
	{
		for i in $(seq 20); do echo "int part$i(void);"; done
		echo 'int main(void) { return 0'
		for i in $(seq 20); do echo "+ part$i()"; done
		echo '- 210; }'
	} >main.c
	# shellcheck disable=SC2016 # for make
	printf 'all: main\nlibparts.a: $(patsubst %%.c,%%.o,$(wildcard part*.c))\n\tar rcs $@ $^\nmain: main.o libparts.a\n\t$(CC) -o $@ $^\n' >Makefile
}
build_project() { make -s -j2 -C "$mnt/project" && "$mnt/project/main"; }
nothing_to_do() { make -q -C "$mnt/project"; }
passes "a project is written" make_project "$mnt/project"
passes "make -j2 builds it, and it runs" build_project
passes "make sees by the times that nothing is to be done" nothing_to_do
echo >>"$mnt/project/part7.c"
refused "and what is to be done after a change" nothing_to_do
passes "a second build" build_project

# --- git --------------------------------------------------------------------------------

fill_repository() {
	git init -q -b main "$mnt/repository" && cd "$mnt/repository" || return 1
	for i in $(seq 12); do
		head -c $((i * 3000)) /dev/urandom >"file$i"
		git add -A && git commit -qm "change $i" || return 1
	done
	git branch other HEAD~5 && git tag -a -m tag v1 && git stash -q
}
collect() { git -C "$mnt/repository" gc -q --aggressive --prune=now; }
sound() { [ -z "$(git -C "$mnt/repository" fsck --full --strict --no-dangling 2>&1)" ]; }
rewrite() { git -C "$mnt/repository" rebase -q --onto HEAD~8 HEAD~4 main && git -C "$mnt/repository" repack -adq; }
passes "git: twelve commits" fill_repository
passes "git gc --aggressive" collect
passes "git fsck" sound
passes "git rebase and repack" rewrite
passes "git fsck again" sound

# --- rsync ---------------------------------------------------------------------------------

with_attributes() {
	rsync -aX "$mnt/project/" "$mnt/attributed/" &&
		setfattr -n user.one -v 1 "$mnt/attributed/main.c" &&
		setfattr -n user.two -v "$(printf 'v%.0s' $(seq 500))" "$mnt/attributed" &&
		rsync -aX "$mnt/attributed/" "$mnt/again/" &&
		diff <(cd "$mnt/attributed" && getfattr -Rd .) <(cd "$mnt/again" && getfattr -Rd .)
}
nothing_to_send() { [ -z "$(rsync -aXi --checksum "$mnt/attributed/" "$mnt/again/")" ]; }
if command -v setfattr >/dev/null; then
	passes "rsync -aX copies extended attributes" with_attributes
	passes "and finds nothing more to copy" nothing_to_send
else
	echo "# no setfattr: rsync with extended attributes is not tested"
fi

# --- LMDB -----------------------------------------------------------------------------------

two_writers() {
	"$scratch/lmdb-writer" "$mnt/lmdb" 0 600 &
	local first=$!
	"$scratch/lmdb-writer" "$mnt/lmdb" 600 600 && wait $first
}
after_lock() {
	lock_volume v --now && unlock_volume v && "$scratch/lmdb-writer" "$mnt/lmdb" 1200 0
}
copied() { mkdir "$mnt/copied" && mdb_copy "$mnt/lmdb" "$mnt/copied" && cmp <(mdb_dump "$mnt/lmdb") <(mdb_dump "$mnt/copied"); }
if gcc -o "$scratch/lmdb-writer" "$srcdir/tests/posix/lmdb-writer.c" -llmdb >"$out" 2>&1; then
	mkdir "$mnt/lmdb"
	passes "LMDB: two processes write through mappings" two_writers
	passes "LMDB: all rows are there" "$scratch/lmdb-writer" "$mnt/lmdb" 1200 0
	passes "LMDB: also after a lock" after_lock
	! command -v mdb_copy >/dev/null || passes "LMDB: a copy has the same" copied
else
	echo "# no liblmdb: LMDB is not tested"
fi

# --- all that again, from the ciphertext ----------------------------------------------------

passes "the volume stops" stop_volume v
open_volume v
passes "after a new mount: the build" build_project
passes "after a new mount: git fsck" sound
[ ! -d "$mnt/lmdb" ] || passes "after a new mount: LMDB" "$scratch/lmdb-writer" "$mnt/lmdb" 1200 0
done_testing
