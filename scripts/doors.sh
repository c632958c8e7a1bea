#!/usr/bin/env bash
# Has the real clients of other protocols, in Python, use a server. A package that
# cannot be had is skipped. Needs Go and Python 3.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vectorlink-doors
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir -p "$cache"

$go build -o "$work/vectorlink" ./cmd/vectorlink
address=127.0.0.1:${PORT:-8598}
VECTORLINK_LISTEN=$address VECTORLINK_DATA_DIR=$work/data "$work/vectorlink" serve 2>"$work/log" &
server=$!
curl -fsS --retry 50 --retry-connrefused --retry-delay 1 -o /dev/null "http://$address/health/live"

# venv NAME PYTHON PACKAGE... makes a virtual environment with packages.
venv() {
	local at=$cache/$1 python=$2
	shift 2
	test -x "$at/bin/python" || "$python" -m venv "$at"
	"$at/bin/python" -m pip install -q "$@"
}

if venv openai python3 openai==3.57.0; then
	"$cache/openai/bin/python" scripts/doors/openai_client.py "http://$address"
else
	echo "openai cannot be had: skipped"
fi
