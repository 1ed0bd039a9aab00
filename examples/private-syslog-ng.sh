#!/bin/sh
# A syslog-ng of one's own in a directory, for trying phifs out and for its tests.
# Nothing is installed: a host has one system logger, and installing syslog-ng
# would remove the one it has.
#
#	private-syslog-ng.sh DIR                      unpack syslog-ng below DIR/root
#	private-syslog-ng.sh DIR start CONF [NAME=VALUE ...]
#	                                              run it in the background with CONF;
#	                                              NAME=VALUE replaces an @define of it
#	private-syslog-ng.sh DIR stop                 end it, with all it has read on disk
#	private-syslog-ng.sh DIR status               exit 0 if it runs
#	private-syslog-ng.sh DIR run COMMAND ...      any program of it: syslog-ng-ctl ...
#
# Its process number is in DIR/syslog-ng.pid, its own messages in DIR/syslog-ng.log.
set -eu
umask 077

fail() {
	echo "private-syslog-ng: error: $1" >&2
	shift
	for hint in "$@"; do
		echo "private-syslog-ng: hint: $hint" >&2
	done
	exit 1
}

[ $# -ge 1 ] || fail "no directory given" "examples/private-syslog-ng.sh /tmp/syslog-ng"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
action=${1:-unpack}
[ $# -eq 0 ] || shift
root=$dir/root
pid_file=$dir/syslog-ng.pid
control=$dir/control

is_installed() {
	dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

# Libraries that a package needs and this host lacks, and those that they need.
missing_libraries() {
	todo=$1 found=
	while [ -n "$todo" ]; do
		package=${todo%% *}
		todo=${todo#"$package"}
		todo=${todo# }
		for library in $(apt-cache depends --important "$package" 2>/dev/null |
			sed -n 's/^  Depends: \(lib[^ ]*\)$/\1/p'); do
			case " $found " in
			*" $library "*) continue ;;
			esac
			is_installed "$library" && continue
			found="$found $library"
			todo="${todo:+$todo }$library"
		done
	done
	echo "$found"
}

download() {
	# shellcheck disable=SC2046 # one word for each library
	(cd "$dir/packages" && apt-get -qq -o APT::Sandbox::User=root download \
		syslog-ng-core $(missing_libraries syslog-ng-core)) >"$dir/apt.log" 2>&1
}

unpack() {
	[ ! -x "$root/usr/sbin/syslog-ng" ] || return 0
	rm -rf "$dir/packages" "$root"
	mkdir "$dir/packages"
	download || { apt-get -qq update >"$dir/apt.log" 2>&1 && download; } || {
		cat "$dir/apt.log" >&2
		fail "the package syslog-ng-core could not be fetched" "apt-get update"
	}
	for package in "$dir"/packages/*.deb; do
		dpkg -x "$package" "$root.new"
	done
	# Whole or not at all: an interrupted run unpacks again.
	mv "$root.new" "$root"
	rm -rf "$dir/packages"
}

set_paths() {
	modules=$(find "$root/usr/lib" -type d -path '*/syslog-ng/[0-9]*' | head -n 1)
	libraries=$(find "$root" -type f -name '*.so*' -exec dirname {} + | sort -u | tr '\n' ':')
	LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	PATH=$root/usr/sbin:$root/usr/bin:$PATH
	[ -n "$modules" ] || fail "no modules below $root" "rm -rf $root"
}

is_running() {
	[ -s "$pid_file" ] || return 1
	pid=$(cat "$pid_file")
	[ -r "/proc/$pid/cmdline" ] &&
		tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -F -e "$dir/syslog-ng.conf"
}

is_answering() {
	(export LD_LIBRARY_PATH && syslog-ng-ctl stats -c "$control") >/dev/null 2>&1
}

# Waits up to 20 seconds for a command to be true.
wait_for() {
	tries=200
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

configure() {
	conf=$1
	shift
	[ -r "$conf" ] || fail "$conf cannot be read"
	cp "$conf" "$dir/syslog-ng.conf"
	for define in "$@"; do
		name=${define%%=*} value=${define#*=}
		grep -q "^@define $name " "$conf" || fail "$conf has no line '@define $name'"
		awk -v name="$name" -v value="$value" \
			'$1 == "@define" && $2 == name { print "@define " name " \"" value "\""; next }
			{ print }' "$dir/syslog-ng.conf" >"$dir/syslog-ng.conf.new"
		mv "$dir/syslog-ng.conf.new" "$dir/syslog-ng.conf"
	done
}

start() {
	[ $# -ge 1 ] || fail "no configuration given" \
		"examples/private-syslog-ng.sh $dir start examples/syslog-ng.conf"
	! is_running || fail "it runs already" "examples/private-syslog-ng.sh $dir stop"
	configure "$@"
	rm -f "$control" "$pid_file"
	(
		export LD_LIBRARY_PATH
		exec setsid syslog-ng --foreground --no-caps --stderr \
			--cfgfile="$dir/syslog-ng.conf" --module-path="$modules" \
			--persist-file="$dir/persist" --control="$control" \
			--pidfile="$dir/own.pid" </dev/null >>"$dir/syslog-ng.log" 2>&1
	) &
	echo $! >"$pid_file"
	wait_for is_answering || {
		tail -n 20 "$dir/syslog-ng.log" >&2
		stop
		fail "syslog-ng did not start; its messages are above"
	}
}

has_ended() {
	! is_running
}

stop() {
	is_running || { rm -f "$pid_file"; return 0; }
	kill "$pid"
	wait_for has_ended || { kill -KILL "$pid"; wait_for has_ended; }
	rm -f "$pid_file"
}

case $action in
unpack)
	unpack
	;;
start)
	unpack
	set_paths
	start "$@"
	;;
stop)
	stop
	;;
status)
	is_running
	;;
run)
	unpack
	set_paths
	export LD_LIBRARY_PATH PATH
	exec "$@"
	;;
*)
	fail "'$action' is not unpack, start, stop, status or run"
	;;
esac
