# tests/apps/lib.sh, and a plain directory to compare with:
#
#	need_ext4 NAME SIZE       $scratch/NAME/mnt, ext4 on a loop device, mounted like a
#	                          volume; skips the whole test where that is not possible

. "${srcdir:-.}/tests/apps/lib.sh"

need_ext4() {
	mkdir -p -m 755 "$scratch/$1/mnt"
	truncate -s "$2" "$scratch/$1/image"
	if ! mkfs.ext4 -q -b 4096 -E lazy_itable_init=1 -O ^has_journal "$scratch/$1/image" >"$out" 2>&1 ||
		! mount -o loop,nosuid,nodev,noatime "$scratch/$1/image" "$scratch/$1/mnt" 2>>"$out"; then
		sed 's/^/# /' "$out"
		echo "1..0 # SKIP needs ext4 on a loop device"
		exit 0
	fi
	at_end "umount -l '$scratch/$1/mnt'"
	chmod 1777 "$scratch/$1/mnt"
}
