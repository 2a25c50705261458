#!/usr/bin/env bash
# Everything of C and C++: headers in each standard, installation, projects of their own, the border's
# contract, valgrind, sanitizers, and all pairs of languages. Stops at the first failure.
#
#   scripts/test-c.sh [STEP…]        steps: headers install projects contract memory threads interop
#   IRONHOARD_LIBRARIES=DIR          the two libraries are there; don't build them
#
# What is missing is left out, loudly (scripts/setup.sh installs it where that can be done).
# Exit status: 0 all passed (read the SKIPPED lines), else that of the step that failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly here
readonly strict=(-Wall -Wextra -Wpedantic -Werror)

step() { printf '\n== C: %s\n' "$*"; }

skipped=()
skip() {
    printf 'SKIPPED %s\n' "$*"
    skipped+=("$*")
}

fail() {
    printf 'FAILED %s\n' "$*"
    exit 1
}

has() { command -v "$1" >/dev/null; }

has cc || { skip 'all of C: there is no C compiler'; exit 0; }

work=$(mktemp -d)
readonly work
readonly prefix="$work/a prefix with spaces"
engine_pid=''
clean_up() {
    if [[ -n $engine_pid ]]; then kill -9 "$engine_pid" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap clean_up EXIT

# Where the two libraries are, built once; IRONHOARD_LIBRARIES names others.
libraries() {
    if [[ -z ${IRONHOARD_LIBRARIES:-} ]]; then
        (cd "$here" && cargo build --quiet --release --package ironhoard --lib) >&2 || fail 'the library does not build' >&2
    fi
    printf '%s' "${IRONHOARD_LIBRARIES:-${CARGO_TARGET_DIR:-$here/target}/release}"
}

# ---- Engines to talk to -----------------------------------------------------------------------------

# Starts an echo engine with the command "$@", to which the path is added; $slow is how long it may take.
slow=1000
start_engine() {
    local looks
    : >"$work/engine.log"
    "$@" "$work/socket" <"$work/never" >"$work/engine.log" 2>&1 &
    engine_pid=$!
    for ((looks = 0; looks < slow; looks++)); do
        if grep -q 'echoing at' "$work/engine.log"; then return; fi
        sleep 0.01
    done
    cat "$work/engine.log"
    fail "the engine $1 did not start"
}

# It must leave cleanly; under valgrind or a sanitizer that says that nothing was found in it.
stop_engine() {
    local status=0
    kill -TERM "$engine_pid"
    wait "$engine_pid" || status=$?
    engine_pid=''
    ((status == 0)) || { cat "$work/engine.log"; fail "the engine left with status $status"; }
}

# ---- Steps --------------------------------------------------------------------------------------------

# One compiler, one standard: both units, the headers twice each, linked; nothing may be said.
header_pair() {
    local compiler=$1 language=$2 standard=$3 unit
    for unit in a b; do
        "$compiler" -x "$language" "-std=$standard" "${strict[@]}" -I "$here/include" \
            -c "$here/tests/c/header/$unit.c" -o "$work/$unit.o" || fail "$compiler -std=$standard"
    done
    "$compiler" "$work/a.o" "$work/b.o" -o "$work/pair"
    "$work/pair" || fail "$compiler -std=$standard: the program"
    printf '  %s -std=%s\n' "$compiler" "$standard"
}

step_headers() {
    local compiler standard
    for compiler in gcc clang; do
        has "$compiler" || { skip "headers with $compiler: it is not installed"; continue; }
        for standard in c99 c11 c17 c2x; do header_pair "$compiler" c "$standard"; done
    done
    for compiler in g++ clang++; do
        has "$compiler" || { skip "headers with $compiler: it is not installed"; continue; }
        for standard in c++11 c++14 c++17 c++20; do header_pair "$compiler" c++ "$standard"; done
        for standard in c++17 c++20 c++2b; do
            "$compiler" "-std=$standard" "${strict[@]}" -I "$here/include" -fsyntax-only \
                "$here/tests/c/header/c.cpp" || fail "ironhoard.hpp: $compiler -std=$standard"
            "$compiler" "-std=$standard" "${strict[@]}" -I "$here/include" -fsyntax-only -fno-exceptions \
                -fno-rtti "$here/tests/c/header/c.cpp" || fail "ironhoard.hpp: $compiler without exceptions"
            printf '  %s -std=%s ironhoard.hpp, with and without exceptions\n' "$compiler" "$standard"
        done
    done
    local lines
    lines=$(wc -l <"$here/include/ironhoard.h")
    ((lines <= 700)) || fail "ironhoard.h has $lines lines; 700 are the limit"
    lines=$(grep -c -v -E '^[[:space:]]*(/\*.*\*/)?[[:space:]]*$' "$here/examples/c/hello.c")
    ((lines <= 30)) || fail "hello.c has $lines lines of code; 30 are the limit"
    printf '  ironhoard.h and hello.c are short enough (hello: %d lines of code)\n' "$lines"
}

install_into() { "$here/scripts/install.sh" --prefix "$1" --from "$(libraries)" >"$work/install.log" 2>&1 || { cat "$work/install.log"; fail install; }; }

step_install() {
    local file leftover
    install_into "$prefix"
    install_into "$prefix" # over itself
    for file in include/ironhoard.h include/ironhoard_layout.h include/ironhoard.hpp lib/libironhoard.so \
        lib/libironhoard.a lib/pkgconfig/ironhoard.pc lib/cmake/ironhoard/ironhoard-config.cmake \
        lib/cmake/ironhoard/ironhoard-config-version.cmake share/doc/ironhoard/LICENSE-MIT; do
        [[ -s $prefix/$file ]] || fail "$file was not installed"
    done
    leftover=$(find "$prefix" -name '*.new*')
    [[ -z $leftover ]] || fail "left over: $leftover"
    if grep -r -l -F -e "$work" -e "$here" "$prefix/lib/pkgconfig" "$prefix/lib/cmake"; then
        fail 'an installed file names the place it was built in'
    fi
    if "$here/scripts/install.sh" --prefix 2>/dev/null; then fail '--prefix without a directory was taken'; fi
    if "$here/scripts/install.sh" --frefix x 2>/dev/null; then fail 'an unknown option was taken'; fi
    if "$here/scripts/install.sh" --prefix "$work/x" --libdir ../lib 2>/dev/null; then fail '--libdir ..'; fi
    install_into "$work/\"quotes\" and \$dollars & #" # nothing in it is expanded anywhere
    [[ -s $work/\"quotes\"\ and\ \$dollars\ \&\ #/lib/pkgconfig/ironhoard.pc ]] || fail 'a prefix of odd characters'
    printf '  installed twice into %q\n' "$prefix"
}

# Runs the programs of the C or C++ examples in folder $1 against the engine among them.
try_examples() {
    start_engine "$1/echo_engine"
    "$1/ping" "$work/socket" 2000 || fail "ping of $1"
    if [[ -x $1/hello ]]; then "$1/hello" "$work/socket" || fail "hello of $1"; fi
    stop_engine
    if "$1/ping" "$work/socket" 1 2>"$work/said"; then fail 'a ping without an engine'; fi
    grep -q 'ping: attach: ' "$work/said" || fail "a ping without an engine does not say so: $(cat "$work/said")"
}

cmake_project() {
    local language=$1 static=$2 from=$3 out="$work/cmake-$1-$2"
    rm -rf "$out"
    cmake -S "$here/examples/$language" -B "$out" -DCMAKE_PREFIX_PATH="$from" -DCMAKE_BUILD_TYPE=Release \
        -DIRONHOARD_STATIC="$static" >"$work/cmake.log" || { cat "$work/cmake.log"; fail "cmake $language"; }
    cmake --build "$out" >"$work/cmake.log" || { cat "$work/cmake.log"; fail "cmake --build $language"; }
    try_examples "$out"
}

make_project() {
    local language=$1 static=$2 out="$work/make-$1-$2"
    mkdir -p "$out"
    make --silent -C "$here/examples/$language" OUT="$out" ${static:+STATIC=1} || fail "make $language"
    try_examples "$out"
}

# Whether a program needs the shared library at run time.
is_linked() { readelf -d "$1" | grep -q 'NEEDED.*libironhoard'; }

step_projects() {
    local language
    [[ -d $prefix ]] || install_into "$prefix"
    for language in c cpp; do
        if [[ $language == cpp ]] && ! has c++; then skip 'C++ projects: there is no c++'; continue; fi
        if has cmake; then
            cmake_project "$language" OFF "$prefix"
            cmake_project "$language" ON "$prefix"
            is_linked "$work/cmake-$language-OFF/ping" || fail 'the shared target links the static library'
            if is_linked "$work/cmake-$language-ON/ping"; then fail 'the static target links the shared library'; fi
        else
            skip 'find_package: there is no cmake'
        fi
        if has pkg-config && has make; then
            export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
            make_project "$language" ''
            make_project "$language" yes
            is_linked "$work/make-$language-/ping" || fail 'make links the static library'
            if is_linked "$work/make-$language-yes/ping"; then fail 'make STATIC=1 links the shared library'; fi
        else
            skip 'pkg-config: it is not installed, or make is not'
        fi
    done
    if has cmake; then
        mv "$prefix" "$work/moved"
        cmake_project c OFF "$work/moved"
        mv "$work/moved" "$prefix"
        if cmake -S "$here/tests/c/too_new" -B "$work/too-new" -DCMAKE_PREFIX_PATH="$prefix" \
            >"$work/cmake.log" 2>&1; then fail 'find_package(ironhoard 9) found 0.1'; fi
    fi
}

step_contract() {
    [[ -d $prefix ]] || install_into "$prefix"
    if has c++; then
        c++ -std=c++17 -O1 -I "$prefix/include" "$here/tests/c/header/c.cpp" "$prefix/lib/libironhoard.so" \
            "-Wl,-rpath,$prefix/lib" -o "$work/header"
        "$work/header" || fail 'ironhoard.hpp without an engine'
    fi
    (cd "$here" && cargo test --quiet --package ironhoard --test 'header' --test 'c_*')
}

# Runs every kind of program under "$@" (a checker that exits with a status of its own where it finds anything).
under() {
    local programs=$1
    shift
    start_engine "$@" "$programs/echo_engine"
    "$@" "$programs/hello" "$work/socket" || fail "hello under $1"
    "$@" "$programs/ping" "$work/socket" 300 || fail "ping under $1"
    "$@" "$programs/threads" "$work/socket" 4 50 || fail "threads under $1"
    stop_engine
    start_engine "$@" "$programs-cpp/echo_engine"
    "$@" "$programs-cpp/ping" "$work/socket" 300 || fail "C++ ping under $1"
    stop_engine
}

# The checker "$@" must find what is planted in $work/guard.
must_find() {
    local planted=$1
    shift
    if "$@" "$work/guard" "$planted" >"$work/said" 2>&1; then fail "$1 did not find a planted $planted"; fi
}

# Builds the examples into $work/NAME and $work/NAME-cpp with extra flags.
build_with() {
    local name=$1 cc=$2 cxx=$3
    shift 3
    mkdir -p "$work/$name" "$work/$name-cpp"
    PKG_CONFIG_PATH="$prefix/lib/pkgconfig" make --silent -C "$here/examples/c" OUT="$work/$name" \
        CC="$cc" CFLAGS="$*" LDFLAGS="$*"
    PKG_CONFIG_PATH="$prefix/lib/pkgconfig" make --silent -C "$here/examples/cpp" OUT="$work/$name-cpp" \
        CXX="$cxx" CXXFLAGS="$*" LDFLAGS="$*"
}

step_memory() {
    [[ -d $prefix ]] || install_into "$prefix"
    if ! has pkg-config || ! has make || ! has c++; then
        skip 'valgrind and AddressSanitizer: there is no pkg-config, make or c++'
        return
    fi
    slow=6000
    if has valgrind; then
        build_with plain cc c++ -O1 -g
        local valgrind=(valgrind --quiet --error-exitcode=9 --leak-check=full)
        valgrind+=('--errors-for-leak-kinds=definite,indirect,possible')
        cc -O1 -g -pthread "$here/tests/c/guard.c" -o "$work/guard"
        must_find leak "${valgrind[@]}"
        must_find overflow "${valgrind[@]}"
        under "$work/plain" "${valgrind[@]}"
        printf '  valgrind: 0 reports\n'
    else
        skip 'valgrind: it is not installed'
    fi
    if cc -fsanitize=address,undefined -x c -o "$work/probe" - <<<'int main(void) { return 0; }' 2>/dev/null; then
        build_with address cc c++ -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
        cc -O1 -g -pthread -fsanitize=address "$here/tests/c/guard.c" -o "$work/guard"
        must_find leak env
        must_find overflow env
        ASAN_OPTIONS=detect_leaks=1:exitcode=9 under "$work/address" env
        printf '  AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer: 0 reports\n'
    else
        skip 'AddressSanitizer: the compiler has no runtime for it'
    fi
    slow=1000
}

step_threads() {
    [[ -d $prefix ]] || install_into "$prefix"
    if ! cc -fsanitize=thread -x c -o "$work/probe" - <<<'int main(void) { return 0; }' 2>/dev/null; then
        skip 'ThreadSanitizer: the compiler has no runtime for it'
        return
    fi
    slow=6000
    build_with thread cc c++ -O1 -g -fsanitize=thread
    cc -O1 -g -pthread -fsanitize=thread "$here/tests/c/guard.c" -o "$work/guard"
    must_find race env
    TSAN_OPTIONS="halt_on_error=1:exitcode=9:suppressions=$here/tests/c/thread-sanitizer.txt" under "$work/thread" env
    printf '  ThreadSanitizer: 0 reports\n'
    slow=1000
}

step_interop() {
    [[ -d $prefix ]] || install_into "$prefix"
    "$here/scripts/interop.sh" --prefix "$prefix"
}

mkfifo "$work/never"
exec 9<>"$work/never" # so that nobody's standard input ends
steps=("$@")
((${#steps[@]})) || steps=(headers install projects contract memory threads interop)
for name in "${steps[@]}"; do
    declare -F "step_$name" >/dev/null || { printf 'test-c: there is no step %s\n' "$name" >&2; exit 2; }
    step "$name"
    "step_$name"
done
step 'all passed'
for what in "${skipped[@]}"; do printf 'but SKIPPED %s\n' "$what"; done
