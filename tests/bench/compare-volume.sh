#!/bin/sh
# A volume of its own, served by phifsd with roles and audit on, beside gocryptfs and
# a plain directory of the same disk:
#
#	make bench && TMPDIR=/on/that/disk builddir=. tests/bench/compare-volume.sh [OPTION OF bench-fs]...
. "${srcdir:-.}/tests/fs/lib.sh"

make_volume bench >"$out" 2>&1
start_volume bench
unlock_volume bench
"$srcdir/tests/bench/compare.sh" --beside "$scratch" "$scratch/bench/mnt" "$@"
