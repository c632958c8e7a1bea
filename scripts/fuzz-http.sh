#!/usr/bin/env bash
# Fuzzes the HTTP API for SECONDS (default 600): schemathesis makes requests out
# of api/openapi.yaml, good and bad ones, to a demo server with data in it. It
# fails if an answer is a 5xx that nobody documented, or another one than the
# contract tells of. Needs Python 3; schemathesis is installed into a virtual
# environment in the user's cache.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vectorlink-fuzz-http
venv=$cache/venv
test -x "$venv/bin/python" || python3 -m venv "$venv"
"$venv/bin/python" -m pip install -q schemathesis==4.32.5
${GO:-go} build -o "$cache/vectorlink" ./cmd/vectorlink
exec "$venv/bin/python" scripts/fuzz_http.py "$cache/vectorlink" "$venv/bin/schemathesis" "$seconds"
