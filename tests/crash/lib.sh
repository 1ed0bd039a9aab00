# For scripts of campaigns: TAP of one and of its broken twin.
#
#	ok STATUS NAME                  after a command whose output is in $log; $noise: lines
#	                                of it that say nothing
#	campaign NAME SECONDS ARG...    ok if it finds no violation
#	finds NAME RULE SECONDS ARG...  ok if NAME-broken with that rule broken does
#	skipped NAME WHY
: "${srcdir:=.}" "${builddir:=.}"
if [ -w /dev/shm ]; then
	: "${TMPDIR:=/dev/shm}"
fi
# What a life that was killed leaves behind goes with it.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/phifs-crash.XXXXXX") || exit 99
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 1' INT TERM HUP
log=$TMPDIR/log
noise='^phifs: '
number=0 failed=0

ok() {
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		{ grep '^not ok' "$log"; grep -v "$noise" "$log" | tail -n 20; } | sed 's/^/# /'
		echo "not ok $number - $2"
		failed=1
	fi
}

campaign() {
	name=$1 seconds=$2
	shift 2
	"$builddir/tests/crash/$name" --seconds "$seconds" --seed "$(date +%s)" "$@" >"$log" 2>&1
	ok $? "$name $*: $(tail -n 1 "$log")"
}

# A violation, not a program that was not there.
finds() {
	name=$1 rule=$2 seconds=$3
	shift 3
	PHIFS_BREAK=$rule "$builddir/tests/crash/$name-broken" --seconds "$seconds" --first "$@" \
		>"$log" 2>&1
	grep -q '^violation: ' "$log"
	ok $? "$name finds $rule broken"
}

skipped() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

# can_use NAME KIND: has it such disks here?
can_use() {
	"$builddir/tests/crash/$1" --states 1 --on "$2" >"$log" 2>&1
	[ $? -ne 77 ]
}

finish() {
	echo "1..$number"
	exit $failed
}
