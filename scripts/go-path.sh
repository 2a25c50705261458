# shellcheck shell=bash
# To be sourced: puts Go on the PATH where scripts/setup.sh has fetched one, and says whether there is a
# Go that is new enough.
#
#   . scripts/go-path.sh; has_go || …

readonly oldest_go=1.24
go_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/go-toolchain
readonly go_folder

# Behind the user's own: a Go that is there is the one that counts.
PATH=$PATH:$go_folder/go/bin

# Whether there is a Go of at least the version that the modules ask for.
has_go() {
    command -v go >/dev/null || return 1
    local found
    found=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
    found=${found#go}
    [[ $(printf '%s\n' "$oldest_go" "${found%% *}" | sort --version-sort | head -n 1) == "$oldest_go" ]]
}
