#!/bin/sh
# Power cuts replayed from block writes recorded below ext4 and xfs; `make
# check-crash` explores longer.
#
#     crash-blocklog.sh [long]
. "${srcdir:-.}/tests/crash/lib.sh"

some=
for kind in ext4 xfs; do
	if can_use crash-blocklog $kind; then
		# A share of the epochs: several workloads instead of one.
		campaign crash-blocklog 2 --on $kind --share 20
		some=$kind
	else
		skipped "crash-blocklog on $kind" "$(tail -n 1 "$log")"
	fi
done
if [ -n "$some" ]; then
	finds crash-blocklog I5_NO_FLUSH 60
	if [ "$1" = long ]; then
		finds crash-blocklog I12_NO_SYNC 300
		finds crash-blocklog R1_NO_FDATASYNC 300
		finds crash-blocklog R7_NO_SYNC 300
	fi
fi
finish
