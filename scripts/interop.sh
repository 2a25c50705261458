#!/usr/bin/env bash
# Every host meets every engine, and loses it: the same small programs in each language, all pairs of them.
#
#   scripts/interop.sh [--prefix DIR] [--count N]
#
#   --prefix DIR   an installed ironhoard for C and C++ [default: installed into a temporary folder]
#   --count N      round trips of each pair [default: 20000]
#   IRONHOARD_PROGRAMS=DIR      the Rust programs are there (cargo's release folder); don't build them
#   IRONHOARD_GO_BINDINGS=DIR   the Go module [default: go-bindings]
#
#   hosts      Rust, C, C++, Go           examples/ping.rs  c/ping.c  cpp/ping.cpp  go/ping
#   engines    Rust, C, C++, enginetest   examples/echo_engine.rs  c/…  cpp/…  go/echo
#   readers    Rust, C, Go                examples/events.rs  c/events.c  go/events
#
# 1. ping: every reply is compared, byte for byte and in order.
# 2. resume: the engine is killed with -9 under a ping, another one is started at the path, the ping goes on.
# 3. guard: against an engine that garbles one reply in a thousand each ping must fail.
# 4. events: readers in each language, side by side, must tell the same of what an engine publishes.
# 5. hunt: each treasure-hunt host plays against `ironhoard serve`, every answer checked.
#
# A language whose tools are missing is left out, loudly. Exit status: 0 all that ran is right, 1 not.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly here
readonly programs=${IRONHOARD_PROGRAMS:-${CARGO_TARGET_DIR:-$here/target}/release}
readonly go_bindings=${IRONHOARD_GO_BINDINGS:-$here/go-bindings}

say() { printf 'interop: %s\n' "$*"; }

skipped=()
skip() {
    say "SKIPPED $*"
    skipped+=("$*")
}

prefix='' count=20000
while (($#)); do
    case $1 in
        --prefix) prefix=${2:?--prefix needs a directory} && shift 2 ;;
        --count) count=${2:?--count needs a number} && shift 2 ;;
        *) say "unknown option $1" >&2 && exit 2 ;;
    esac
done

