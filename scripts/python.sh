#!/usr/bin/env bash
# Lints or tests the Python package, in a virtual environment of its own with pinned tools:
# python.sh lint | test [pytest's arguments]. Skips where there is no Python of 3.10 or later.
set -euo pipefail
cd "$(dirname "$0")/.."
what=$1
shift
python=${PYTHON:-python3}
if ! "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
	echo "python: skipped, there is no Python of 3.10 or later with venv (PYTHON names another)"
	exit 0
fi
at=${XDG_CACHE_HOME:-$HOME/.cache}/vectorlink-python
test -x "$at/bin/python" || "$python" -m venv "$at"
if ! cmp -s python/requirements-dev.txt "$at/installed"; then
	if ! "$at/bin/python" -m pip install -q --disable-pip-version-check -r python/requirements-dev.txt; then
		echo "python: skipped, its packages cannot be had"
		exit 0
	fi
	cp python/requirements-dev.txt "$at/installed"
fi
export PYTHONPATH=$PWD/python/src${PYTHONPATH:+:$PYTHONPATH} VECTORLINK_BINARY=${VECTORLINK_BINARY:-$PWD/bin/vectorlink}
cd python
case $what in
lint)
	"$at/bin/ruff" format --check --quiet . || { echo "run ruff format in python/"; exit 1; }
	"$at/bin/ruff" check --quiet .
	"$at/bin/python" scripts/generate_sync.py --check
	"$at/bin/mypy" --no-error-summary src scripts
	;;
test)
	"$at/bin/python" -m pytest "$@"
	;;
*)
	echo "python.sh: no command $what"
	exit 2
	;;
esac
