#!/usr/bin/env bash
# Runs every fuzz target of every package in turn, each for the given time.
set -euo pipefail
time=${1:-60s}
found=0
for pkg in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		found=$((found + 1))
		echo "== $pkg $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$pkg"
	done
done
[ "$found" -gt 0 ] || { echo "no fuzz target found"; exit 1; }
