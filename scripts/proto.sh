#!/usr/bin/env bash
# Generates Go from the .proto files: protoc comes from grpcio-tools (Python 3),
# protoc-gen-go from go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vectorlink-proto
mkdir -p "$cache"
test -x "$cache/venv/bin/python" || python3 -m venv "$cache/venv"
"$cache/venv/bin/python" -m pip install -q grpcio-tools==1.76.0
$go build -o "$cache/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
for dir in door/embeddinghub/pb; do
	"$cache/venv/bin/python" -m grpc_tools.protoc -I "$dir" --plugin="$cache/protoc-gen-go" \
		--go_out="$dir" --go_opt=paths=source_relative "$dir"/*.proto
done
