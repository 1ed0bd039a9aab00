#!/bin/sh
# Every --help of every tool and command: on stdout, exit 0, at most 80 columns;
# an unknown option: exit 2, on stderr, nothing on stdout.
. "${srcdir:-.}/tests/cli/lib.sh"

check_help() {
	expect 0 "$* --help" "$@" --help
	[ -s "$out" ] && [ ! -s "$err" ] && ! grep -qE '.{81}|[[:space:]]$' "$out"
	ok $? "$* --help is on stdout, within 80 columns, without trailing blanks" || diagnose
	expect 2 "$* --no-such-option" "$@" --no-such-option
	[ -s "$err" ] && [ ! -s "$out" ]
	ok $? "$* --no-such-option complains on stderr only" || diagnose
}

for tool in phifsctl phifs-volume phifs-key phifs-policy phifs-audit; do
	command -v $tool >/dev/null || continue
	check_help $tool
	expect 0 "$tool --version" $tool --version
	has out "$tool --version names program and version" "^$tool [0-9]"
	expect 2 "$tool without a command" $tool
	expect 2 "$tool with an unknown command" $tool no-such-command
	lacks out "$tool shows hidden options to nobody" "--list-"
	for name in $($tool --list-commands); do
		check_help $tool "$name"
		for option in $($tool "$name" --list-options); do
			$tool "$name" --help | grep -q -e "$option"
			ok $? "$tool $name --help explains $option"
		done
	done
done
done_testing