work=$(mktemp -d)
readonly work
engine_pid=''
clean_up() {
    if [[ -n $engine_pid ]]; then kill -9 "$engine_pid" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap clean_up EXIT

# ---- Build: host_NAME and engine_NAME are the programs that there are -------------------------------

declare -A host engine hunter reader
hosts=() engines=()

add_host() { hosts+=("$1") && host[$1]=$2; }
add_engine() { engines+=("$1") && engine[$1]=$2; }

build_rust() {
    if [[ -z ${IRONHOARD_PROGRAMS:-} ]]; then
        (cd "$here" && cargo build --quiet --release --package ironhoard --example ping --example echo_engine \
            --example events)
        (cd "$here" && cargo build --quiet --release --package ironhoard-cli)
        (cd "$here" && cargo build --quiet --release --package ironhoard-hunt --example treasure_hunt)
    fi
    add_host Rust "$programs/examples/ping"
    add_engine Rust "$programs/examples/echo_engine"
    reader[Rust]=$programs/examples/events
    if [[ -x $programs/examples/treasure_hunt ]]; then hunter[Rust]=$programs/examples/treasure_hunt; fi
}

build_c() {
    if ! command -v cc >/dev/null || ! command -v pkg-config >/dev/null || ! command -v make >/dev/null; then
        skip 'C: there is no cc, make or pkg-config'
        return
    fi
    if [[ -z $prefix ]]; then
        prefix=$work/prefix
        "$here/scripts/install.sh" --prefix "$prefix" 2>"$work/install.log" || { cat "$work/install.log"; exit 1; }
    fi
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    mkdir -p "$work/c" "$work/cpp"
    make --silent -C "$here/examples/c" OUT="$work/c"
    add_host C "$work/c/ping"
    add_engine C "$work/c/echo_engine"
    hunter[C]=$work/c/treasure_hunt
    reader[C]=$work/c/events
    local flags
    mapfile -t flags < <(pkg-config --cflags --libs ironhoard | xargs -n 1) # a word each, without their escapes
    cc -O2 -o "$work/garbling_engine" "$here/tests/c/garbling_engine.c" "${flags[@]}" "-Wl,-rpath,$prefix/lib"
    if ! command -v c++ >/dev/null; then
        skip 'C++: there is no c++'
        return
    fi
    make --silent -C "$here/examples/cpp" OUT="$work/cpp"
    add_host C++ "$work/cpp/ping"
    add_engine C++ "$work/cpp/echo_engine"
    hunter[C++]=$work/cpp/treasure_hunt
}

build_go() {
    if ! command -v go >/dev/null; then
        skip 'Go: it is not installed'
        return
    elif [[ ! -f $go_bindings/go.mod ]]; then
        skip "Go: there is no module in $go_bindings"
        return
    fi
    # A copy, which is told where the bindings are.
    cp -r "$here/examples/go" "$work/go"
    (cd "$work/go" && go mod edit -replace "github.com/ironhoard/ironhoard/go-bindings=$go_bindings")
    if ! (cd "$work/go" && CGO_ENABLED=0 go build -o "$work/go/bin/" ./ping ./echo ./events); then
        say 'the Go programs do not build' && exit 1
    fi
    add_host Go "$work/go/bin/ping"
    add_engine enginetest "$work/go/bin/echo"
    reader[Go]=$work/go/bin/events
}

# ---- Run ----------------------------------------------------------------------------------------------

failures=0
fail() {
    say "FAILED $*"
    failures=$((failures + 1))
}

# Waits until a file holds a text; gives up after 10 s.
await() {
    local looks
    for ((looks = 0; looks < 1000; looks++)); do
        if grep -q -- "$1" "$2" 2>/dev/null; then return; fi
        sleep 0.01
    done
    return 1
}

# Starts engine $1 at path $2; its standard input stays open until it is stopped.
start_engine() {
    : >"$work/engine.log"
    "$1" "$2" <"$work/never" >"$work/engine.log" 2>&1 &
    engine_pid=$!
    await "echoing at $2" "$work/engine.log" && return
    say "the engine $1 did not start:" && cat "$work/engine.log"
    return 1
}

# Ends the engine as an operator would; it must leave cleanly.
stop_engine() {
    local status=0
    kill -TERM "$engine_pid"
    wait "$engine_pid" || status=$?
    engine_pid=''
    if ((status)); then say "the engine left with status $status:" && cat "$work/engine.log"; fi
    return "$status"
}

kill_engine() {
    kill -9 "$engine_pid"
    wait "$engine_pid" 2>/dev/null || true
    engine_pid=''
}

# One line of results for engine $1: a word for each host, from function $2.
row() {
    local of
    printf '  %-12s' "$1"
    for of in "${hosts[@]}"; do printf '  %-8s' "$("$2" "$1" "$of")"; done
    printf '\n'
}

matrix() {
    printf '\n%s\n  %-12s' "$1" 'engine'
    for of in "${hosts[@]}"; do printf '  %-8s' "$of"; done
    printf '\n'
}

# Remembers a failure for the end: these functions run in subshells, whose output is the table.
note() {
    printf 'FAILED %s\n' "$1" >>"$work/failed"
    [[ ! -s $2 ]] || sed 's/^/    /' "$2" >>"$work/failed"
    echo FAILED
}

ping_once() {
    local out=$work/ping.out
    if ! timeout 120 "${host[$2]}" "$work/socket" "$count" >"$out" 2>&1; then note "host $2 on engine $1" "$out"
    elif ! grep -q "^$count round trips" "$out"; then note "host $2 on engine $1 printed something else" "$out"
    else echo ok; fi
}

# Waits until the program under `timeout` $1 has mapped its rings, or is over; gives up after 10 s.
await_rings() {
    local looks program
    for ((looks = 0; looks < 1000; looks++)); do
        program=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || return 0
        if grep -q 'memfd:' "/proc/${program%% *}/maps" 2>/dev/null; then return; fi
        sleep 0.01
    done
}

# The engine dies under the ping, and another one takes over; the engine's pid travels in a file. A ping
# that was done before that is run again, longer.
resume_once() {
    local out=$work/ping.out long=${3:-$((count * 20))} status=0 ping_pid
    start_engine "${engine[$1]}" "$work/socket" >&2 || { note "engine $1 did not start" "$work/engine.log"; return; }
    timeout 120 "${host[$2]}" "$work/socket" "$long" >"$out" 2>&1 &
    ping_pid=$!
    await_rings "$ping_pid"
    sleep 0.15
    if ! kill -0 "$ping_pid" 2>/dev/null; then status=gone; fi
    kill_engine
    if [[ $status == gone && $long -lt $((count * 20000)) ]]; then
        resume_once "$1" "$2" $((long * 10))
        return
    fi
    sleep 0.1
    if start_engine "${engine[$1]}" "$work/socket" >&2; then
        wait "$ping_pid" || status=$?
        stop_engine >&2 || status=engine
    else
        status=restart
    fi
    case $status in
        0) if grep -q "^$long round trips" "$out"; then echo ok; else note "host $2, resuming on $1: output" "$out"; fi ;;
        gone) note "host $2 on engine $1 was done before the engine could be killed" "$out" ;;
        *) note "host $2 did not resume on engine $1 ($status)" "$out" ;;
    esac
}

