#!/usr/bin/env bash
# Installs what the tests need, builds in a directory of its own and runs them
# all: `make check`, the same under ASan and UBSan, `make distcheck`, the quickstart.
# Ends with "N passed, N failed, N skipped"; exit code 0 only if none failed.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
# Samba and PostgreSQL are tested where they are; installing them starts services.
packages="autoconf automake pkg-config gcc make libfuse3-dev fuse3 libgcrypt20-dev
	libsodium-dev libsqlite3-dev libinih-dev libjson-c-dev uthash-dev liburing-dev check
	mandoc universal-ctags shellcheck procps xz-utils git
	dcmtk sqlite3 rsync iproute2 util-linux e2fsprogs xfsprogs attr
	liblmdb-dev lmdb-utils"
work=$(mktemp -d)
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0 broken=0

say() { printf '%s\n' "$*"; }

install_packages() {
	local missing=""
	for package in $packages; do
		dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	say "installing:$missing"
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing \
		>"$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log"; return 1; }
}

# Adds up what the test suites of one log say.
count() {
	local log=$1 word n
	for word in PASS FAIL SKIP ERROR; do
		n=$(awk -v w="# $word:" '$1 " " $2 == w { s += $3 } END { print s + 0 }' "$log")
		case $word in
		PASS) passed=$((passed + n)) ;;
		SKIP) skipped=$((skipped + n)) ;;
		*) failed=$((failed + n)) ;;
		esac
	done
}

# stage NAME COMMAND ...: the log is shown only if it fails.
stage() {
	local name=$1 start=$SECONDS
	shift
	if "$@" >"$work/$name.log" 2>&1; then
		say "$name: ok ($((SECONDS - start)) s)"
	else
		broken=$((broken + 1))
		say "$name: FAILED"
		grep -E -A 6 '^not ok|^(FAIL|ERROR):|error:|\*\*\*' "$work/$name.log" | head -n 80
		tail -n 30 "$work/$name.log"
	fi
	count "$work/$name.log"
}

build_in() {
	local directory=$1
	shift
	mkdir -p "$work/$directory" && cd "$work/$directory" &&
		"$work/source/configure" -q "$@" && make -s -j2 && make -s -j2 check VERBOSE=1
}

distribution() {
	cd "$work/plain" && make -s distcheck VERBOSE=1
}

install_packages || { say "0 passed, 1 failed"; exit 1; }
# A copy, so that the checkout stays as it is.
mkdir "$work/source"
(cd "$top" && git ls-files -z | xargs -0 tar cf - --) | tar xf - -C "$work/source"
stage autoreconf sh -c "cd '$work/source' && autoreconf -fi"
stage plain build_in plain --enable-werror
stage sanitizers build_in sanitizers --enable-werror --enable-sanitizers
stage distcheck distribution
stage quickstart sh "$work/source/examples/quickstart.sh"
[ "$broken" -eq 0 ] || [ "$failed" -gt 0 ] || failed=$broken
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
