#!/bin/sh
# [volume] transport = io-uring: what it falls back to, data, many who wait for a flush,
# the lock, clients that are killed, the end.  Needs root, /dev/fuse and a kernel that has
# it; the kernel's switch is set for the test, and set back.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
switch=/sys/module/fuse/parameters/enable_uring
skip() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ -e "$switch" ] || skip "this kernel has no FUSE over io_uring"
before=$(cat "$switch")
disk=
end_all() {
	[ "$before" = Y ] || echo "$before" >"$switch"
	[ -n "$disk" ] || return
	fsfreeze -u "$disk" 2>/dev/null
	end_volume v
	until_true 20 umount "$disk"
}
at_exit="end_all; $at_exit"
[ "$before" = Y ] || echo Y >"$switch" 2>/dev/null || skip "$switch cannot be set"

TRANSPORT=io-uring make_volume v
dir=$scratch/v
mnt=$dir/mnt
transport_of() { ctl v status --json | sed -n 's/.*"transport": "\([a-z-]*\)".*/\1/p'; }

# --- a kernel that does not offer it --------------------------------------------------
start_volume v --mask-init-flags 20000000000
unlock_volume v
[ "$(transport_of)" = fuse-device ]
ok $? "without the kernel's help it is the device"
! grep -q 'built without io_uring' "$dir/log" || skip "built without io_uring"
grep -q 'the kernel does not offer io_uring' "$dir/log" &&
	grep -q "hint: .*echo Y >$switch" "$dir/log"
ok $? "the log says so, and what to do"
echo text >"$mnt/file" && grep -q text "$mnt/file"
ok $? "and everything works"
stop_volume v
ok $? "stop"

# --- data ---------------------------------------------------------------------------
# A disk that can be frozen, if there is one.
if command -v fsfreeze >/dev/null && command -v mkfs.ext4 >/dev/null; then
	mkdir "$scratch/disk"
	truncate -s 1G "$scratch/image"
	must mkfs.ext4 -q "$scratch/image"
	if mount -o loop "$scratch/image" "$scratch/disk" 2>/dev/null; then
		disk=$scratch/disk
		cp -a "$dir/ct" "$disk/ct"
		configure v ciphertext "$disk/ct"
	fi
