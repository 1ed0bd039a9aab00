# Volumes made by phifs-volume and mounted by phifsd; TAP by tests/cli/lib.sh.
#
#	need_mounts               skip the whole test where nothing can be mounted
#	make_volume NAME          in $scratch/NAME, with a passphrase and a key file; its
#	                          policy is $scratch/NAME.policy if that is there, else
#	                          everybody may do everything in /
#	configure NAME KEY VALUE  change a line of its configuration
#	start_volume NAME ARG...  runs phifsd until it says that it is mounted
#	unlock_volume NAME        by the key file (fast)
#	lock_volume NAME ARG...
#	stop_volume NAME          SIGTERM; its exit status
#	$as_nobody COMMAND...     (no function, so that it can be run in the background)
#	until_true SECONDS COMMAND...
#
# TRANSPORT=io-uring in the environment gives every volume that transport.
#
# of a volume NAME: $scratch/NAME/{NAME.conf,mnt,ct,st,run,log,pass,key,auditor}.
. "${srcdir:-.}/tests/cli/lib.sh"

volumes=
chmod 755 "$scratch"
PATH=$PATH:/usr/sbin:/sbin

need_mounts() {
	if [ "$(id -u)" -ne 0 ] || [ ! -w /dev/fuse ]; then
		echo "1..0 # SKIP needs root and /dev/fuse"
		exit 0
	fi
}

until_true() {
	tries=$(($1 * 20))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

as_nobody="setpriv --reuid nobody --regid nogroup --clear-groups"

# Neither gone nor waiting to be asked how it ended.
runs() { grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null; }
has_ended() { ! runs "$1"; }
is_mounted() { grep -q " $scratch/$1/mnt fuse" /proc/self/mounts; }
is_not_mounted() { ! is_mounted "$1"; }

# --- making -----------------------------------------------------------------------

open_policy() {
	cat <<-END
	[class all]
	path = /
	mode = 1777
	mmap = yes
	[role everyone]
	members = uid:0-65535
	login = none
	allow = all on all
	END
}

make_keys() {
	[ -f "$scratch/auditor" ] && return
	phifs-audit keygen --output "$scratch/auditor" --no-passphrase &&
		phifs-audit keygen --output "$scratch/second" --no-passphrase
}

# Runs the command; the test is over if it fails.
must() {
	"$@" >"$scratch/must" 2>&1 && return
	sed 's/^/# /' "$scratch/must"
	echo "Bail out! $*"
	exit 1
}

make_volume() {
	make_name=$1
	make_dir=$scratch/$1
	mkdir -m 755 "$make_dir"
	[ -f "$make_dir.policy" ] || open_policy >"$make_dir.policy"
	printf 'correct horse %s\n' "$1" >"$make_dir/pass"
	head -c 64 /dev/urandom >"$make_dir/key"
	chmod 600 "$make_dir/pass" "$make_dir/key"
	must make_keys
	must phifs-volume init --config "$make_dir/$1.conf" --ciphertext "$make_dir/ct" \
		--state "$make_dir/st" --mountpoint "$make_dir/mnt" --run-directory "$make_dir/run" \
		--policy "$make_dir.policy" --passphrase-file "$make_dir/pass" --no-recovery-key \
		--auditor-key "$scratch/auditor.pub" --auditor-key "$scratch/second.pub"
	must phifs-key add --config "$make_dir/$1.conf" --passphrase-file "$make_dir/pass" \
		--keyfile "$make_dir/key" --name host
	sed -i '/^forward/d' "$make_dir/$1.conf"
	[ -z "${TRANSPORT:-}" ] || configure "$1" transport "$TRANSPORT"
	volumes="$volumes $1"
}

configure() {
	if grep -q "^#\{0,1\}$2 *=" "$scratch/$1/$1.conf"; then
		sed -i "s|^#\{0,1\}$2 *=.*|$2 = $3|" "$scratch/$1/$1.conf"
	else
		sed -i "s|^\[volume\]|[volume]\n$2 = $3|" "$scratch/$1/$1.conf"
	fi
}

# --- running ----------------------------------------------------------------------

says_mounted() {
	grep -q "info: $1 is mounted" "$scratch/$1/log" || ! runs "$2"
}

# The parent is $NAME_pid, as this shell's child.
start_volume() {
	start_name=$1
	shift
	: >"$scratch/$start_name/log"
	phifsd --config "$scratch/$start_name/$start_name.conf" --foreground "$@" \
		>>"$scratch/$start_name/log" 2>&1 &
	eval "${start_name}_pid=$!"
	until_true 30 says_mounted "$start_name" $!
	is_mounted "$start_name" && return
	echo "Bail out! phifsd does not start"
	sed 's/^/# /' "$scratch/$start_name/log"
	exit 1
}

# phifsctl on a volume: ctl NAME WORD ARG...
ctl() {
	ctl_name=$1 ctl_word=$2
	shift 2
	phifsctl "$ctl_word" --config "$scratch/$ctl_name/$ctl_name.conf" "$@"
}

unlock_volume() { must ctl "$1" unlock --keyfile "$scratch/$1/key"; }

lock_volume() {
	lock_name=$1
	shift
	must ctl "$lock_name" lock "$@"
}

# The process that serves; the parent only mounts.
worker_of() { ctl "$1" status --json | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'; }

stop_volume() {
	eval "stop_pid=\$${1}_pid"
	kill -TERM "$stop_pid"
	wait "$stop_pid"
}

records_of() {
	phifs-audit show --config "$scratch/$1/$1.conf" --key "$scratch/auditor" --all
}

# --- the end ----------------------------------------------------------------------

end_volume() {
	eval "end_pid=\${${1}_pid:-}"
	if [ -n "$end_pid" ] && runs "$end_pid"; then
		kill -TERM "$end_pid"
		until_true 20 has_ended "$end_pid" || kill -KILL "$end_pid"
	fi
	! is_mounted "$1" || umount -l "$scratch/$1/mnt"
}

end_volumes() {
	for end_name in $volumes; do
		end_volume "$end_name"
	done
	# Nothing below a mount is ever removed.
	! grep -q " $scratch/" /proc/self/mounts || exit 1
}
at_exit=end_volumes
