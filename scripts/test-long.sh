#!/bin/sh
# Runs all tests with their long sweeps, part by part. A part that has passed
# leaves a stamp and is left out the next time, until a source file changes or
# `make clean` forgets it: a run that was stopped goes on where it was.
#
#	scripts/test-long.sh [PART ...]	all parts, or those named
#
# A part is a package, or one test of ./indexer, whose sweeps take longest.
set -eu
GO=${GO:-go}
stamps=bin/long
mkdir -p "$stamps"
sweeps="TestCrashAfterEveryOperation TestEveryOperationFails TestEveryBitFlipped TestTruncatedAndShuffled
	TestRandomHistories TestManyCommits TestShapesOfHistory TestIdenticalVectors"
skip=^\($(echo $sweeps | tr ' ' '|')\)$

part() { # NAME ARGUMENTS OF GO TEST
	name=$1 stamp=$stamps/$(echo "$1" | tr / -)
	shift
	if [ -e "$stamp" ] && [ -z "$(find . \( -name '*.go' -o -name '*.s' -o -name '*.golden' \) -newer "$stamp" -print -quit)" ]; then
		echo "done before: $name"
		return
	fi
	touch "$stamp.began"
	VECTORLINK_LONG=1 "$GO" test -timeout 80m "$@"
	mv "$stamp.began" "$stamp"
}

all=$("$GO" list -f '{{.Dir}}' ./... ./testdata/starwars | sed "s|^$PWD$|root|; s|^$PWD/||")
for name in ${*:-$all $sweeps}; do
	case $name in
	Test*)
		if ! "$GO" test -list "^$name\$" ./indexer | grep -q "^$name\$"; then
			echo "there is no $name in ./indexer" >&2
			exit 1
		fi
		part "$name" ./indexer -run "^$name\$"
		;;
	root) part root . ;;
	indexer) part indexer ./indexer -skip "$skip" ;;
	*) part "$name" "./$name" ;;
	esac
done
