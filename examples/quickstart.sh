#!/bin/sh
# phifs from nothing to a locked and unlocked volume, on Debian 12 or later, as root:
#
#	sudo examples/quickstart.sh
#
# Installs what the build needs, builds into ./build, and then makes, uses, locks and
# removes a volume in a directory of its own in /tmp.  The syslog-ng that takes the
# audit trail is unpacked there too; nothing replaces the host's own logger.  Nobody
# needs to be there: passphrases come from files, which is not for a real volume.
#
# Ends with "quickstart: N steps, all as expected", or with the first step that was not.
set -u
umask 022
LC_ALL=C
export LC_ALL
top=$(cd "$(dirname "$0")/.." && pwd)

# The account of the application, and somebody else of this host.
owner=www-data
other=backup
packages="autoconf automake pkg-config gcc make libfuse3-dev fuse3 libgcrypt20-dev
	libsodium-dev libsqlite3-dev libinih-dev libjson-c-dev uthash-dev liburing-dev check"

[ "$(id -u)" -eq 0 ] || { echo "quickstart: error: it mounts and changes users: sudo $0" >&2; exit 6; }
work=$(mktemp -d /tmp/phifs-quickstart.XXXXXX) || exit 1
chmod 755 "$work"
conf=$work/demo.conf
mnt=$work/mnt
trail=$work/log/audit.log
daemon='' reader='' steps=0

# --- telling ---------------------------------------------------------------------------

indent() { fold -s -w 120 | sed 's/^/       /'; }

# step TEXT COMMAND...: what the command prints is only shown if it fails.
step() {
	steps=$((steps + 1))
	step_text=$1
	shift
	# The line is begun first: some steps take minutes, on a machine that is new to this.
	printf '%3d. %s' "$steps" "$step_text"
	if "$@" >"$work/out" 2>&1; then
		echo
	else
		echo ": FAILED"
		tail -n 30 "$work/out" | indent
		[ ! -s "$work/phifsd.log" ] || { echo "     phifsd said:" && tail -n 10 "$work/phifsd.log" | indent; }
		exit 1
	fi
}

# The same, and what it prints is shown.
step_shown() {
	step "$@"
	indent <"$work/out"
}

# must_fail TEXT COMMAND...: with this message.
must_fail() {
	must_text=$1
	shift
	if "$@" >"$work/refused" 2>&1; then
		echo "this should have been refused: $*"
		return 1
	fi
	head -n 1 "$work/refused"
	grep -q "$must_text" "$work/refused"
}

