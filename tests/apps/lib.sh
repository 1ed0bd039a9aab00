# Applications on a volume that phifsd serves: tests/fs/lib.sh, and
#
#	skip_without PROGRAM...   skip the whole test
#	passes NAME COMMAND...    a function or program that must succeed
#	refused NAME COMMAND...   that must not
#	open_volume NAME ARG...   made if it is not there, started, unlocked
#	at_end COMMAND            before the volumes are ended

. "${srcdir:-.}/tests/fs/lib.sh"

skip_without() {
	for program in "$@"; do
		command -v "$program" >/dev/null 2>&1 || {
			echo "1..0 # SKIP $program is not installed"
			exit 0
		}
	done
}

passes() {
	passes_name=$1
	shift
	"$@" >"$out" 2>"$err" </dev/null
	ok $? "$passes_name" || diagnose
}

refused() {
	refused_name=$1
	shift
	! "$@" >"$out" 2>"$err" </dev/null
	ok $? "$refused_name" || diagnose
}

open_volume() {
	open_name=$1
	shift
	[ -d "$scratch/$open_name/st" ] || make_volume "$open_name"
	start_volume "$open_name" "$@"
	unlock_volume "$open_name"
}

at_end() { at_exit="$*; $at_exit"; }
