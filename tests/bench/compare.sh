#!/bin/sh
# A phifs mount beside a gocryptfs mount and a plain directory, measured in turns.
#
#	compare.sh [--beside DIRECTORY] MOUNTPOINT [OPTION OF bench-fs]...
#
# MOUNTPOINT is an unlocked phifs volume, or a directory inside one, in which
# the caller may create and delete.  The other two are made below DIRECTORY
# (default: $TMPDIR or /tmp), which should lie on the same disk as the volume's
# ciphertext, and removed afterwards.  `make bench` builds what it needs.
set -u
bench=${builddir:-.}/tests/bench/bench-fs
beside=${TMPDIR:-/tmp}

fail() {
	echo "compare.sh: error: $1" >&2
	echo "compare.sh: hint: $2" >&2
	exit "$3"
}

if [ "${1:-}" = --beside ]; then
	[ $# -ge 2 ] || fail "--beside needs a directory" "compare.sh --beside DIRECTORY MOUNTPOINT" 2
	beside=$2
	shift 2
fi
[ $# -ge 1 ] || fail "no directory given" "compare.sh [--beside DIRECTORY] MOUNTPOINT" 2
mountpoint=$1
shift
[ -d "$mountpoint" ] || fail "$mountpoint is no directory" "ls -ld $mountpoint" 2
[ -x "$bench" ] || fail "$bench is not there" "make bench" 1

scratch=$(mktemp -d "$beside/phifs-compare.XXXXXX") || exit 1
is_mounted=
cleanup() {
	if [ -n "$is_mounted" ]; then
		fusermount3 -u "$scratch/plaintext" 2>/dev/null ||
			fusermount -u "$scratch/plaintext" 2>/dev/null ||
			umount "$scratch/plaintext"
	fi
	# Never into a mount that stayed.
	rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT
trap 'exit 10' INT TERM HUP

mount_gocryptfs() {
	mkdir "$scratch/ciphertext" "$scratch/plaintext" &&
		(umask 077 && head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$scratch/pass") &&
		gocryptfs -q -init -scryptn 10 -passfile "$scratch/pass" "$scratch/ciphertext" \
			>/dev/null &&
		gocryptfs -q -passfile "$scratch/pass" "$scratch/ciphertext" "$scratch/plaintext"
}

echo "=== first: phifs, second: a plain directory"
mkdir "$scratch/plain"
"$bench" "$@" "$mountpoint" "$scratch/plain" || exit

if ! command -v gocryptfs >/dev/null; then
	echo "compare.sh: gocryptfs is not installed: no comparison with it"
	exit 0
fi
mount_gocryptfs || fail "gocryptfs cannot be mounted" "ls -l /dev/fuse" 1
is_mounted=yes
echo "=== first: phifs, second: gocryptfs $(gocryptfs -version 2>/dev/null | sed 's|^gocryptfs v\{0,1\}\([0-9.]*\).*|\1|')"
"$bench" "$@" "$mountpoint" "$scratch/plaintext"
