#!/usr/bin/env bash
# Builds the archives of a release into dist/: one for each system, and SHA256SUMS.
# Two builds of the same sources by the same Go are equal, byte for byte.
#   scripts/release.sh [VERSION]     PLATFORMS="linux/amd64 …" builds those alone
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
dist=${DIST:-dist}
version=${1:-$(sed -nE 's/^var version = "(.*)"$/\1/p' cmd/vectorlink/version.go)}
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$dist"
mkdir -p "$dist"

build() { # OS ARCH FILE
	CGO_ENABLED=0 GOOS=$1 GOARCH=$2 $go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$3" ./cmd/vectorlink
}

build "$($go env GOHOSTOS)" "$($go env GOHOSTARCH)" "$work/host"
mkdir "$work/all"
"$work/host" man >"$work/all/vectorlink.1"
for shell in bash zsh fish; do "$work/host" completion $shell >"$work/all/completion.$shell"; done
cp LICENSE NOTICE README.md CHANGELOG.md "$work/all"
cp -r contrib/systemd "$work/all"

for platform in $platforms; do
	os=${platform%/*} arch=${platform#*/}
	name=vectorlink_${version}_${os}_$arch
	cp -r "$work/all" "$work/$name"
	build "$os" "$arch" "$work/$name/vectorlink$([ "$os" = windows ] && echo .exe || true)"
	tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+w -cf - "$name" | gzip -9n >"$dist/$name.tar.gz"
	rm -r "${work:?}/$name"
	echo "$dist/$name.tar.gz"
done
(cd "$dist" && sha256sum -- *.tar.gz >SHA256SUMS)
