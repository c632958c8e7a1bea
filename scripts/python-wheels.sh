#!/usr/bin/env bash
# Builds the wheels of the Python packages into python/dist: vectorlink, which is pure, and
# vectorlink-server for the platforms named (GOOS/GOARCH; by default that of this machine).
# With --try installs both into a fresh virtual environment and uses them.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
go=${GO:-go}
try=
if [ "${1:-}" = --try ]; then try=1; shift; fi
[ $# -gt 0 ] || set -- "$($go env GOOS)/$($go env GOARCH)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
at=${XDG_CACHE_HOME:-$HOME/.cache}/vectorlink-python
test -e "$at/installed" || ./scripts/python.sh lint
rm -rf python/dist
(cd python && "$at/bin/python" -m hatchling build -t wheel -d dist)
for platform in "$@"; do
	mkdir -p "$work/$platform"
	CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} $go build -trimpath -ldflags='-s -w' -o "$work/$platform/vectorlink" ./cmd/vectorlink
	(cd python/server && VECTORLINK_BINARY=$work/$platform/vectorlink VECTORLINK_PLATFORM=$platform \
		"$at/bin/python" -m hatchling build -t wheel -d ../dist)
done
if [ -n "$try" ]; then
	"${PYTHON:-python3}" -m venv "$work/venv"
	"$work/venv/bin/pip" install -q --disable-pip-version-check python/dist/*.whl
	cd "$work" && env -u VECTORLINK_BINARY -u PYTHONPATH PATH=/usr/bin:/bin "$work/venv/bin/python" - <<'PY'
import vectorlink
from vectorlink.process import binary

with vectorlink.connect("data") as hub:
    space = hub.create_space("name", 3)
    space.multiset({"a": [1, 2, 3], "b": [4, 5, 6]})
    assert space.nearest_neighbors(1, key="a") == ["b"]
    assert hub.embed(["a text"])
print("installed and used:", binary().split("/venv/")[-1], "of", vectorlink.__version__)
PY
fi
ls -l "$root/python/dist"
