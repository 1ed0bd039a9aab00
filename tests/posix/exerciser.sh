#!/bin/bash
# Random operations on files of a volume, compared with a model: one process, several,
# and with locks in between; and that the exerciser can fail.  EXERCISER_SECONDS: of each
# of the first three.
. "${srcdir:-.}/tests/apps/lib.sh"
need_mounts

seed=${EXERCISER_SEED:-$$}
seconds=${EXERCISER_SECONDS:-2}
exerciser=$builddir/tests/posix/exerciser
open_volume v
mnt=$scratch/v/mnt
control="--config $scratch/v/v.conf"

exercise() {
	exercise_name=$1
	shift
	"$exerciser" --seed "$seed" "$@" "$mnt" >"$out" 2>"$err"
	exercise_status=$?
	grep '^#' "$out"
	sed 's/^/# /' "$err"
	ok $exercise_status "$exercise_name: $(tail -n 1 "$out")"
}

# Files as root: the model does not know who else there may be.
exercise "one process" --seconds "$seconds"
exercise "four processes" --seconds "$seconds" --processes 4
exercise "three processes and locks" --seconds $((2 * seconds)) --processes 3 \
	--lock-command "phifsctl lock $control --now >/dev/null" \
	--unlock-command "phifsctl unlock $control --keyfile $scratch/v/key >/dev/null"

# --- and can fail -------------------------------------------------------------------

! "$exerciser" --seed 7 --operations 20000 --sabotage 500 "$mnt" >"$out" 2>"$err"
ok $? "seen: a byte that was changed behind its back" || diagnose
# The byte that it complains of is one of those.
said=$(sed -n 's/.* of file \([0-9]\) at .*/file \1/p; s/^#   at \([0-9]*\): is .*/ at \1/p' "$out" |
	head -n 2 | tr -d '\n')
grep -qx "# sabotage: $said" "$out"
ok $? "said: which file and byte" || diagnose
grep -q '^# VIOLATION: seed 7, ' "$out" && grep -q 'operation [0-9]*: .* = ' "$out"
ok $? "said: the seed, the operation and those before" || diagnose
done_testing
