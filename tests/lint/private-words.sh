#!/bin/sh
# Nothing that is distributed names a place on the machine it was written on,
# or leaves work for later without saying what.
. "${srcdir:-.}/tests/cli/lib.sh"

# Brackets, so that this file does not contain what it looks for.
places='/wor[k]/|/roo[t]/[a-z]/|/hom[e]/[a-z]+/|/User[s]/|/tm[p]/issue'
texts='(storage|fuse|audit|product|review|style|design)[.]md'
later='TOD[O]|FIXM[E]|HAC[K]'

sources() {
	(cd "$1" && find . -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' \
		-o -name '*.md' -o -name '*.am' -o -name '*.ac' -o -name '*.[1-8]' -o -path './examples/*' \
		-o -path './completions/*' -o -path './.ci/*' \) \
		-not -path './.git/*' -not -path './build-aux/*' \
		-not -path './autom4te.cache/*' -not -path './phifs-[0-9]*' \
		-not -name '*.in' -not -name config.h -not -name aclocal.m4)
}

# found TREE PATTERN
found() {
	sources "$1" | (cd "$1" && xargs grep -nE -e "$2")
}

found "$srcdir" "$places" >"$out"
[ ! -s "$out" ]
ok $? "no places of one machine" || sed 's/^/# /' "$out"
found "$srcdir" "$texts" >"$out"
[ ! -s "$out" ]
ok $? "no texts that are not distributed" || sed 's/^/# /' "$out"
found "$srcdir" "$later" >"$out"
[ ! -s "$out" ]
ok $? "no notes for later" || sed 's/^/# /' "$out"

# --- and can fail --------------------------------------------------------------------

mkdir -p "$scratch/tree/man"
for words in "/ro""ot/w/phifs" "/wo""rk/shared" "/ho""me/anna/phifs"; do
	echo "see $words" >"$scratch/tree/man/sample.1"
	[ -n "$(found "$scratch/tree" "$places")" ]
	ok $? "seen: $words"
done
echo "see stor""age.md C.2" >"$scratch/tree/man/sample.1"
[ -n "$(found "$scratch/tree" "$texts")" ]
ok $? "seen: a text that is not distributed"
echo "/* TO""DO: later */" >"$scratch/tree/man/sample.c"
[ -n "$(found "$scratch/tree" "$later")" ]
ok $? "seen: a note for later"
done_testing
