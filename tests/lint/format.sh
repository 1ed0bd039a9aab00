#!/bin/sh
# FORMAT.md says where every field of an object, a directory, the journal and the
# anchor lies; format-layout finds out by encoding.
. "${srcdir:-.}/tests/cli/lib.sh"
: "${builddir:=.}"

# Fields of FORMAT.md: "section field at bytes"; a section is a heading of the third level.
fields() {
	awk '/^#/ { section = "" }
	/^### / { section = tolower(substr($0, 5)); gsub(/ /, "-", section) }
	section != "" && /^\| [0-9]+ \| [0-9]+ \| `/ {
		split($0, cell, "|"); name = cell[4]; sub(/^ `/, "", name); sub(/`.*/, "", name)
		print section, name, cell[2] + 0, cell[3] + 0
	}
	/^\| `[A-Z_]+` \| [0-9]+ \|$/ { gsub(/[|`]/, ""); print "number", $1, $2 }' "$1" | sort
}

"$builddir/tests/lint/format-layout" | sort >"$scratch/code"
cut -d ' ' -f 1 "$scratch/code" | sort -u >"$scratch/sections"
fields "$srcdir/FORMAT.md" | grep -w -F -f "$scratch/sections" >"$scratch/text"
[ -s "$scratch/code" ] && diff "$scratch/code" "$scratch/text" >"$out"
ok $? 'offsets, lengths and numbers of FORMAT.md are those of src/format' || sed 's/^/# /' "$out"

# --- and can fail ---------------------------------------------------------------------

differs() {
	fields "$1" | grep -w -F -f "$scratch/sections" | cmp -s - "$scratch/code"
	[ $? -eq 1 ]
}
sed '/ .cipher.:/s/60/62/' "$srcdir/FORMAT.md" >"$scratch/moved.md"
differs "$scratch/moved.md"
ok $? 'seen: a field that moved'
sed '/^| .JOURNAL_HALF_LEN/s/67108864/33554432/' "$srcdir/FORMAT.md" \
	>"$scratch/number.md"
differs "$scratch/number.md"
ok $? 'seen: another number'
sed '/ .key_check.:/d' "$srcdir/FORMAT.md" >"$scratch/missing.md"
differs "$scratch/missing.md"
ok $? 'seen: a field left out'
done_testing
