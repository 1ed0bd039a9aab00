#!/bin/sh
# The documentation names what the programs have, and nothing else: options and
# commands against man pages, configuration keys against phifs.conf(5) and the
# templates, exit codes, audit events, PROTOCOL.md against the tables.
. "${srcdir:-.}/tests/cli/lib.sh"

# same NAME FILE FILE: two sorted lists; the difference goes to the log.
same() {
	if [ -s "$2" ] && cmp -s "$2" "$3"; then
		ok 0 "$1"
	else
		ok 1 "$1"
		diff "$2" "$3" | sed 's/^/# /'
	fi
}

a=$scratch/a
b=$scratch/b

# --- options and commands ---------------------------------------------------

options_of_page() {
	sed -n '/^\.Sh/!p' "$1" | grep -o 'Fl Fl [a-z][a-z-]*' | sed 's/Fl Fl /--/' | sort -u
}

for tool in phifsctl phifs-volume phifs-key phifs-policy phifs-audit; do
	command -v $tool >/dev/null || continue
	page=$srcdir/man/$tool.1
	$tool --list-options | sort -u >"$a"
	options_of_page "$page" >"$b"
	same "$tool: options of the program and of its man page" "$a" "$b"
	$tool --list-commands | sort -u >"$a"
	sed -n 's/^\.It Cm \([a-z-]*\).*/\1/p' "$page" | sort -u >"$b"
	same "$tool: commands of the program and of its man page" "$a" "$b"
done

phifsd --list-options | sort -u >"$a"
options_of_page "$srcdir/man/phifsd.8" >"$b"
same "phifsd: options of the program and of its man page" "$a" "$b"
sed -n "s/^[[:space:]]*\([a-z]*\)) read_only=.*/\1/p" "$srcdir/tools/mount/mount.phifs" >"$a"
sed -n 's/^\.Cm \(ro\)$/\1/p' "$srcdir/man/mount.phifs.8" >"$b"
same "mount.phifs: what it does something for, and its man page" "$a" "$b"

# --- exit codes -----------------------------------------------------------------

{ echo 0; sed -n 's/^ERR([A-Z_]*, *-[0-9]*, *[A-Z]*, *\([0-9]*\),.*/\1/p' \
	"$srcdir/src/base/errors.def"; } | sort -nu >"$a"
sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It \([0-9]*\)$/\1/p' "$srcdir/man/phifsctl.1" | sort -n >"$b"
same "exit codes of errors.def and of phifsctl(1)" "$a" "$b"

# --- configuration keys -----------------------------------------------------------

# section.key of options.def; those of a later version apart.
keys_of_table() {
	sed -n 's/^OPTION("\([a-z]*\)", "\([a-z-]*\)", \([a-z_]*\),.*/\1.\2 \3/p' \
		"$srcdir/src/config/options.def"
}
if [ -f "$srcdir/man/phifs.conf.5" ]; then
	keys_of_table | sed 's/ .*//; s/.*\.//' | sort -u >"$a"
	grep -oE '^\.It Cm [a-z-]+' "$srcdir/man/phifs.conf.5" | sed 's/.* //' | sort -u >"$b"
	same "keys of options.def and of phifs.conf(5)" "$a" "$b"
fi
for template in "$srcdir"/examples/templates/*.conf; do
	[ -f "$template" ] || continue
	keys_of_table | sed 's/ .*//' | sort -u >"$a"
	sed -n 's/^#\{0,1\}\[\([a-z]*\)\]$/[\1]/p; s/^#\{0,1\}\([a-z-]*\) *=.*/\1/p' "$template" |
		awk '/^\[/ { section = substr($0, 2, length($0) - 2); next } { print section "." $0 }' |
		sort -u >"$b"
	comm -13 "$a" "$b" >"$out"
	[ -s "$b" ] && [ ! -s "$out" ]
	ok $? "$(basename "$template") has known keys only" || sed 's/^/# /' "$out"
done

# --- audit events -----------------------------------------------------------------

if [ -f "$srcdir/man/phifs-audit.1" ]; then
	sed -n 's/^EVENT(\([A-Z_]*\),.*/\1/p' "$srcdir/src/audit/events.def" | sort >"$a"
	sed -n 's/^\.It Sy \([A-Z_]*\)$/\1/p' "$srcdir/man/phifs-audit.1" | sort >"$b"
	same "events of events.def and of phifs-audit(1)" "$a" "$b"
fi

# --- what phifs-volume check finds ------------------------------------------------

# The integrity errors, without the two that say that nothing can be told.
{ sed -n '/^\/\* Integrity:/,/^$/s/^ERR(\([A-Z_]*\),.*/\1/p' "$srcdir/src/base/errors.def" |
	grep -vx -e VERSION -e UNPROVEN; echo UNREFERENCED; } | sort >"$a"
