#!/bin/sh
# Four threads at once, compared with models; then the same tree after the next mount, and
# once more with locks in between.  Needs root and /dev/fuse.
: "${srcdir:=.}" "${builddir:=.}"
. "$srcdir/tests/audit/mounted.sh"

operations=${STRESS_OPERATIONS:-1500}
seed=${STRESS_SEED:-$$}

# Every name with its attributes and content, of the volume `v`.
tree() {
	(cd "$scratch/v/mnt" && find . -printf '%p %y %m %n %s %i %T@ %C@\n' | sort &&
		find . -type f -print0 | sort -z | xargs -0 -r sha256sum)
}

need_mounts
echo "# seed $seed"
mount_volume v
mkdir "$scratch/v/mnt/one" "$scratch/v/mnt/two"
"$builddir/tests/fs/stress" "$scratch/v/mnt/one" "$operations" "$seed" 2>"$scratch/why"
ok $? "four threads" || sed 's/^/# /' "$scratch/why"
tree >"$scratch/before"
unmount_volume v
ok $? "unmount"
mount_volume v
tree >"$scratch/after"
[ -s "$scratch/before" ] && diff "$scratch/before" "$scratch/after" >"$scratch/why"
ok $? "the same tree after the next mount" || sed 's/^/# /' "$scratch/why"

"$builddir/tests/fs/stress" "$scratch/v/mnt/two" "$operations" "$((seed + 1))" \
	2>"$scratch/why" &
stress=$!
# At least once, and for as long as it works.
while toggle_lock v locked && toggle_lock v unlocked && kill -0 "$stress" 2>/dev/null; do
	sleep 0.2
done
wait "$stress"
ok $? "four threads while the volume is locked and unlocked" || sed 's/^/# /' "$scratch/why"
tree >"$scratch/before"
unmount_volume v
ok $? "unmount"
mount_volume v
tree >"$scratch/after"
diff "$scratch/before" "$scratch/after" >"$scratch/why"
ok $? "the same tree after the next mount" || sed 's/^/# /' "$scratch/why"
done_testing
