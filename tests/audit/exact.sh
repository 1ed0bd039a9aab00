#!/bin/sh
# A known sequence of reads and writes gives exactly one record each, with its
# range; what goes through the page cache is recorded as what the cache asked for.
. "$srcdir/tests/audit/mounted.sh"
need_mounts

cat >"$scratch/policy" <<END
[class exact]
path = /
mode = 755
[class mapped]
path = /mapped
mode = 755
mmap = yes
[role everyone]
members = uid:0-65535
login = none
allow = all on exact, mapped
END
mount_volume v --policy "$scratch/policy"
mnt=$scratch/v/mnt

# same NAME FILE FILE
same() {
	cmp -s "$2" "$3"
	ok $? "$1" || diff "$2" "$3" | sed 's/^/# /'
}

requests fill "$mnt/file" && requests fill "$mnt/mapped/file"
ok $? "two files are made"
requests direct "$mnt/file" >"$scratch/direct"
ok $? "reads and writes" || sed 's/^/# /' "$scratch/direct"
requests mapped "$mnt/mapped/file" >"$scratch/expected"
ok $? "mappings, sendfile, splice" || sed 's/^/# /' "$scratch/expected"
ln -s /patient-0042/scan "$mnt/latest" && readlink "$mnt/latest" >"$scratch/target"
ok $? "a symbolic link"
unmount_volume v
ok $? "unmount"
phifs-audit verify --journal "$scratch/v/state/audit" --key "$scratch/v/auditor" \
	>"$scratch/verdict" 2>&1
ok $? "the journal is whole" || sed 's/^/# /' "$scratch/verdict"

# --- direct ------------------------------------------------------------------------
records --path /file --event WRITE --event READ | head -n 3 >"$scratch/seen"
[ "$(field length <"$scratch/seen" | sort -u)" = 1048576 ]
ok $? "three requests of 1 MiB are three records"
records --path /file --event READ --event WRITE | tail -n +4 >"$scratch/seen"
! grep -q '"via"' "$scratch/seen"
ok $? "none of them went through the page cache"
field event <"$scratch/seen" >"$scratch/1"
field offset <"$scratch/seen" >"$scratch/2"
field length <"$scratch/seen" >"$scratch/3"
field bytes <"$scratch/seen" >"$scratch/4"
paste -d ' ' "$scratch/1" "$scratch/2" "$scratch/3" "$scratch/4" |
	sed 's/^\(WRITE [0-9]* [0-9]*\) .*/\1/' >"$scratch/got"
same "each request is one record with its range, in order" "$scratch/direct" "$scratch/got"
[ "$(field uid <"$scratch/seen" | sort -u)" = 0 ] &&
	[ "$(field path <"$scratch/seen" | sort -u)" = /file ] &&
	[ "$(field role <"$scratch/seen" | sort -u)" = everyone ]
ok $? "with person, path and role"

# --- symbolic links: where one leads may be a name -----------------------------------
[ "$(records --path /latest --event LIST | grep -c '"outcome":"done"')" = 1 ]
ok $? "reading a symbolic link is a record"

# --- through the page cache -----------------------------------------------------------
records --path /mapped/file --event READ --event WRITE | tail -n +4 >"$scratch/seen"

# covered EXPECTED-WORD EVENT VIA: every byte that had to be asked for was.
covered() {
	grep "\"event\":\"$2\".*\"via\":\"$3\"" "$scratch/seen" >"$scratch/via"
	field offset <"$scratch/via" >"$scratch/2"
	field length <"$scratch/via" >"$scratch/3"
	paste -d ' ' "$scratch/2" "$scratch/3" >"$scratch/pieces"
	grep "^$1 " "$scratch/expected" >"$scratch/wanted" && awk '
		NR == FNR { first[NR] = $1; last[NR] = $1 + $2; pieces = NR; next }
		{
			for (at = $2; at < $2 + $3; at = next_at) {
				next_at = 0
				for (i = 1; i <= pieces; i++)
					if (first[i] <= at && at < last[i])
						next_at = last[i]
				if (next_at == 0) { print "# no record of byte " at; exit 1 }
			}
		}' "$scratch/pieces" "$scratch/wanted"
}
covered FILL READ fill
ok $? "what was read through the page cache is covered by its records" ||
	sed 's/^/# /' "$scratch/pieces"
covered WRITEBACK WRITE writeback
ok $? "what was written through a mapping is covered by its records"
[ "$(grep -c '"event":"READ"' "$scratch/seen")" -le 40 ]
ok $? "and they are not many more than there were touches"
! grep '"via":"writeback"' "$scratch/seen" | grep -v '"detail":"one of handles' | grep -q .
ok $? "a write-back names the handles it may have come from"
done_testing