guard_once() {
    local out=$work/ping.out
    if timeout 120 "${host[$2]}" "$work/socket" "$count" >"$out" 2>&1; then note "host $2 did not notice garbled replies" "$out"
    else echo noticed; fi
}

# Readers of all languages read $2 events of engine $1, which publishes them to the command behind. The ring
# holds them all, so nothing may be lost and all must tell the same.
compare_events() {
    local name=$1 wanted=$2 of pid pids=()
    shift 2
    for of in "${!reader[@]}"; do
        timeout 120 "${reader[$of]}" "$work/socket" "$wanted" >"$work/events.$of" 2>"$work/events.$of.log" &
        pids+=($!)
        await 'reading events' "$work/events.$of.log" || fail "the reader of events in $of did not begin"
    done
    "$@" >"$work/feed.out" 2>&1 || fail "what makes $name publish: $(cat "$work/feed.out")"
    for pid in "${pids[@]}"; do wait "$pid" || fail "a reader of the events of $name ended badly"; done
    for of in "${!reader[@]}"; do
        if ! cmp -s "$work/events.Rust" "$work/events.$of" ||
            [[ $(tail -n 1 "$work/events.$of") != "$wanted events, 0 lost" ]]; then
            fail "events of $name, read in $of: $(tail -n 3 "$work/events.$of" "$work/events.$of.log")"
        else
            printf '  %-12s  %s: %s\n' "$name" "$of" "$(tail -n 1 "$work/events.$of")"
        fi
    done
}

mkfifo "$work/never"
exec 9<>"$work/never" # so that nobody's standard input ends
say 'building'
build_rust
build_c
build_go

matrix "ping, $count round trips"
for of in "${engines[@]}"; do
    start_engine "${engine[$of]}" "$work/socket" || { fail "engine $of"; continue; }
    row "$of" ping_once
    stop_engine || fail "engine $of did not leave cleanly"
done

matrix "resume after kill -9, $((count * 20)) round trips"
for of in "${engines[@]}"; do row "$of" resume_once; done

if [[ -x $work/garbling_engine ]]; then
    matrix 'guard: one reply in a thousand is garbled'
    start_engine "$work/garbling_engine" "$work/socket"
    row garbling guard_once
    stop_engine || fail 'the garbling engine did not leave cleanly'
fi

if [[ -n ${engine[enginetest]:-} ]]; then
    printf '\nevents, read side by side\n'
    start_engine "${engine[enginetest]}" "$work/socket"
    compare_events enginetest 500 "${host[Rust]}" "$work/socket" 500
    stop_engine || fail 'the engine that publishes did not leave cleanly'
fi

if ((${#hunter[@]})); then
    printf '\nthe treasure hunt on ironhoard serve\n'
    (cd "$work" && "$programs/ironhoard" map generate --nodes 2000 --output city.ihmap >/dev/null)
    "$programs/ironhoard" serve --socket "$work/socket" --map "$work/city.ihmap" --players 10000 \
        >"$work/engine.log" 2>&1 &
    engine_pid=$!
    for ((looks = 0; looks < 1000; looks++)); do
        if [[ -S $work/socket ]]; then break; fi
        sleep 0.01
    done
    first=0
    for of in "${!hunter[@]}"; do
        if timeout 120 "${hunter[$of]}" "$work/socket" "$work/city.ihmap" "$count" "$first" >"$work/hunt.out" 2>&1; then
            printf '  %-12s  %s\n' "$of" "$(cat "$work/hunt.out")"
        else
            fail "the hunt of $of: $(cat "$work/hunt.out")"
        fi
        first=$((first + 1000))
    done
    stop_engine || fail 'ironhoard serve did not leave cleanly'
fi

printf '\n'
if [[ -e $work/failed ]]; then
    cat "$work/failed"
    failures=$((failures + $(grep -c ^FAILED "$work/failed")))
fi
for what in "${skipped[@]}"; do say "SKIPPED $what"; done
if ((failures)); then
    say "$failures failed"
    exit 1
fi
say "all right: ${#hosts[@]} hosts × ${#engines[@]} engines"
