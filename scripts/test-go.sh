#!/usr/bin/env bash
# All checks and tests of the Go side: the binding, its rivals, its examples. Stops at the first failure.
# What is missing is left out, loudly. scripts/test.sh runs this too.
#
#   scripts/test-go.sh                        everything, a few minutes
#   GO_FUZZ_SECONDS=60 scripts/test-go.sh     longer fuzzing [default 3 seconds a target]
#   GO_RACE=no scripts/test-go.sh             without the race detector, which takes longest
#
# Exit status: 0 all passed (read the SKIPPED lines), else that of the step that failed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/go-path.sh
. scripts/go-path.sh

readonly staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
readonly fuzz_seconds=${GO_FUZZ_SECONDS:-3}
# The binding's own module comes first.
readonly modules=(go-bindings examples/go)

skipped=()

step() { printf '\n== %s\n' "$*"; }

skip() {
    printf 'SKIPPED %s\n' "$*"
    skipped+=("$*")
}

in_module() { (cd "$1" && shift && "$@"); }

if ! has_go; then
    skip "everything in Go: there is no Go $oldest_go or later; run scripts/setup.sh where a network is"
    exit 0
fi

step "Go: format ($(go env GOVERSION))"
unformatted=$(gofmt -l go-bindings examples/go)
[[ -z $unformatted ]] || { printf 'gofmt has something to change in:\n%s\n' "$unformatted" && exit 1; }

step 'Go: the binding has no dependency'
if grep -n '^require' go-bindings/go.mod || [[ -e go-bindings/go.sum ]]; then
    printf 'go-bindings/go.mod must not require anything\n' && exit 1
fi

step 'Go: builds without cgo, on every system'
for target in linux/amd64 linux/arm64 linux/riscv64 darwin/arm64 windows/amd64 freebsd/amd64; do
    printf '%s\n' "$target"
    for module in "${modules[@]}"; do
        CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} in_module "$module" go build ./...
        CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} in_module "$module" go vet ./...
    done
done

step 'Go: staticcheck'
if in_module go-bindings go run "$staticcheck" -version 2>/dev/null; then
    for module in "${modules[@]}"; do in_module "$module" go run "$staticcheck" ./...; done
else
    skip 'staticcheck: it cannot be fetched here'
fi

step 'Go: tests'
for module in "${modules[@]}"; do CGO_ENABLED=0 in_module "$module" go test ./...; done

step 'Go: every benchmark runs'
CGO_ENABLED=0 in_module go-bindings go test -run '^$' -bench . -benchtime 200x ./...

step 'Go: race detector'
if [[ ${GO_RACE:-yes} == no ]]; then
    skip 'race detector: GO_RACE=no'
elif command -v cc >/dev/null; then
    CGO_ENABLED=1 in_module go-bindings go test -race -short ./...
else
    skip 'race detector: there is no C compiler, which it needs'
fi

step "Go: fuzzing, $fuzz_seconds s a target"
for package in $(in_module go-bindings go list ./...); do
    targets=$(in_module go-bindings go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
    for target in $targets; do
        printf '%s %s\n' "$package" "$target"
        CGO_ENABLED=0 in_module go-bindings \
            go test -run '^$' -fuzz "^$target\$" -fuzztime "${fuzz_seconds}s" "$package"
    done
done

step 'Go: rivals'
if in_module go-bindings/rivals go mod download 2>/dev/null; then
    in_module go-bindings/rivals go vet ./...
    in_module go-bindings/rivals go test ./...
else
    skip 'rivals: gRPC cannot be fetched here'
fi

step 'Go: all passed'
for what in "${skipped[@]}"; do printf 'but SKIPPED %s\n' "$what"; done
