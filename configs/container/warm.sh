#!/bin/sh
# Compiles every kernel by using each once: a few samples scored, a few lines mined. The one argument is the folder to fill.
set -eu
NUMBA_CACHE_DIR=$1
export NUMBA_CACHE_DIR
work=$(mktemp -d)
mkdir -p "$NUMBA_CACHE_DIR"
awk 'BEGIN { print "timestamp,value"; for (i = 0; i < 200; i++) print 1700000000 + 60 * i "," i % 7 }' >"$work/warm.csv"
awk 'BEGIN { for (i = 0; i < 50; i++) print "2026-01-01T00:00:00Z INFO job " i " started on node-" i % 3 }' >"$work/warm.log"
foreshock score "$work/warm.csv" --out "$work/scores"
foreshock templates "$work/warm.log" --out "$work/templates.csv"
rm -rf "$work"
