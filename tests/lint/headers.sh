#!/bin/sh
# A header compiles alone: it includes what it uses, and has a guard.
. "${srcdir:-.}/tests/cli/lib.sh"
: "${CC:=cc}" "${HEADER_FLAGS:=-I. -include config.h -I$srcdir/src}"
flags="$HEADER_FLAGS -I$srcdir -I$srcdir/tests/store -I$srcdir/tests/unit"

# compiles HEADER: twice in a row, so that a missing guard is an error.
cat >"$scratch/compile" <<END
#!/bin/sh
printf '#include "%s"\n#include "%s"\n' "\$1" "\$1" |
	$CC $flags -std=gnu11 -Wall -Wstrict-prototypes -Werror -Wno-unused-function \
		-fsyntax-only -x c - >"$scratch/\$(echo "\$1" | tr / _).log" 2>&1 || {
	echo "\$1"
	sed -n '/error/s/^/# /p' "$scratch/\$(echo "\$1" | tr / _).log"
}
END
chmod +x "$scratch/compile"
failures() {
	xargs -n 1 -P 2 "$scratch/compile"
}

headers=$(cd "$srcdir" && find src tools tests -name '*.h' | sort)
top=$(cd "$srcdir" && pwd)
for header in $headers; do
	echo "$top/$header"
done | failures >"$out"
[ -n "$headers" ] && [ ! -s "$out" ]
ok $? "$(echo "$headers" | wc -l) headers compile alone" || sed 's/^/# /' "$out"

# --- and can fail --------------------------------------------------------------------

refuses() {
	printf '%s\n' "$2" >"$scratch/sample.h"
	echo "$scratch/sample.h" | failures >"$out"
	[ -s "$out" ]
	ok $? "seen: $1"
}
refuses "a type that is not included" 'uint8_t sample_of(void);'
refuses "no guard" 'struct sample { int value; };'
refuses "no prototype" 'int sample_of();'
done_testing