fi
start_volume v
unlock_volume v
worker=$(worker_of v)
transport=$(transport_of)
[ "$transport" = io-uring ]
ok $? "it is used" || sed 's/^/# /' "$dir/log"
ctl v status | grep -q '^  transport  *io-uring'
ok $? "status says so"
stays=$(grep -h '^Cpus_allowed_list:[[:space:]]*[0-9]*$' "/proc/$worker"/task/*/status | sort -u | wc -l)
[ "$stays" -eq "$(nproc)" ]
ok $? "threads stay on each processor" || echo "# on $stays"
[ "$(cat "$mnt/file")" = text ]
ok $? "what was written through the device is there"
head -c 5000001 /dev/urandom >"$scratch/random"
cp "$scratch/random" "$mnt/random" && cmp "$scratch/random" "$mnt/random"
ok $? "a file of requests of all sizes"
dd if="$scratch/random" of="$mnt/random" bs=1000 count=3000 conv=notrunc 2>/dev/null &&
	cmp "$scratch/random" "$mnt/random"
ok $? "written in small pieces"
mkdir "$mnt/many"
for i in $(seq 300); do echo "number $i" >"$mnt/many/file with a rather long name, number $i"; done
wrong=0
for i in $(seq 300); do
	[ "$(cat "$mnt/many/file with a rather long name, number $i")" = "number $i" ] || wrong=1
done
[ $wrong -eq 0 ] && [ "$(find "$mnt/many" -type f | wc -l)" -eq 300 ]
ok $? "many small files, and their names"
ln -s "$scratch" "$mnt/link" && [ "$(readlink "$mnt/link")" = "$scratch" ] &&
	mv "$mnt/link" "$mnt/many/link" && chmod 600 "$mnt/random" && ! cat "$mnt/gone" 2>/dev/null
ok $? "requests without, with one and with two names"

# --- many who wait for a flush ---------------------------------------------------------
# More than there are threads; each must get its own answer.
writers=
for i in $(seq 40); do
	(for j in 1 2 3; do
		printf '%s %s\n' "$i" "$j" |
			dd of="$mnt/synced-$i" oflag=append,sync conv=notrunc status=none || exit 1
	done) &
	writers="$writers $!"
done
wrong=0
for i in $writers; do wait "$i" || wrong=1; done
for i in $(seq 40); do
	[ "$(cat "$mnt/synced-$i")" = "$(printf '%s 1\n%s 2\n%s 3' "$i" "$i" "$i")" ] || wrong=1
done
ok $wrong "40 writers that wait for each write"

# Those that wait must not use up what the others need.
if [ -n "$disk" ]; then
	# What is asked for later is in memory: nobody opens anything on that disk.
	cat "$mnt/file" "$mnt"/synced-* >/dev/null
	fsfreeze -f "$disk"
	writers=
	for i in $(seq 20); do
		echo late | taskset -c 0 dd of="$mnt/synced-$i" oflag=append,sync conv=notrunc status=none &
		writers="$writers $!"
	done
	parked() { [ "$(ctl v status --json | sed -n 's/.*"in_flight": *\([0-9]*\).*/\1/p')" -ge 15 ]; }
	until_true 20 parked
	ok $? "writers on one processor wait for a disk that stands still"
	timeout 20 taskset -c 0 grep -q text "$mnt/file" &&
		timeout 20 taskset -c 0 stat "$mnt/random" >/dev/null
	ok $? "others on that processor are served meanwhile"
	fsfreeze -u "$disk"
	wrong=0
	for i in $writers; do wait "$i" || wrong=1; done
	ok $wrong "all are answered when it moves again"
fi

# --- a client that is killed --------------------------------------------------------------
for what in "if=/dev/zero of=$mnt/big bs=1M count=300" "if=$mnt/random of=/dev/null bs=1" \
	"if=/dev/zero of=$mnt/slow bs=4k oflag=sync"; do
	# shellcheck disable=SC2086 # words
	dd $what 2>/dev/null &
	client=$!
	sleep 0.2
	kill -KILL "$client" 2>/dev/null
	until_true 20 has_ended "$client"
	ok $? "killed: dd $what"
	wait "$client" 2>/dev/null
done
cmp "$scratch/random" "$mnt/random"
ok $? "the volume does not mind"

# --- lock -----------------------------------------------------------------------------------
secret=$(printf 'uv%s' xyzzy-content)
name=$(printf 'uv%s' xyzzy-name)
for i in $(seq 16); do
	yes "$secret" | head -c 300000 >"$mnt/$name-$i"
	yes "$secret" | head -c 3000 | dd of="$mnt/$name-$i" oflag=append,sync conv=notrunc status=none
	cat "$mnt/$name-$i" >/dev/null
done
ls -l "$mnt" >/dev/null
count_in_memory() { "$builddir/tests/fs/memory" "$worker" "$secret" "$name" | tr '\n' ' '; }
count_in_memory | grep -q '^[1-9][0-9]* [1-9][0-9]* $'
ok $? "content and names are in memory while it is open" || echo "# $(count_in_memory)"
exec 8<"$mnt/file"
lock_volume v --now
[ "$(count_in_memory)" = "0 0 " ]
ok $? "after the lock neither content nor names are" || echo "# $(count_in_memory)"
cat <&8 >"$out" 2>"$err"
has err "an open descriptor gives nothing" "Required key not available"
unlock_volume v
[ "$(cat <&8)" = text ]
ok $? "after unlock it does"
exec 8<&-
cmp "$scratch/random" "$mnt/random"
ok $? "and everything is there"
busy=
for i in 1 2 3 4; do
	sh -c "while :; do echo x >'$mnt/busy-$i'; cat '$mnt/random' >/dev/null; done" 2>/dev/null &
	busy="$busy $!"
done
gave_up=0
for i in 1 2 3; do
	phifsctl lock --config "$dir/v.conf" --now >"$out" 2>"$err" || gave_up=$((gave_up + 1))
	unlock_volume v
done
for i in $busy; do
	kill "$i"
	wait "$i" 2>/dev/null
done
[ $gave_up -eq 0 ]
ok $? "a lock gives nothing up while others work" || diagnose

# --- the end ----------------------------------------------------------------------------------
exec 8<"$mnt/file"
stop_volume v
ok $? "stop, with a file open"
! cat <&8 >/dev/null 2>&1
ok $? "which cannot be read any more"
exec 8<&-
start_volume v
unlock_volume v
[ "$(transport_of)" = io-uring ] && [ "$(cat "$mnt/file")" = text ]
ok $? "start again"
umount "$mnt"
until_true 20 has_ended "$v_pid"
ok $? "unmounting ends the daemon"
wait "$v_pid"
ok $? "without an error"
! grep 'error:' "$dir/log" | sed 's/^/# /' | grep .
ok $? "nothing was wrong"
done_testing