# until_true SECONDS COMMAND...
until_true() {
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

as() {
	as_user=$1
	shift
	setpriv --reuid "$as_user" --regid "$(id -g "$as_user")" --init-groups "$@"
}

is_mounted() { grep -q " $mnt fuse" /proc/self/mounts; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# --- ending ------------------------------------------------------------------------------

clean_up() {
	status=$?
	trap - EXIT
	[ -z "$reader" ] || kill "$reader" 2>/dev/null
	if [ -n "$daemon" ]; then
		kill "$daemon" 2>/dev/null
		until_true 40 has_ended "$daemon" || kill -KILL "$daemon" 2>/dev/null
		! is_mounted || umount -l "$mnt"
	fi
	[ ! -d "$work/syslog-ng" ] || "$top/examples/private-syslog-ng.sh" "$work/syslog-ng" stop
	is_mounted || rm -rf --one-file-system "$work"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 10' INT TERM HUP

# --- building ------------------------------------------------------------------------------

install_packages() {
	missing=
	for package in $packages; do
		dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	# shellcheck disable=SC2086 # one word for each package
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing
}

has_fuse() {
	[ -c /dev/fuse ] || modprobe fuse
	[ -c /dev/fuse ] || { echo "there is no /dev/fuse: is FUSE allowed in this container?"; return 1; }
}

# In ./build, or where the source was configured before.
build=$top/build
[ ! -f "$top/config.status" ] || build=$top
build_all() {
	[ -x "$top/configure" ] || (cd "$top" && autoreconf -fi) || return 1
	mkdir -p "$build" && cd "$build" || return 1
	[ -f config.status ] || "$top/configure" -q || return 1
	make -s -j"$(nproc)" all
}

# --- what happens to the volume ---------------------------------------------------------------

start_syslog_ng() {
	mkdir "$work/log"
	"$top/examples/private-syslog-ng.sh" "$work/syslog-ng" start "$top/examples/syslog-ng.conf" \
		phifs_socket="$work/phifs.sock" phifs_file="$trail"
}

make_auditors() {
	for name in officer deputy; do
		phifs-audit keygen --output "$work/$name" --no-passphrase || return 1
	done
}

write_policy() {
	cat >"$work/demo.policy" <<-END
		[class records]
		path = /
		# /patient-0042/...: the first part of a path names the patient
		patient = 1

		[role application]
		members = $owner
		login = none
		allow = edit on records
	END
}

make_volume() {
	(umask 077 && echo "quickstart only" >"$work/passphrase") && write_policy &&
		phifs-volume init --config "$conf" --ciphertext "$work/ciphertext" --mountpoint "$mnt" \
			--state "$work/state" --run-directory "$work/run" --policy "$work/demo.policy" \
			--auditor-key "$work/officer.pub" --auditor-key "$work/deputy.pub" \
			--owner "$owner" --idle 3s --forward "unix:$work/phifs.sock" \
			--passphrase-file "$work/passphrase" --recovery-key-file "$work/recovery-key"
}

start_daemon() {
	phifsd --config "$conf" --foreground >"$work/phifsd.log" 2>&1 &
	daemon=$!
	until_true 30 sh -c 'phifsctl status --config "$1" >/dev/null 2>&1 || ! kill -0 "$2"' \
		sh "$conf" "$daemon"
	phifsctl status --config "$conf" && is_mounted
}

unlock() { phifsctl unlock --config "$conf" --passphrase-file "$work/passphrase"; }
state_is() { phifsctl status --config "$conf" | head -n 1 | grep -q " $1 since"; }

# Some real files: this source tree, sorted by directory.
store_files() {
	# shellcheck disable=SC2016 # for the inner shell
	tar -C "$top" -cf "$work/files.tar" src man examples && chmod 644 "$work/files.tar" &&
		as "$owner" sh -c 'mkdir "$1/patient-0042" && tar -C "$1/patient-0042" -xf "$2"' \
			sh "$mnt" "$work/files.tar" &&
		as "$owner" cp "$work/files.tar" "$mnt/patient-0042/all.tar"
}

# By checksums: the owner need not be able to read the source tree.
# shellcheck disable=SC2016 # for the inner shell
sums='cd "$1" && find src man examples -type f -exec sha256sum {} + | sort -k 2'
compare_files() {
	sh -c "$sums" sh "$top" >"$work/sums.source" &&
		as "$owner" sh -c "$sums" sh "$mnt/patient-0042" >"$work/sums.volume" &&
		[ -s "$work/sums.source" ] && diff "$work/sums.source" "$work/sums.volume" &&
		as "$owner" cmp "$work/files.tar" "$mnt/patient-0042/all.tar"
}

# Neither names nor content; "phifsd" stands in nearly every file that was stored.
is_encrypted() {
	! grep -rqaE 'phifsd|quickstart|patient-0042' "$work/ciphertext" &&
		! find "$work/ciphertext" | grep -qE 'patient|src|\.tar'
}

# In the trail within 20 seconds: a line with this event and everything else that is given.
in_trail() {
	trail_lines=$(grep " $1 " "$trail" 2>/dev/null)
	shift
	for word in "$@"; do
		trail_lines=$(printf '%s\n' "$trail_lines" | grep -F -e "$word")
	done
	[ -n "$trail_lines" ]
}

show_trail() {
	until_true 20 in_trail WRITE && until_true 20 in_trail READ &&
		until_true 20 in_trail DENY "$other" && until_true 20 in_trail DENY root || return 1
	for event in CREATE WRITE READ DENY; do
		grep " $event " "$trail" | tail -n 1
	done
}

show_to_auditor() {
	phifs-audit show --key "$work/officer" --input "$trail" --event CREATE --event DENY |
		tail -n 4 | sed 's/   */  /g'
}

show_lock() {
	until_true 20 in_trail LOCKED || return 1
	phifs-audit show --key "$work/officer" --input "$trail" --event LOCK --event LOCKED \
		--event UNLOCK | sed 's/   */  /g'
}

# Opens a file and keeps it: for each line on its standard input it reads 4 KiB on,
# and answers with the line and the status.
start_reader() {
	mkfifo "$work/ask" && : >"$work/answers" && : >"$work/data" &&
		chown "$owner" "$work/data" || return 1
	exec 4<>"$work/ask"
	# shellcheck disable=SC2016 # for the inner shell
	as "$owner" sh -c 'exec 3<"$1" || exit 1
		while read -r word; do
			dd bs=4096 count=1 status=none <&3 >>"$2"
			echo "$word $?"
		done' reader "$mnt/patient-0042/all.tar" "$work/data" \
		<"$work/ask" >"$work/answers" 2>&1 4<&- &
	reader=$!
	ask_reader first && grep -qx "first 0" "$work/answers"
}

ask_reader() {
	echo "$1" >&4
	until_true 20 grep -q "^$1 " "$work/answers" && tail -n 2 "$work/answers"
}

reader_is_refused() {
	ask_reader second | grep "Required key not available" && grep -qx "second 1" "$work/answers"
}

reader_goes_on() {
	ask_reader third && grep -qx "third 0" "$work/answers" &&
		[ "$(stat -c %s "$work/data")" -eq 8192 ] &&
		cmp -n 8192 "$work/data" "$work/files.tar"
}

stop_daemon() {
	kill "$daemon" && until_true 40 has_ended "$daemon" || return 1
	wait "$daemon" || return 1
	daemon=
	! is_mounted
}

verify_all() {
	phifs-volume check --config "$conf" --passphrase-file "$work/passphrase" &&
		phifs-audit verify --config "$conf" --key "$work/officer"
}

# --- the story ------------------------------------------------------------------------------------

echo "phifs quickstart: in $work"
step "packages for the build are installed, FUSE is there" eval 'install_packages && has_fuse'
step "phifs is built in $build" build_all
PATH=$build/tools/audit:$build/tools/ctl:$build/tools/policy:$build/tools/volume:$build/src/daemon:$PATH
export PATH
step "a syslog-ng of its own collects the audit trail in $trail" start_syslog_ng
step "two auditors have keys; only they can read names in the trail" make_auditors
step_shown "a volume is made: locks itself after 3 s without use" make_volume
step "phifsd mounts it; it is locked" start_daemon
step "a new volume is unlocked with its passphrase" unlock
step "$owner, who has a role, stores a directory tree" store_files
step "$owner reads it back, byte for byte the same" compare_files
step_shown "$other, who has no role, is refused, though mode bits would let him" \
	must_fail "Permission denied" as "$other" cat "$mnt/patient-0042/all.tar"
step_shown "root is refused too: root is not a role" \
	must_fail "Permission denied" cat "$mnt/patient-0042/all.tar"
step "$owner opens the file again, and keeps it open" start_reader
step_shown "syslog-ng's file has all of it, without names" show_trail
step_shown "and an auditor reads the names, from that file alone" show_to_auditor
step "nobody does anything: after 3 s the volume locks itself" \
	phifsctl wait --config "$conf" --locked --timeout 30s
step_shown "the open file can no longer be read" reader_is_refused
step_shown "nor can any other" must_fail "Required key not available" \
	as "$owner" cat "$mnt/patient-0042/src/base/err.h"
step "on the disk there are no names and no content" is_encrypted
step "the volume is unlocked again" unlock
step "the same descriptor reads on where it was" reader_goes_on
step_shown "an auditor sees the lock, who was refused by it, and the unlocking" show_lock
step "phifsd locks, unmounts and ends" stop_daemon
step_shown "every block, the ledger and the audit journal verify" verify_all
echo "quickstart: $steps steps, all as expected"
