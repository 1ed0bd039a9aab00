#!/bin/sh
# A volume of its own, served by phifsd with roles, audit and a running syslog-ng,
# beside gocryptfs, securefs, FUSE without encryption and a plain directory, all on
# the same disk and measured in turns.
#
#	make -C build bench
#	sudo builddir=build tests/bench/compare.sh [--backing KIND] [OPTION OF bench-fs]...
#
#	--backing tmpfs      memory: what the programs cost (the default)
#	--backing ext4       an ext4 image below $TMPDIR or /tmp: with real flushes
#	--backing DIRECTORY  there
#
# "io-uring" is another volume, with that transport, if the kernel has it: where other
# programs keep the processors busy it gains nothing, as nobody has to be woken from idling.
# "summary" is a directory of the same volume whose class has audit = summary.
# Peers that are not installed are left out.  BENCH_PEERS="gocryptfs plain" names those
# that are wanted.
. "${srcdir:-.}/tests/bench/lib.sh"
bench=$builddir/tests/bench/bench-fs
: "${BENCH_PEERS:=summary io-uring gocryptfs securefs through plain}"
backing=tmpfs
if [ "${1:-}" = --backing ]; then
	backing=${2:?tmpfs, ext4 or a directory}
	shift 2
fi
[ -x "$bench" ] || {
	echo "compare.sh: error: $bench is not there" >&2
	echo "compare.sh: hint: make -C build bench; sudo builddir=build tests/bench/compare.sh" >&2
	exit 1
}
[ "$(id -u)" -eq 0 ] || {
	echo "compare.sh: error: mounting needs root" >&2
	echo "compare.sh: hint: sudo builddir=build tests/bench/compare.sh" >&2
	exit 6
}
collector=yes through_pid=''

# --- who is compared: DIRECTORY of each in $place/NAME.mnt --------------------------

mount_gocryptfs() {
	mkdir "$place/gocryptfs" && echo secret >"$scratch/secret" &&
		gocryptfs -q -init -scryptn 10 -passfile "$scratch/secret" "$place/gocryptfs" &&
		gocryptfs -q -passfile "$scratch/secret" "$place/gocryptfs" "$place/gocryptfs.mnt"
}

mount_securefs() {
	mkdir "$place/securefs" &&
		securefs create --pass secret --rounds 1 "$place/securefs" &&
		securefs mount --pass secret --background "$place/securefs" "$place/securefs.mnt" &&
		until_true 10 mountpoint -q "$place/securefs.mnt"
}

mount_through() {
	mkdir "$place/through" || return
	"$builddir/tests/bench/pass-through" "$place/through" "$place/through.mnt" &
	through_pid=$!
	until_true 10 mountpoint -q "$place/through.mnt"
}

mount_plain() { :; }
mount_io_uring() {
	TRANSPORT=io-uring new_volume uring && rmdir "$place/io-uring.mnt" &&
		ln -s "$scratch/uring/mnt" "$place/io-uring.mnt"
}

mount_summary() { rmdir "$place/summary.mnt" && ln -s "$scratch/bench/mnt/summary" "$place/summary.mnt"; }

is_there() {
	case $1 in
	gocryptfs | securefs) command -v "$1" ;;
	io-uring) grep -q Y /sys/module/fuse/parameters/enable_uring ;;
	esac >/dev/null
}

clean_up() {
	for peer in $BENCH_PEERS; do
		! mountpoint -q "$place/$peer.mnt" || umount -l "$place/$peer.mnt"
	done
	[ -z "$through_pid" ] || kill "$through_pid"
	end_volume bench
	end_volume uring
	end_collector
	end_place
}

# --- after it ------------------------------------------------------------------------

# phifsd calls delivered what it sent five seconds ago and more, so it is syslog-ng's
# file that tells when it has all: when it grows no more.
collected() { wc -c <"$place/audit.log"; }

tell_lag() {
	begin=$(now_ms) last=$(now_ms) first=$(collected) size=$first
	while [ $(($(now_ms) - last)) -lt 1500 ]; do
		sleep 0.05
		grown=$(collected)
		[ "$grown" -eq "$size" ] || last=$(now_ms)
		size=$grown
	done
	lines=$(($(wc -l <"$place/audit.log") - $(head -c "$first" "$place/audit.log" | wc -l)))
	echo "forwarder: $lines records behind at the end, all in syslog-ng's file $((last - begin)) ms later"
}

# What the volumes said, before it is removed.
tell_logs() {
	for log in "$scratch"/*/log; do
		tail -n 5 "$log" | sed "s|^|$log: |" >&2
	done
}

make_place || exit 1
at_exit=clean_up
{ start_collector && new_volume bench; } >"$scratch/say" 2>&1 || { cat "$scratch/say" >&2; exit 1; }
set -- "$@" "phifs=$scratch/bench/mnt"
for peer in $BENCH_PEERS; do
	is_there "$peer" || { echo "compare.sh: $peer is not there" >&2; continue; }
	mkdir "$place/$peer.mnt"
	"mount_$(echo "$peer" | tr - _)" >"$scratch/say" 2>&1 || { cat "$scratch/say" >&2; exit 1; }
	set -- "$@" "$peer=$place/$peer.mnt"
done
echo "backing: $backing, $(nproc) processors, Linux $(uname -r)"
"$bench" "$@" || { tell_logs; exit 1; }
tell_lag
