#!/bin/sh
# A directory below src/ is a layer: includes point to lower ranks only, and the
# libraries that hold the secrets of a layer are included by that layer alone.
. "${srcdir:-.}/tests/cli/lib.sh"

# DESIGN.md "Layers": rank, directory, and layers below it that it must not know.
cat >"$scratch/ranks" <<'END'
0 base -
1 crypto -
2 format -
2 wire crypto
3 keys -
3 config crypto
4 policy -
4 audit -
5 session -
6 store policy,audit
7 fsops -
8 daemon -
END

# violations TREE: one line for each include that points where it must not.
violations() {
	(cd "$1" && find src tools -name '*.[ch]' -exec grep -H '^#[ \t]*include[ \t]*["<]' {} +) |
		awk '
		FNR == NR { rank[$2] = $1; forbidden[$2] = "," $3 ","; next }
		function bad(why) { print file ": " name ": " why }
		{
			file = substr($0, 1, index($0, ":") - 1)
			match($0, /["<][^">]*[">]/)
			name = substr($0, RSTART + 1, RLENGTH - 2)
			quoted = substr($0, RSTART, 1) == "\""
			split(file, part, "/")
			from = part[2]
			split(name, target, "/")
			to = target[1]
			if (quoted && part[1] == "src") {
				if (!(from in rank)) bad("the layer has no rank")
				else if (!(to in rank)) bad("includes name a layer: \"layer/file.h\"")
				else if (to != from && rank[to] >= rank[from]) bad("points upward")
				else if (index(forbidden[from], "," to ",")) bad("must not know it")
			} else if (quoted && to ~ /^(fsops|session|daemon)$/)
				bad("only the daemon links it")
			if (name ~ /^gcrypt\.h$/ && file !~ /^src\/crypto\//)
				bad("only src/crypto")
			if (name ~ /^sodium/ && file !~ /^src\/(crypto\/|base\/(secmem|buf)\.c$)/)
				bad("only src/crypto, base/secmem.c and base/buf.c")
			if (name ~ /fuse.*\.h$/ && !quoted && file !~ /^src\/(fsops|daemon)\//)
				bad("only src/fsops and src/daemon")
			if (name ~ /^sqlite3/ && file !~ /^src\/store\/ledger/)
				bad("only the ledger")
		}' "$scratch/ranks" -
}

violations "$srcdir" >"$out"
[ ! -s "$out" ]
ok $? "includes point downward" || sed 's/^/# /' "$out"

missing=$(cd "$srcdir/src" && for layer in */; do
	grep -q " ${layer%/} " "$scratch/ranks" || echo "$layer"
done)
[ -z "$missing" ]
ok $? "every directory below src/ has a rank" || echo "# $missing"

# --- each rule can fail ------------------------------------------------------------

# refuses FILE INCLUDE
refuses() {
	rm -rf "$scratch/tree"
	mkdir -p "$scratch/tree/src" "$scratch/tree/tools" "$(dirname "$scratch/tree/$1")"
	printf '#include <stdio.h>\n#include %s\n' "$2" >"$scratch/tree/$1"
	violations "$scratch/tree" >"$out"
	[ "$(wc -l <"$out")" -eq 1 ]
	ok $? "seen: $2 in $1"
}
refuses src/base/io.c '"crypto/hash.h"'
refuses src/format/layout.c '"wire/frame.h"'
refuses src/wire/frame.c '"crypto/hash.h"'
refuses src/store/node.c '"policy/policy.h"'
refuses src/session/session.h '"store/store.h"'
refuses src/fsops/read.c '"daemon/channel.h"'
refuses src/novel/new.c '"base/io.h"'
refuses src/store/node.c '"node.h"'
refuses tools/ctl/main.c '"fsops/fsops.h"'
refuses src/keys/slot.c '<gcrypt.h>'
refuses src/base/io.c '<sodium.h>'
refuses tools/key/main.c '<sodium.h>'
refuses src/store/store.c '<fuse_lowlevel.h>'
refuses src/store/store.c '<sqlite3.h>'
done_testing
