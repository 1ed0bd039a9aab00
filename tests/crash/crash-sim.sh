#!/bin/sh
# Power cuts against the real store on the simulated disk, for a quarter of a
# minute; `make check-crash` explores longer.
. "${srcdir:-.}/tests/crash/lib.sh"
noise=recovered
campaign crash-sim 15
finish
