# For tests of the trail of a mounted volume: one line of TAP for each check.
#
#	ok CONDITION-STATUS NAME
#	records ARG...   what phifs-audit shows of the volume `v` (JSON, one a line)
#	field NAME       the number or text of that field in each line of stdin; "-" without
#	done_testing
. "$srcdir/tests/fs/mount-lib.sh"
PATH=$builddir/tools/audit:$builddir/tests/audit:$PATH
LC_ALL=C
export LC_ALL
count=0

ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		return 1
	fi
}

done_testing() {
	echo "1..$count"
}

# After unmount_volume: the last records are in the journal's file then.
records() {
	phifs-audit show --journal "$scratch/v/state/audit" --key "$scratch/v/auditor" \
		--json "$@" 2>"$scratch/records.err"
}

field() {
	sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/; t print; s/.*/-/; : print; p"
}
