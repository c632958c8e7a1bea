#!/usr/bin/env bash
# Generates clients of api/openapi.yaml with oapi-codegen and openapi-python-client,
# compiles them, and has each make one search at a server with one document. A
# generator that cannot be had is skipped. Needs Go; the Python one needs Python 3.
set -euo pipefail
cd "$(dirname "$0")/.."
contract=$PWD/api/openapi.yaml
go=${GO:-go}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vectorlink-clients
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir -p "$cache" "$work/go" "$work/data"

$go build -o "$work/vectorlink" ./cmd/vectorlink
export ADDRESS=http://127.0.0.1:${PORT:-8597}
VECTORLINK_LISTEN=${ADDRESS#http://} VECTORLINK_DATA_DIR=$work/data "$work/vectorlink" serve 2>"$work/log" &
server=$!
curl -fsS --retry 50 --retry-connrefused --retry-delay 1 -o /dev/null "$ADDRESS/health/live"
echo '{"op":"Inserted","id":"note/1","string":"the harbour freezes","vector":[1,0,0],"fields":{"year":2024}}' |
	curl -fsS -T - -X POST "$ADDRESS/push?domain=me/notes&target_commit=c1&dim=3&strict=true"
echo

if GOBIN=$cache $go install github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.4.1; then
	"$cache/oapi-codegen" -generate types,client -package main -o "$work/go/client.go" "$contract"
	cat >"$work/go/main.go" <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	client, err := NewClientWithResponses(os.Getenv("ADDRESS"))
	if err != nil {
		panic(err)
	}
	commit, mode, q := "c1", SearchParamsMode("fts"), "harbour"
	got, err := client.SearchWithResponse(context.Background(), &SearchParams{Domain: "me/notes", Commit: &commit, Mode: &mode, Q: &q})
	if err != nil || got.JSON200 == nil || len(*got.JSON200) != 1 || (*got.JSON200)[0].Id != "note/1" {
		panic(fmt.Sprint(err, got))
	}
	fmt.Println("oapi-codegen: finds", (*got.JSON200)[0].Id)
}
GO
	(cd "$work/go" && $go mod init client >/dev/null 2>&1 && $go get github.com/oapi-codegen/runtime@v1.1.1 >/dev/null 2>&1 && GOFLAGS=-mod=mod $go run .)
else
	echo "oapi-codegen cannot be had: skipped"
fi

test -x "$cache/venv/bin/python" || python3 -m venv "$cache/venv"
if "$cache/venv/bin/python" -m pip install -q openapi-python-client==0.26.2; then
	# Its formatters are not needed.
	printf 'post_hooks: []\npackage_name_override: generated\n' >"$work/config.yaml"
	(cd "$work" && "$cache/venv/bin/openapi-python-client" generate --path "$contract" --meta none --config config.yaml --output-path generated >"$work/log" 2>&1 || { cat "$work/log"; exit 1; })
	(cd "$work" && "$cache/venv/bin/python" - <<'PY'
import importlib, os, pathlib

for path in pathlib.Path("generated").rglob("*.py"):  # each can be imported
    importlib.import_module(".".join(path.with_suffix("").parts))
from generated import Client
from generated.api.searching import search
from generated.models.search_mode import SearchMode

client = Client(base_url=os.environ["ADDRESS"])
hits = search.sync(client=client, domain="me/notes", commit="c1", q="harbour", mode=SearchMode.FTS)
assert [h.id for h in hits] == ["note/1"], hits
print("openapi-python-client: finds", hits[0].id)
PY
	)
else
	echo "openapi-python-client cannot be had: skipped"
fi
