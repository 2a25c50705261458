#!/usr/bin/env bash
# Fetches the street network of Gothenburg (OpenStreetMap data, Open Database Licence) that the demo
# walks, through npm, to data/gothenburg.geojson. Does nothing where the right file is there already.
#
#   scripts/fetch-map.sh [FOLDER]        FOLDER: where to put it, default data/ of the repository
#
# Exit status: 0 the file is there and its checksum is right
#              1 something is wrong (checksum, disk): read the message
#              3 not available here (no npm, no network): callers fall back to a generated city
set -euo pipefail

readonly package='geojson-path-finder@2.1.0'
readonly member='package/test/large-network.json'
readonly checksum='e43f69b9b18a6b37d6a73fcb95631389be2ebae44cb3b74efc3b493d6033c1e4'

folder=${1:-"$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/data"}
readonly folder
readonly target="$folder/gothenburg.geojson"

say() { printf 'fetch-map: %s\n' "$*" >&2; }

# Whether the file exists and is, byte for byte, the one that this script was written for.
is_right() { [[ -f $1 ]] && sha256sum --check --status <<<"$checksum  $1"; }

not_available() {
    say '**********************************************************************'
    say "The real street network is NOT AVAILABLE: $*"
    say 'The demo will walk a GENERATED city of the same size instead.'
    say 'Run this script again where npm and the network can be reached.'
    say '**********************************************************************'
    exit 3
}

if is_right "$target"; then
    say "$target is there and its checksum is right"
    exit 0
fi

command -v npm >/dev/null || not_available 'there is no npm on this machine'

mkdir -p "$folder"
work=$(mktemp -d "$folder/.fetch-map.XXXXXX")
readonly work
trap 'rm -rf "$work"' EXIT

say "fetching $package with npm"
(cd "$work" && npm pack --loglevel=error "$package" >/dev/null 2>npm.log) \
    || not_available "npm could not fetch $package: $(grep -m 1 . "$work/npm.log" || true)"

tar -xzf "$work"/*.tgz -C "$work" "$member" || {
    say "the fetched package does not hold $member; nothing was changed"
    exit 1
}
is_right "$work/$member" || {
    say "the fetched file has another checksum than $checksum; nothing was changed"
    exit 1
}

# The rename is the last step: readers see the whole file or none.
mv -f "$work/$member" "$target"
say "$target is ready (© OpenStreetMap contributors, ODbL)"
