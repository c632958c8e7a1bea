#!/usr/bin/env bash
# Generates Go from the .proto files: protoc comes from grpcio-tools (Python 3),
# protoc-gen-go from go.mod. With --check it compares what is committed with that, and
# skips where grpcio-tools is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vectorlink-proto
python=$cache/venv/bin/python
if [ "${1:-}" = --check ]; then
	if ! "$python" -c 'import grpc_tools' 2>/dev/null; then
		echo "proto: skipped, there is no grpcio-tools (scripts/proto.sh gets it)"
		exit 0
	fi
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
else
	mkdir -p "$cache"
	test -x "$python" || python3 -m venv "$cache/venv"
	"$python" -m pip install -q grpcio-tools==1.76.0
	out=.
fi
$go build -o "$cache/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
for dir in door/embeddinghub/pb; do
	mkdir -p "$out/$dir"
	"$python" -m grpc_tools.protoc -I "$dir" --plugin="$cache/protoc-gen-go" \
		--go_out="$out/$dir" --go_opt=paths=source_relative "$dir"/*.proto
	for file in "$out/$dir"/*.pb.go; do
		if ! cmp -s "$file" "$dir/$(basename "$file")"; then
			echo "$dir/$(basename "$file") is not what its generator writes: run scripts/proto.sh" >&2
			exit 1
		fi
	done
done
