#!/bin/bash
# Whole trees: git clone and tar, compared byte for byte; then again from the
# ciphertext alone, after the volume was mounted anew.
. "${srcdir:-.}/tests/apps/lib.sh"
need_mounts
skip_without git tar diff rsync

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org

make_tree() {
	mkdir -p "$1/empty" "$1/deep/er/and/deeper" "$1/many"
	for i in $(seq 300); do
		head -c $((i * 37)) /dev/urandom >"$1/many/file $i"
	done
	head -c 3000000 /dev/urandom >"$1/deep/er/large"
	ln -s ../deep/er/large "$1/many/symbolic"
	ln "$1/deep/er/large" "$1/deep/hard"
	touch -d '1999-12-31 23:59:59.123456789' "$1/many/file 7"
	chmod 2750 "$1/deep"
	chmod 400 "$1/many/file 9"
	printf 'x' >"$1/many/$(printf 'n%.0s' $(seq 255))"
	printf 'y' >"$1/many/line
feed"
}

commit_tree() {
	git -C "$1" init -q -b main && git -C "$1" add -A && git -C "$1" commit -qm all
}

# Names, types, modes, owners, links, sizes and times as well as content.
same() {
	diff -r --no-dereference "$1" "$2" &&
		diff <(cd "$1" && find . -printf '%P %y %m %U %G %n %s %T@ %l\n' | grep -v ' d ' | sort) \
			<(cd "$2" && find . -printf '%P %y %m %U %G %n %s %T@ %l\n' | grep -v ' d ' | sort)
}

source=$scratch/source
make_tree "$source"
open_volume v
mnt=$scratch/v/mnt
passes "tar writes a tree" sh -c "tar -C '$source' --format=posix -cf - . | (mkdir '$mnt/tar' && tar -C '$mnt/tar' -xpf -)"
passes "which is the same" same "$source" "$mnt/tar"
passes "rsync copies it inside the mount" rsync -aH "$mnt/tar/" "$mnt/copy/"
passes "which is the same too" same "$source" "$mnt/copy"
commit_tree "$source" >/dev/null 2>&1
passes "git clones into the mount" git clone -q --no-local "$source" "$mnt/clone"
passes "and finds it sound" git -C "$mnt/clone" fsck --full --strict
passes "git works inside" sh -c "cd '$mnt/clone' && git mv 'many/file 1' moved && git commit -qm moved && git gc -q"
stop_volume v
open_volume v
passes "after a new mount: the tree" same "$mnt/copy" "$mnt/tar"
passes "after a new mount: the repository" git -C "$mnt/clone" fsck --full --strict
done_testing
