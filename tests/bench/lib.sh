# For scripts that measure volumes: a disk, syslog-ng and volumes on them.
#
#	$backing      tmpfs, ext4 (an image below $TMPDIR or /tmp) or a directory
#	make_place    $place: a directory of its own there
#	end_place
#	start_collector, end_collector   syslog-ng, which takes all of the trail
#	now_ms               since 1970
#	new_volume NAME      on $place, with a directory /summary whose class has audit =
#	                     summary; started, unlocked; $collector not empty: it forwards

# Said before anything is made: the comment that a script begins with.
case ${1:-} in
-h | --help)
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit 0
	;;
esac
. "${srcdir:-.}/tests/fs/lib.sh"
private=$srcdir/examples/private-syslog-ng.sh
place=$scratch/place
loop=

# --- the disk ---------------------------------------------------------------------

# More inodes than usual: every file is one.  Unbuffered: else a flush of the device
# writes all that others have left in memory.
mount_image() {
	truncate -s 60G "$scratch/image" && mkfs.ext4 -q -i 8192 "$scratch/image" || return
	loop=$(losetup --find --show --direct-io=on "$scratch/image") && mount "$loop" "$place"
}

make_place() {
	mkdir "$place"
	case $backing in
	tmpfs) mount -t tmpfs -o size=80%,nr_inodes=0 tmpfs "$place" ;;
	ext4) mount_image ;;
	*) rmdir "$place" && place=$(mktemp -d "$backing/phifs-bench.XXXXXX") ;;
	esac && chmod 755 "$place"
}

end_place() {
	case $backing in
	tmpfs | ext4) ! mountpoint -q "$place" || umount -l "$place" ;;
	*) rm -rf --one-file-system "$place" ;;
	esac
	[ -z "$loop" ] || losetup -d "$loop"
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# --- what lies on it ----------------------------------------------------------------

start_collector() {
	"$private" "$scratch/ng" && "$private" "$scratch/ng" start "$srcdir/examples/syslog-ng.conf" \
		phifs_socket="$scratch/socket" phifs_file="$place/audit.log"
}

end_collector() { [ ! -d "$scratch/ng" ] || "$private" "$scratch/ng" stop; }

write_policy() {
	open_policy
	cat <<-END
	[class summary]
	path = /summary
	owner = root:root
	mode = 1777
	mmap = yes
	audit = summary
	[role summarised]
	members = uid:0-65535
	login = none
	allow = all on summary
	END
}

new_volume() {
	write_policy >"$scratch/$1.policy"
	make_volume "$1"
	for side in ct st; do
		mv "$scratch/$1/$side" "$place/$1.$side" || exit 1
	done
	configure "$1" ciphertext "$place/$1.ct"
	configure "$1" state "$place/$1.st"
	[ -z "$collector" ] ||
		sed -i "s|^\[audit\]|[audit]\nforward = unix:$scratch/socket|" "$scratch/$1/$1.conf"
	start_volume "$1" >&2
	unlock_volume "$1" >&2
	mnt=$scratch/$1/mnt
}
