#!/bin/sh
# A test that no Makemodule.am names is never built, and fails for nobody; such a man
# page is in no release.
. "${srcdir:-.}/tests/cli/lib.sh"

# forgotten TREE: sources and scripts of tests that no Makemodule.am names.
forgotten() {
	(cd "$1" && find src tests tools -name Makemodule.am -exec cat {} + >"$scratch/named" &&
		find tests man \( -path 'tests/*.[ch]' -o -path 'tests/*.sh' -o -path 'man/*.[1-9]' \) |
		while read -r file; do
			grep -qF "$file" "$scratch/named" Makefile.am || echo "$file"
		done)
}

forgotten "$srcdir" >"$out"
: >"$err"
[ ! -s "$out" ]
ok $? "every file of a test and every man page is named by a Makemodule.am" || diagnose

mkdir -p "$scratch/tree/src" "$scratch/tree/tools" "$scratch/tree/tests/unit" "$scratch/tree/man"
echo 'check_PROGRAMS = tests/unit/test_a.c' >"$scratch/tree/tests/Makemodule.am"
: >"$scratch/tree/Makefile.am"
: >"$scratch/tree/tests/unit/test_a.c"
: >"$scratch/tree/tests/unit/test_b.c"
[ "$(forgotten "$scratch/tree")" = tests/unit/test_b.c ]
ok $? "and one that is not would be found"
done_testing
