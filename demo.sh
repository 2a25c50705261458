#!/usr/bin/env bash
# The whole thing with one command: fetches the map, builds, and lets players walk the city.
#
#   ./demo.sh [--huge-pages] [OPTIONS OF ironhoard demo]
#
#   ./demo.sh                            a million moves, every answer checked
#   ./demo.sh --huge-pages               the same on 2 MiB pages, reserved for this run and given back
#   ./demo.sh --moves 50000 --json       for a script; only JSON goes to standard output
#
# Exit status: that of `ironhoard demo` (see `ironhoard demo --help`), or of the step that failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
target=${CARGO_TARGET_DIR:-$here/target}
readonly target
readonly pool=/proc/sys/vm/nr_hugepages

say() { printf 'demo: %s\n' "$*" >&2; }

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

set_pool() { as_root sh -c "echo $1 > $pool" 2>/dev/null; }

# Two pages for each host, and a few for the floor; given back when this script ends, however it ends.
reserve_huge_pages() {
    local before
    before=$(<"$pool")
    if ! set_pool $((before + 32)); then
        say "cannot reserve 2 MiB pages: run as root, or allow sudo without a password; going on without"
        return
    fi
    # shellcheck disable=SC2064  # the number of now, not of then
    trap "set_pool $before || true" EXIT
    say "$(($(<"$pool") - before)) pages of 2 MiB reserved for this run"
}

options=()
huge_pages=no
for option in "$@"; do
    if [[ $option == --huge-pages ]]; then huge_pages=yes; else options+=("$option"); fi
done

"$here/scripts/setup.sh"
say 'building (the first time takes a minute or two)'
(cd "$here" && cargo build --quiet --release --package ironhoard-cli) >&2
if [[ $huge_pages == yes ]]; then reserve_huge_pages; fi

# Not exec: the reserved pages are to be given back.
"$target/release/ironhoard" demo "${options[@]}"
