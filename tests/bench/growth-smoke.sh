#!/bin/sh
# growth.sh and what it calls run, print JSON, and plot.sh draws it; tiny sizes.
. "${srcdir:-.}/tests/cli/lib.sh"
bench=$builddir/tests/bench/bench-growth
growth=$srcdir/tests/bench/growth.sh
mkdir "$scratch/dir"

# Every line is one flat object: that is all of JSON that the figures use.
pair='"[a-z0-9_]+":("[^"\\]*"|-?[0-9]+([.][0-9]+)?)'
is_json() { [ -s "$1" ] && ! grep -E -v -q "^[{]$pair(,$pair)*[}]\$" "$1"; }

expect 0 "fill" "$bench" fill --files 30 --per-directory 10 --writers 2 "$scratch/dir"
[ "$(find "$scratch/dir" -type f | wc -l)" -eq 30 ] && [ -d "$scratch/dir/d000002" ]
ok $? "fill: as many files as wanted"
cat "$out" >"$scratch/figures"
expect 0 "sample" "$bench" sample --files 30 --per-directory 10 --count 8 "$scratch/dir"
has out "sample: percentiles" '^{"what":"commit","count":2,.*"p50_us":.*"p99_us":.*"max_us":'
cat "$out" >>"$scratch/figures"
expect 0 "sparse" "$bench" sparse --size 1073741824 --count 64 "$scratch/dir"
cat "$out" >>"$scratch/figures"
expect 0 "verify" "$bench" verify --size 1073741824 --count 64 "$scratch/dir"
dd if=/dev/zero of="$scratch/dir/sparse" bs=1M count=1 2>"$err" && truncate -s 1G "$scratch/dir/sparse"
expect 8 "verify: can fail" "$bench" verify --size 1073741824 --count 64 "$scratch/dir"
has err "verify: says what it saw" 'other content'
expect 0 "writers, until they are ended" timeout --preserve-status 1 "$bench" writers --writers 3 --one-file --seconds 60 "$scratch/dir"
cat "$out" >>"$scratch/figures"
is_json "$scratch/figures"
ok $? "JSON" || sed 's/^/# /' "$scratch/figures"
echo '{"what":"stat","count":nan}' >"$scratch/wrong"
! is_json "$scratch/wrong"
ok $? "seen: what is no JSON"
for program in "$bench" "$growth" "$srcdir/tests/bench/plot.sh"; do
	expect 0 "$(basename "$program") --help" "$program" --help
	has out "$(basename "$program") --help: how it is used" "$(basename "$program") "
done
expect 2 "a part that is none" "$growth" nothing
expect 2 "no directory" "$bench" fill

# A volume: only its files part, without a collector.
if [ "$(id -u)" -eq 0 ] && [ -w /dev/fuse ]; then
	expect 0 "growth.sh" "$growth" --backing tmpfs --no-collector --files 20 --samples 8 files
	is_json "$out"
	ok $? "growth.sh: JSON" || diagnose
	has out "growth.sh: memory" '"files":20,"what":"memory","when":"visited","rss_kib":[1-9]'
	cat "$out" >"$scratch/figures"
else
	ok 0 "growth.sh # SKIP needs root and /dev/fuse"
	echo '{"part":"files","files":1000,"what":"stat","p50_us":1.0}' >"$scratch/figures"
	echo '{"part":"files","files":10000,"what":"stat","p50_us":2.0}' >>"$scratch/figures"
fi
expect 0 "plot.sh" "$srcdir/tests/bench/plot.sh" "$scratch/figures"
has out "plot.sh: a line" '<polyline .*points="[0-9]'
has out "plot.sh: legend" '>stat</text>'
cp "$out" "$scratch/growth.svg"
if command -v xmllint >/dev/null; then
	expect 0 "plot.sh: well-formed" xmllint --noout "$scratch/growth.svg"
else
	ok 0 "plot.sh: well-formed # SKIP xmllint is not installed"
fi
done_testing
