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

# The package embeddinghub needs protobuf without saying so, and its other needs have
# wheels for Python 3.9 alone.
python39=${PYTHON39:-$(command -v python3.9 || true)}
pyenv39=$(ls -d "$HOME"/.pyenv/versions/3.9.*/bin/python 2>/dev/null | tail -1 || true)
hub() {
	local at=$cache/$1/bin/python
	"$at" scripts/doors/embeddinghub_client.py "${address%:*}" "${address#*:}"
	if test -s "$tests"; then
		cp scripts/doors/conftest.py "$work/hub"
		ADDRESS=$address "$at" -m pytest -q -p no:cacheprovider "$work/hub/integration.py"
	fi
}
# Its integration tests are the original repository's, under its licence.
mkdir -p "$work/hub"
tests=$work/hub/integration.py
if test -n "${EMBEDDINGHUB_TESTS:-}"; then
	cp "$EMBEDDINGHUB_TESTS" "$tests"
else
	curl -fsS -m 30 -o "$tests" https://raw.githubusercontent.com/featureform/featureform/774b62bbf/test/integration.py ||
		echo "the integration tests of Embeddinghub cannot be had: skipped (EMBEDDINGHUB_TESTS=FILE says where they are)"
fi
if "${python39:-python3.9}" -c '' 2>/dev/null || python39=$pyenv39; test -n "$python39" && venv hub39 "$python39" embeddinghub==0.0.1.post12 protobuf==3.20.3 pytest==8.3.5; then
	hub hub39
else
	echo "embeddinghub on Python 3.9 cannot be had: skipped"
fi
if venv hub3 python3 protobuf==3.20.3 grpcio==1.76.0 numpy==2.4.6 hnswlib==0.8.0 pytest==8.3.5 && venv hub3 python3 --no-deps embeddinghub==0.0.1.post12; then
	hub hub3
else
	echo "embeddinghub on $(python3 --version) cannot be had: skipped"
fi
