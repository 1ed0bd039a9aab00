#!/bin/sh
# The benchmark program runs, says what it measured, and leaves nothing behind.
. "${srcdir:-.}/tests/cli/lib.sh"
bench=$builddir/tests/bench/bench-fs
mkdir "$scratch/first" "$scratch/second"

expect 0 "one directory" "$bench" --size 1 --files 5 --rounds 1 "$scratch/first"
has out "one directory: create" '^create  *[0-9.]* */s$'
expect 0 "two directories" "$bench" --size 1 --files 5 --rounds 2 one="$scratch/first" two="$scratch/second"
has out "two directories: labels" '^median  *one  *two  */two$'
has out "two directories: ratio" '^write-sequential-1M  *[0-9.]*  *[0-9.]*  *[0-9.]* MiB/s$'
expect 0 "JSON" "$bench" --json --size 1 --files 5 --rounds 1 "$scratch/first" two="$scratch/second"
has out "JSON: ratio" '"two":[0-9.]*'
[ "$(grep -c '"name":' "$out")" -eq 23 ]
ok $? "JSON: all workloads"
rmdir "$scratch/first" "$scratch/second"
ok $? "nothing is left"
expect 0 "--help" "$bench" --help
has out "--help: how it is used" '^Usage: bench-fs '
expect 0 "compare.sh --help" "$srcdir/tests/bench/compare.sh" --help
has out "compare.sh --help: how it is used" 'compare.sh .*--backing KIND'
expect 1 "a directory that is not there" "$bench" "$scratch/first"
has err "says which" 'first.*No such file'
expect 2 "no directory" "$bench"
expect 2 "a size that is none" "$bench" --size 12x "$scratch"
expect 2 "nine directories" "$bench" a b c d e f g h i
done_testing
