#!/bin/sh
# Checks that the committed assembly is what its generators write.
set -eu
GO=${GO:-go}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for dir in vector embed/minilm; do
	"$GO" run "./$dir/kernels" -out "$work/kernels_amd64.s" -stubs "$work/kernels_stubs_amd64.go" -pkg "$(basename "$dir")"
	for file in kernels_amd64.s kernels_stubs_amd64.go; do
		# The first line repeats the command, and with it the path.
		tail -n +2 "$work/$file" >"$work/want"
		if ! tail -n +2 "$dir/$file" | cmp -s - "$work/want"; then
			echo "$dir/$file is not what its generator writes: run go generate ./$dir" >&2
			exit 1
		fi
	done
done
