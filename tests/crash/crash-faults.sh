#!/bin/sh
# Calls that fail and disks that are full, under the real store; `make check-crash`
# explores longer.
. "${srcdir:-.}/tests/crash/lib.sh"

campaign crash-faults 8
# A volume that stays frozen when there is room again; an answer before the flush.
finds crash-faults I24_FULL_FREEZES 60
finds crash-faults I5_NO_FLUSH 60
finish
