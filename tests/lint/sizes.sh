#!/bin/sh
# No function over 60 lines, no source file over 600.
. "${srcdir:-.}/tests/cli/lib.sh"
FUNCTION_MAX=60
FILE_MAX=600

ctags --version 2>/dev/null | grep -q 'Universal Ctags' || {
	echo '1..0 # SKIP universal-ctags is not installed'
	exit 0
}

long_functions() {
	(cd "$1" && find src tools tests -name '*.c' 2>/dev/null |
		ctags -L - -x --kinds-c=f --_xformat='%{line} %{end} %{name} %{input}') |
		awk -v max=$FUNCTION_MAX '{
			lines = $2 - $1 + 1
			if (lines > max) print $4 ": " $3 ": " lines " lines"
		}'
}

long_files() {
	(cd "$1" && find src tools tests -name '*.[ch]' -o -name '*.sh' -o -name '*.def') |
		while read -r file; do
			lines=$(wc -l <"$1/$file")
			[ "$lines" -le $FILE_MAX ] || echo "$file: $lines lines"
		done
}

none() {
	"$2" "$srcdir" >"$out"
	[ ! -s "$out" ]
	ok $? "$1" || sed 's/^/# /' "$out"
}
none "no function over $FUNCTION_MAX lines" long_functions
none "no file over $FILE_MAX lines" long_files

# --- and can fail -------------------------------------------------------------------

tree=$scratch/tree
mkdir -p "$tree/src" "$tree/tools" "$tree/tests"

# function LINES: a function of that many lines in the sample
function_of() {
	{
		printf 'static int sample(void)\n{\n'
		yes '	work();' | head -n $(($1 - 4))
		printf '	return 0;\n}\n'
	} >"$tree/src/sample.c"
	long_functions "$tree" | grep -c sample
}
[ "$(function_of $FUNCTION_MAX)" = 0 ] && [ "$(function_of $((FUNCTION_MAX + 1)))" = 1 ]
ok $? "seen: a function of $((FUNCTION_MAX + 1)) lines"

yes '' | head -n $FILE_MAX >"$tree/tools/sample.h"
[ -z "$(long_files "$tree")" ] && echo >>"$tree/tools/sample.h" && [ -n "$(long_files "$tree")" ]
ok $? "seen: a file of $((FILE_MAX + 1)) lines"
done_testing
