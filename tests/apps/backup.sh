#!/bin/bash
# A backup: lock or stop, copy both directories, put them back, start.  And what a
# restore of the ciphertext alone is: not what was acknowledged, and refused.
. "${srcdir:-.}/tests/apps/lib.sh"
need_mounts

back_up() { mkdir "$scratch/$1" && cp -a "$scratch/v/ct" "$scratch/v/st" "$scratch/$1/"; }
put_back() {
	for part in $2; do
		rm -rf "${scratch:?}/v/$part"
		cp -a "$scratch/$1/$part" "$scratch/v/$part"
	done
}
has() { [ "$(cat "$mnt/report")" = "$1" ]; }
is_there() { [ "$(cat "$mnt/report")" != '' ]; }

open_volume v
mnt=$scratch/v/mnt
echo first >"$mnt/report"
stop_volume v
passes "a stopped volume is copied" back_up stopped
open_volume v
echo second >"$mnt/report"
lock_volume v --now
passes "a locked one too" back_up locked
unlock_volume v
echo third >"$mnt/report"
stop_volume v
put_back stopped "ct st"
open_volume v
passes "the stopped copy comes back" has first
stop_volume v
put_back locked "ct st"
open_volume v
passes "and so does the locked one" has second
echo fourth >"$mnt/report"
stop_volume v
put_back locked ct
start_volume v
ctl v unlock --keyfile "$scratch/v/key" >"$out" 2>"$err"
refused "old ciphertext under a newer ledger is not what was acknowledged" is_there
stop_volume v
expect 8 "check says that it is damaged" phifs-volume check --config "$scratch/v/v.conf" --passphrase-file "$scratch/v/pass"
put_back locked "ct st"
open_volume v
passes "both directories together are" has second
done_testing
