#!/usr/bin/env bash
# All checks and all tests of all languages, each step with a heading. Stops at the first failure.
# What is missing is installed where that can be done, else left out, loudly.
#
#   scripts/test.sh
#
# Exit status: 0 all passed (read the SKIPPED lines), else that of the step that failed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

skipped=()
c_log=$(mktemp)
readonly c_log
trap 'rm -f "$c_log"' EXIT

step() { printf '\n== %s\n' "$*"; }

skip() {
    printf 'SKIPPED %s\n' "$*"
    skipped+=("$*")
}

# Whether cargo has a component; gets it through rustup where that is there.
has_component() {
    cargo "$1" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null && rustup component add "$2" >/dev/null 2>&1 &&
        cargo "$1" --version >/dev/null 2>&1
}

step 'set-up'
scripts/setup.sh

step 'shell scripts'
scripts=(demo.sh scripts/*.sh .ci/run)
for script in "${scripts[@]}"; do bash -n "$script"; done
if command -v shellcheck >/dev/null; then
    shellcheck "${scripts[@]}"
else
    skip 'shellcheck: it is not installed; the scripts were only parsed'
fi

step 'format'
if has_component fmt rustfmt; then
    cargo fmt --all --check
else
    skip 'cargo fmt: rustfmt is not installed'
fi

step 'lints'
if has_component clippy clippy; then
    cargo clippy --quiet --workspace --all-targets --all-features -- -D warnings
else
    skip 'cargo clippy: it is not installed'
fi

step 'tests, and the examples in the documentation'
cargo test --workspace

step 'tests with the feature named'
cargo test --package ironhoard --features named --lib --test region_named --test named_rings
cargo test --package ironhoard --features named --doc named

step 'C and C++'
scripts/test-c.sh | tee "$c_log"
while IFS= read -r line; do skipped+=("${line#SKIPPED }"); done < <(grep '^SKIPPED' "$c_log" || true)

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps --all-features

step 'Go'
scripts/test-go.sh

step 'all passed'
for what in "${skipped[@]}"; do printf 'but SKIPPED %s\n' "$what"; done
