#!/bin/sh
# Log-log charts of what growth.sh measured, as SVG.
#
#	tests/bench/plot.sh FIGURES >growth.svg
#
# Several files are drawn together.  Parts that are not there are left out.
set -eu
case ${1:-} in
-h | --help)
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit 0
	;;
esac
[ $# -ge 1 ] || {
	echo "plot.sh: error: no figures given" >&2
	echo "plot.sh: hint: tests/bench/plot.sh growth.jsonl >growth.svg" >&2
	exit 2
}
LC_ALL=C exec awk -f "$(dirname "$0")/plot.awk" "$@"
