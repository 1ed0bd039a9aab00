#!/bin/sh
# What a layer's library exports is declared in a header of the layer and meant
# for others; names say where they come from; no data that can be changed.
. "${srcdir:-.}/tests/cli/lib.sh"
: "${NM:=nm}"

command -v "$NM" >/dev/null || {
	echo '1..0 # SKIP nm is not installed'
	exit 0
}

# Names of one word that are not their file's: an algorithm's.
single_words='sha256'

# exports LIBRARY...: "layer stem section name" of every global symbol.
exports() {
	for library; do
		layer=$(basename "$library" .a)
		"$NM" -g --defined-only -f sysv "$library" 2>/dev/null |
			awk -F '|' -v layer="${layer#lib}" '
			/\.o:$/ || /\.o\]:$/ {
				stem = $0
				sub(/\.o[]:]*$/, "", stem)
				sub(/.*[\/[]/, "", stem)
				# subdir objects of libraries with flags of their own: libx_a-stem
				sub(/^.*_a-/, "", stem)
			}
			NF > 5 && $1 !~ /^_|\./ {
				gsub(/ /, "", $1); gsub(/ /, "", $7)
				print layer, stem, $7, $1
			}'
	done
}

# undeclared TREE <exports
undeclared() {
	while read -r layer stem _ name; do
		grep -qw -e "$name" "$1/src/$layer"/*.h || echo "$layer/$stem.c: $name is in no header"
	done
}

nameless() {
	awk -v words=" $single_words " '
		$4 !~ /_/ && $4 != $2 && !index(words, " " $4 " ") {
			print $1 "/" $2 ".c: " $4 " could be anybody'\''s"
		}'
}

changeable() {
	awk '$3 ~ /^(\.data|\.bss|\*COM\*)/ && $3 !~ /^\.data\.rel\.ro/ {
		print $1 "/" $2 ".c: " $4 " is global and can be changed"
	}'
}

# needs OBJECT...: names that other objects need.
needs() {
	"$NM" -u -f posix "$@" 2>/dev/null | awk 'NF > 1 { print $1 }' | sort -u
}

# should_be_static TREE NEEDED <exports: used in its own file, and nowhere else.
should_be_static() {
	while read -r layer stem _ name; do
		grep -qxF -e "$name" "$2" && continue
		file=$1/src/$layer/$stem.c
		[ "$(sed 's|^ *\(/\*\)* *\*.*||' "$file" | grep -cw -e "$name")" -lt 2 ] ||
			echo "$layer/$stem.c: $name is used here only: static"
	done
}

none() {
	[ ! -s "$out" ]
	ok $? "$1" || sed 's/^/# /' "$out"
}

cd "$builddir" || exit 1
case $srcdir in /*) ;; *) srcdir=$PWD/$srcdir ;; esac
exports src/lib*.a >"$scratch/exports"
[ "$(wc -l <"$scratch/exports")" -gt 100 ]
ok $? "$(wc -l <"$scratch/exports") symbols of $(ls src/lib*.a | wc -l) libraries"
undeclared "$srcdir" <"$scratch/exports" >"$out"
none "every exported name is declared in a header of its layer"
nameless <"$scratch/exports" >"$out"
none "names say where they come from"
changeable <"$scratch/exports" >"$out"
none "no exported data that can be changed"
find src tools tests -name '*.o' >"$scratch/objects"
# shellcheck disable=SC2046 # one object for each line, without blanks
needs $(cat "$scratch/objects") >"$scratch/needed"
should_be_static "$srcdir" "$scratch/needed" <"$scratch/exports" >"$out"
while read -r layer stem _ name; do
	grep -qxF -e "$name" "$scratch/needed" || grep -q ": $name is" "$out" ||
		echo "$layer/$stem.c: $name is used nowhere" >>"$out"
done <"$scratch/exports"
# A layer may come before those that will use it: STRICT=1 once all are there.
[ -n "${STRICT:-}" ] || { sed 's/^/# /' "$out" && : >"$out"; }
none "what is exported is used by others"

# --- and can fail ---------------------------------------------------------------------

tree=$scratch/tree
mkdir -p "$tree/src/sample"
cat >"$tree/src/sample/sample.c" <<'END'
int sample_secret(void) { return 1; }
int sample_own(void) { return 2; }
int open_it(void) { return sample_own(); }
int helpful(void) { return 3; }
int sample_counter = 4;
const char *const sample_names[] = {"a", "b"};
END
echo 'int sample_own(void); int open_it(void); int helpful(void); extern int sample_counter;
extern const char *const sample_names[];' >"$tree/src/sample/sample.h"
if (cd "$tree" && ${CC:-cc} -fPIE -c -o sample.o src/sample/sample.c &&
	ar cr libsample.a sample.o) >"$err" 2>&1; then
	exports "$tree/libsample.a" >"$scratch/exports"
	seen() {
		[ "$(wc -l <"$out")" -eq 1 ] && grep -q "$2" "$out"
		ok $? "seen: $1" || sed 's/^/# /' "$out"
	}
	undeclared "$tree" <"$scratch/exports" >"$out"
	seen "a name in no header" sample_secret
	nameless <"$scratch/exports" >"$out"
	seen "a name of one word" helpful
	changeable <"$scratch/exports" >"$out"
	seen "data that can be changed" sample_counter
	: >"$scratch/needed"
	should_be_static "$tree" "$scratch/needed" <"$scratch/exports" >"$out"
	seen "what could be static" sample_own
fi
done_testing