sed -n 's/^\.It Sy \([A-Z_]*\)$/\1/p' "$srcdir/man/phifs-volume.1" | sort >"$b"
same "kinds of damage of errors.def and of phifs-volume(1)" "$a" "$b"

# --- commands that README.md asks people to paste ------------------------------------

sed -n '/^```sh$/,/^```$/p' "$srcdir/README.md" | grep -E '^phifs[a-z-]* ' >"$scratch/lines"
[ -s "$scratch/lines" ]
ok $? "README.md has lines to paste"
while read -r tool command rest; do
	command -v "$tool" >/dev/null || continue
	# phifsd has no commands.
	[ "$tool" = phifsd ] || "$tool" --list-commands | grep -qx "$command"
	ok $? "README.md: $tool $command is a command"
	[ "$tool" != phifsd ] || command=
	for option in $(printf '%s\n' "$rest" | grep -oE -e '--[a-z-]+'); do
		# shellcheck disable=SC2086 # no command is no word
		$tool $command --list-options | grep -qx -e "$option"
		ok $? "README.md: $tool $command has $option"
	done
done <"$scratch/lines"

# --- what the source refers to ----------------------------------------------------------

# A section of one of our texts, in one line or broken like a comment.
references() {
	find "$1/src" "$1/tests" "$1/tools" -name '*.[ch]' -o -name '*.sh' | sort |
		xargs cat | tr -s '\n\t *#' ' ' |
		grep -oE '\b[A-Z]+\.md,? "[A-Z][A-Za-z ]*"' | sed 's/,\{0,1\} "/ /; s/"$//' | sort -u
}
missing_sections() {
	references "$1" | while read -r text section; do
		grep -qxE "#+ $section" "$1/$text" || echo "$text has no section \"$section\""
	done
}
references "$srcdir" >"$a"
missing_sections "$srcdir" >"$out"
[ -s "$a" ] && [ ! -s "$out" ]
ok $? "sections that the source refers to" || sed 's/^/# /' "$out"
mkdir -p "$scratch/tree/src" "$scratch/tree/tests" "$scratch/tree/tools"
printf '## One\n' >"$scratch/tree/SAMPLE.md"
printf '/* %s, "One"; %s\n * "Two" */\n' SAMPLE.md SAMPLE.md >"$scratch/tree/src/sample.h"
[ "$(missing_sections "$scratch/tree")" = 'SAMPLE.md has no section "Two"' ]
ok $? "and one that is not there is found"

# --- the control protocol ------------------------------------------------------------

sed -n 's/^REQUEST([A-Z_]*, \([a-z_]*\), \([a-z_]*\), \([a-z_]*\), \([01]\))$/\1 \2 \3 \4/p' \
	"$srcdir/src/wire/requests.def" | sort >"$a"
sed -n '/^## Requests/,/^## /s/^| `\([a-z_]*\)` | \([a-z_]*\) | \([a-z_]*\) | \([a-z]*\) |.*/\1 \2 \3 \4/p' \
	"$srcdir/PROTOCOL.md" | sed 's/ no$/ 0/; s/ yes$/ 1/' | sort >"$b"
same "requests of requests.def and of PROTOCOL.md" "$a" "$b"

sed -nE 's/^ASK\(([A-Z_]*), *([A-Z]*)\)$/\1 \2/p' "$srcdir/src/daemon/control_requests.def" |
	tr '[:upper:]' '[:lower:]' | sort >"$a"
sed -n '/^## Who may ask/,/^## Mess/s/^| `\([a-z_]*\)` | \([a-z]*\) |.*/\1 \2/p' \
	"$srcdir/PROTOCOL.md" | sort >"$b"
same "who may ask: control_requests.def and PROTOCOL.md" "$a" "$b"

# message.field kind size-without-NUL
sed -nE 's/^NUMBER\(([a-z_]+), ([a-z_]+)\).*/\1.\2 number/p
	s/^SWITCH\(([a-z_]+), ([a-z_]+)\).*/\1.\2 switch/p
	s/^TEXT\(([a-z_]+), ([a-z_]+), ([0-9]+)\).*/\1.\2 text \3/p' "$srcdir/src/wire/messages.def" |
	awk '$2 == "text" { $3 = $3 - 1 } { print }' | sort >"$a"
awk '/^### / { message = $2 }
	message && /^\| `/ { gsub(/[|`]/, " "); print message "." $1, $2 ($2 == "text" ? " " $3 : "") }' \
	"$srcdir/PROTOCOL.md" | sort >"$b"
same "messages of messages.def and of PROTOCOL.md" "$a" "$b"

grep -q 'define WIRE_JSON_MAX *(64u << 10)' "$srcdir/src/wire/message.h" &&
	grep -q 'length J .* 1 to 65536 ' "$srcdir/PROTOCOL.md"
ok $? "the frame's limit in PROTOCOL.md"
done_testing
