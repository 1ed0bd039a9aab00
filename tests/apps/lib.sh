# Applications on a mounted volume: TAP in the shell.
#
#	have PROGRAM... || skip   the whole test needs them
#	plan N
#	ok WHAT COMMAND...        passes if the command does
#	not_ok_if WHAT COMMAND... passes if the command fails
#	cleanup_with COMMAND...   runs it when the test ends, before the mounts go

. "$srcdir/tests/fs/mount-lib.sh"

test_number=0
failures=0
last_words=true

plan() { echo "1..$1"; }

skip_without() {
	for program in "$@"; do
		command -v "$program" >/dev/null 2>&1 || {
			echo "1..0 # SKIP $program is not installed"
			exit 0
		}
	done
}

result() {
	test_number=$((test_number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $test_number - $2"
	else
		echo "not ok $test_number - $2"
		sed 's/^/# /' "$scratch/log" | tail -n 20
		failures=$((failures + 1))
	fi
}

ok() {
	what=$1
	shift
	"$@" >"$scratch/log" 2>&1
	result $? "$what"
}

refused() {
	what=$1
	shift
	if "$@" >"$scratch/log" 2>&1; then
		echo "it was not refused" >>"$scratch/log"
		result 1 "$what"
	else
		result 0 "$what"
	fi
}

# Run before the mounts are taken away, whatever happened.
at_end() { last_words="$last_words; $*"; }
leave() {
	eval "$last_words"
	cleanup
}
trap leave EXIT

# Up to 10 s until a command succeeds.
until_ok() {
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}

finish() { [ "$failures" -eq 0 ]; }
