# Volumes mounted by tests/fs/mount-store, for the tests of src/fsops.
#
#	need_mounts             skip the whole test where nothing can be mounted
#	mount_volume NAME ARG...  mounts $scratch/NAME/mnt; its process is $NAME_pid
#	toggle_lock NAME WORD   lock or unlock; WORD is what it says then
#	unmount_volume NAME     and fails if it did not end well

scratch=$(mktemp -d "${TMPDIR:-/tmp}/phifs-fs.XXXXXX") || exit 1
chmod 755 "$scratch"
volumes=

cleanup() {
	for name in $volumes; do
		eval "kill -TERM \$${name}_pid" 2>/dev/null
		wait_gone "$name" || eval "kill -KILL \$${name}_pid" 2>/dev/null
		# What a mounter that crashed left behind.
		umount -l "$scratch/$name/mnt" 2>/dev/null
		sed "s/^/# $name: /" "$scratch/$name/err"
	done
	# Nothing below a mount is ever removed.
	grep -q " $scratch/" /proc/mounts || rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

need_mounts() {
	if [ "$(id -u)" -ne 0 ] || [ ! -w /dev/fuse ]; then
		echo "1..0 # SKIP needs root and /dev/fuse"
		exit 0
	fi
}

# Neither gone nor waiting to be asked how it ended.
is_running() {
	eval "grep -q '^State:.[^ZX]' /proc/\$${1}_pid/status" 2>/dev/null
}

# Up to 20 s until a line of a volume's output is WORD; its process must live.
wait_for() {
	for _ in $(seq 400); do
		[ "$(tail -n 1 "$scratch/$1/out" 2>/dev/null)" = "$2" ] && return 0
		is_running "$1" || break
		sleep 0.05
	done
	echo "Bail out! $1 is not $2"
	sed 's/^/# /' "$scratch/$1/err"
	exit 1
}

wait_gone() {
	for _ in $(seq 400); do
		is_running "$1" || return 0
		sleep 0.05
	done
	return 1
}

mount_volume() {
	name=$1
	shift
	mkdir -p -m 755 "$scratch/$name/mnt"
	# What an earlier mount of it said is not this one's.
	: >"$scratch/$name/out"
	"$builddir/tests/fs/mount-store" "$@" "$scratch/$name" "$scratch/$name/mnt" \
		>"$scratch/$name/out" 2>"$scratch/$name/err" &
	eval "${name}_pid=$!"
	case " $volumes " in
	*" $name "*) ;;
	*) volumes="$volumes $name" ;;
	esac
	wait_for "$name" mounted
}

toggle_lock() {
	eval "kill -USR2 \$${1}_pid"
	wait_for "$1" "$2"
}

unmount_volume() {
	eval "kill -TERM \$${1}_pid"
	eval "wait \$${1}_pid"
}
