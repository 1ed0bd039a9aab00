#!/bin/bash
# The completion offers what the programs have, and nothing it knows itself.
. "${srcdir:-.}/tests/cli/lib.sh"
. "$srcdir/completions/phifs"

# words WORD...: what is offered for the last of a command line's words.
words() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_phifs "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	printf '%s\n' "${COMPREPLY[@]}" | sort >"$out"
	: >"$err"
}

words phifsctl un
has out "a command" '^unlock$'
lacks out "only what fits" '^lock$'
words phifsctl wait --
has out "options of the command" '^--timeout$'
lacks out "not those of others" '^--slot$'
words phifsctl ehr unlock --sl
has out "behind a NAME" '^--slot$'
words phifsctl lock --list
lacks out "hidden options stay hidden" list
done_testing
