#!/bin/sh
# Shell scripts: no warning of ShellCheck.
. "${srcdir:-.}/tests/cli/lib.sh"

command -v shellcheck >/dev/null || {
	echo '1..0 # SKIP shellcheck is not installed'
	exit 0
}

scripts() {
	(cd "$srcdir" && find examples tests tools completions .ci -type f \
		-not -path '*/Makefile*' 2>/dev/null) | while read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*) head -n 1 "$srcdir/$file" 2>/dev/null | grep -q '^#! */.*sh$' && echo "$file" ;;
		esac
	done
}

check() {
	# Not: variables of a sourced file or of the environment (2034, 2154), mode of parents (2174).
	shellcheck --severity=warning --exclude=SC2034,SC2154,SC2174 --external-sources --shell="$1" --format=gcc "$2"
}

for script in $(scripts | sort); do
	shell='sh'
	head -n 1 "$srcdir/$script" | grep -q bash && shell='bash'
	(cd "$srcdir" && check "$shell" "$script") >"$out" 2>&1
	ok $? "$script" || sed 's/^/# /' "$out"
done

# shellcheck disable=SC2016 # the sample's
echo 'cd $1; rm -rf $HOME/$2' >"$scratch/sample.sh"
! check sh "$scratch/sample.sh" >"$out" 2>&1
ok $? "seen: cd without a look at its outcome"
done_testing
