#!/bin/bash
# DICOM: storescp receives images over (a private) loopback into the mount, dcmdump
# reads them back; refused while locked, storing again after unlock without a restart.
. "${srcdir:-.}/tests/apps/lib.sh"
need_mounts
skip_without storescp storescu dump2dcm dcmdump unshare nsenter ip

make_image() {
	cat >"$scratch/$1.dump" <<-DUMP
		(0008,0016) UI =SecondaryCaptureImageStorage
		(0008,0018) UI [1.2.276.0.7230010.3.1.4.$2]
		(0008,0060) CS [OT]
		(0010,0010) PN [Example^$1]
		(0010,0020) LO [PID-$2]
		(0020,000d) UI [1.2.276.0.7230010.3.1.2.$2]
		(0020,000e) UI [1.2.276.0.7230010.3.1.3.$2]
		(0028,0002) US 1
		(0028,0004) CS [MONOCHROME2]
		(0028,0010) US 512
		(0028,0011) US 512
		(0028,0100) US 8
		(0028,0101) US 8
		(0028,0102) US 7
		(0028,0103) US 0
		(7fe0,0010) OB =$scratch/pixels
	DUMP
	dump2dcm +te "$scratch/$1.dump" "$scratch/$1.dcm"
}

is_elsewhere() { [ "$(readlink "/proc/$network/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

# Servers listen in a network of their own that has nothing but loopback.
private_network() {
	unshare --net sleep 600 &
	network=$!
	at_end "kill $network"
	# Until it has left ours: what is entered before that is the host's.
	until_true 10 is_elsewhere && nsenter -t "$network" -n ip link set lo up
}

inside() { nsenter -t "$network" -n "$@"; }

start_server() {
	nsenter -t "$network" -n storescp --output-directory "$inbox" 11112 >"$scratch/storescp" 2>&1 &
	server=$!
	at_end "kill $server"
	until_true 10 inside storescu --call ANY-SCP 127.0.0.1 11112 "$scratch/first.dcm"
}

send() { inside storescu --call ANY-SCP 127.0.0.1 11112 "$@"; }
received() { ls "$inbox" | wc -l; }
has() { dcmdump "$inbox"/*"$1" | grep -q "Example^$2"; }
pixels_of() { dcmdump +L +P 7fe0,0010 "$1"; }
same_pixels() { diff <(pixels_of "$inbox"/*"$1") <(pixels_of "$scratch/$2.dcm"); }

head -c 262144 /dev/urandom >"$scratch/pixels"
passes "an image is made" make_image first 1001
make_image second 1002 >/dev/null 2>&1
make_image third 1003 >/dev/null 2>&1
open_volume pacs
inbox=$scratch/pacs/mnt/inbox
mkdir "$inbox"
private_network
passes "storescp stores into the mount" start_server
passes "another image arrives" send "$scratch/second.dcm"
passes "dcmdump reads it back from the mount" has 1002 second
lock_volume pacs --now
refused "nothing is stored while the volume is locked" send "$scratch/third.dcm"
refused "nor read" cat "$inbox"/*1002
unlock_volume pacs
passes "the same server stores again after the unlock" until_true 10 send "$scratch/third.dcm"
passes "and what it stored is whole" has 1003 third
passes "to the last pixel" same_pixels 1003 third
done_testing
