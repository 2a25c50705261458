#!/usr/bin/env bash
# A town, an engine that judges moves, and a Go service whose players walk, with one command. Everything lies
# in a folder of its own that goes away at the end.
#
#   examples/go/hunt.sh [OPTIONS OF hunt]     for example: examples/go/hunt.sh -players 1000
#
# Exit status: 0 every answer was right; that of the step that failed otherwise.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly here
readonly nodes=64
target=${CARGO_TARGET_DIR:-$here/target}
readonly target
# shellcheck source=scripts/go-path.sh
. "$here/scripts/go-path.sh"

has_go || { printf 'hunt: Go %s or later is needed; run scripts/setup.sh\n' "$oldest_go" >&2 && exit 3; }
[[ -x $target/release/ironhoard ]] || (cd "$here" && cargo build --quiet --release --package ironhoard-cli)

work=$(mktemp -d)
readonly work
engine=
clean_up() {
    if [[ -n $engine ]]; then
        kill "$engine" 2>/dev/null || true
        wait "$engine" || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT

(cd "$here/examples/go" && CGO_ENABLED=0 go build -o "$work/hunt" ./hunt)
"$target/release/ironhoard" map generate --nodes "$nodes" --output "$work/town.ihmap" >/dev/null
"$target/release/ironhoard" serve --map "$work/town.ihmap" --socket "$work/hunt.sock" >"$work/served" 2>"$work/log" &
engine=$!
for _ in {1..100}; do
    [[ -S $work/hunt.sock ]] && break
    kill -0 "$engine" 2>/dev/null || { cat "$work/log" >&2 && exit 4; }
    sleep 0.05
done
"$work/hunt" -socket "$work/hunt.sock" -nodes "$nodes" "$@"
