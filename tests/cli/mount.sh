#!/bin/sh
# mount.phifs: what it refuses, with mount(8)'s exit codes, and that it mounts.
. "${srcdir:-.}/tests/fs/lib.sh"

mount_phifs="sh $srcdir/tools/mount/mount.phifs"
expect 1 "no directory" $mount_phifs v
has err "no directory: says what to do" "hint: mount -t phifs NAME DIRECTORY"
expect 0 "--help" $mount_phifs --help
has out "--help: how it is used" "^Usage: mount -t phifs NAME DIRECTORY"
expect 1 "an unknown option" $mount_phifs v /mnt -x
expect 32 "no such volume" $mount_phifs "$scratch/none.conf" /mnt
has err "no such volume: says what to do" "hint: phifs-volume init"
printf '[volume]\nmountpoint = /srv/v ; a comment\n' >"$scratch/v.conf"
expect 32 "another mount point than the volume's" $mount_phifs "$scratch/v.conf" /mnt
has err "another mount point: says what to do" "hint: .*fstab"
expect 1 "an option that mount(8) does not know" $mount_phifs "$scratch/v.conf" /srv/v -o rw,nonsense
has err "an option: names it" "option nonsense"
expect 0 "options that mount(8) keeps for itself; -f does nothing" \
	$mount_phifs "$scratch/v.conf" /srv/v -f -o rw,noauto,nofail,x-systemd.automount

if [ "$(id -u)" -ne 0 ] || [ ! -w /dev/fuse ]; then
	done_testing
	exit
fi
make_volume m
expect 0 "it mounts" $mount_phifs "$scratch/m/m.conf" "$scratch/m/mnt" -o ro
is_mounted m
ok $? "and returns when that is done"
ctl m status --json >"$out"
has out "-o ro is --read-only" '"is_read_only": true'
m_pid=$(worker_of m)
expect 32 "a second time it is refused" $mount_phifs "$scratch/m/m.conf" "$scratch/m/mnt"
umount "$scratch/m/mnt"
until_true 20 has_ended "$m_pid"
ok $? "umount(8) ends the daemon"
done_testing
