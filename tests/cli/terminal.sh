# shellcheck shell=sh disable=SC2154 # ok() and names of lib.sh
# Typing at a command: a test sources this behind lib.sh, and works in its scratch directory.
#
#	start_terminal COMMAND...; type_at QUESTION TEXT ...; ends STATUS NAME
#
# The command's words have no blanks.

# A command that has ended already is a failed check, not the test's end.
trap '' PIPE

# A terminal of its own: what is typed goes into a pipe, what is shown is in `screen`.
start_terminal() {
	rm -f keys
	mkfifo keys
	: >screen
	seen=0
	script -qefc "$*" screen <keys >/dev/null 2>&1 &
	terminal=$!
	exec 5>keys
}
# wait_for TEXT: until it is shown behind what was answered already.
wait_for() {
	tries=0
	until tail -c +$((seen + 1)) screen | grep -q "$1" || [ $tries -ge 1000 ]; do
		tries=$((tries + 1))
		sleep 0.02
	done
}
# type_at QUESTION TEXT: waits for the question.
type_at() {
	wait_for "$1"
	seen=$(stat -c %s screen)
	printf '%s\n' "$2" >&5 2>/dev/null
}
# ends STATUS: of the command.
ends() {
	exec 5>&-
	wait $terminal
	status=$?
	[ $status -eq "$1" ]
	ok $? "$2: exit status $1" || { echo "# exit status $status"; sed 's/^/# /' screen; }
}
