#!/usr/bin/env bash
# Builds the C library and installs it: headers, shared and static library, pkg-config and CMake files.
#
#   scripts/install.sh --prefix DIR [--libdir DIR] [--includedir DIR] [--destdir DIR] [--from DIR]
#
#   --prefix DIR       where to install, for example /usr/local or "$HOME/.local"
#   --libdir DIR       libraries, below the prefix [default: lib]
#   --includedir DIR   headers, below the prefix [default: include]
#   --destdir DIR      put everything below DIR instead of /, for packages
#   --from DIR         take the two libraries from DIR, where cargo has put them, instead of building
#
#   PREFIX/include/ironhoard.h  ironhoard_layout.h  ironhoard.hpp
#   PREFIX/lib/libironhoard.so -> libironhoard.so.0.1 -> libironhoard.so.0.1.0    libironhoard.a
#   PREFIX/lib/pkgconfig/ironhoard.pc      PREFIX/lib/cmake/ironhoard/
#   PREFIX/share/doc/ironhoard/
#
# May be run again over an older installation. Programs that run meanwhile keep the library they have:
# each file is replaced by a rename. Needs cargo, and readelf of binutils.
#
# Exit status: 0 installed, 1 something is wrong (read the message), 2 usage
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly here
readonly target=${CARGO_TARGET_DIR:-$here/target}

say() { printf 'install: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

usage() {
    say "$*"
    sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

prefix='' libdir=lib includedir=include destdir='' from=''
while (($#)); do
    case $1 in
        --prefix | --libdir | --includedir | --destdir | --from)
            if (($# < 2)) || [[ -z $2 ]]; then usage "$1 needs a directory"; fi
            printf -v "${1#--}" %s "$2"
            shift 2
            ;;
        --prefix=* | --libdir=* | --includedir=* | --destdir=* | --from=*)
            [[ -n ${1#*=} ]] || usage "${1%%=*} needs a directory"
            name=${1%%=*}
            printf -v "${name#--}" %s "${1#*=}"
            shift
            ;;
        -h | --help)
            sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        *) usage "unknown option $1" ;;
    esac
done
[[ -n $prefix ]] || usage 'say where to install: --prefix DIR'
for below in "$libdir" "$includedir"; do
    [[ $below != /* && "/$below/" != */../* ]] || usage "$below must be a directory below the prefix, such as lib64"
done
# Absolute, as long as it is not there yet as well.
[[ $prefix == /* ]] || prefix=$PWD/$prefix
readonly root=$destdir$prefix

# The files are written for people's tools: a line break in their paths has no spelling there.
[[ $root != *$'\n'* ]] || fail 'a prefix with a line break in its name cannot be written into a .pc file: choose another'

command -v readelf >/dev/null || fail 'there is no readelf: install binutils'
if [[ -z $from ]]; then
    command -v cargo >/dev/null || fail 'there is no cargo: install Rust with rustup, https://rustup.rs'
    say 'building (the first time takes a minute)'
    (cd "$here" && cargo build --quiet --release --package ironhoard --lib) || fail 'the build failed: read what cargo says above'
fi

readonly built=${from:-$target/release}
for library in libironhoard.so libironhoard.a; do
    [[ -s $built/$library ]] || fail "there is no $library in $built: build it with cargo build --release --lib"
done
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$here/Cargo.toml")
soname=$(readelf --dynamic "$built/libironhoard.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[[ -n $version && -n $soname ]] || fail "cannot tell the version ('$version') or the SONAME ('$soname') of $built/libironhoard.so"
readonly version soname
readonly shared_file=libironhoard.so.$version

# So many steps up as a path below the prefix goes down.
up() {
    local path
    path=$(sed 's#//*#/#g; s#^\./##; s#/$##' <<<"$1")
    # shellcheck disable=SC2001  # a pattern of characters, not a word
    sed 's#[^/][^/]*#..#g' <<<"$path"
}

# Puts a file in its place with one rename, so that nobody ever sees half of it.
place() {
    local from=$1 to=$root/$2 mode=$3
    mkdir -p "$(dirname "$to")"
    install -m "$mode" "$from" "$to.new$$"
    mv -f "$to.new$$" "$to"
}

link() {
    ln -sfn "$1" "$root/$2.new$$"
    mv -fT "$root/$2.new$$" "$root/$2"
}

fill_in() {
    sed -e "s#@VERSION@#$version#g" -e "s#@VERSION_MAJOR@#$(cut -d. -f1 <<<"$version")#g" \
        -e "s#@VERSION_MINOR@#$(cut -d. -f2 <<<"$version")#g" -e "s#@SONAME@#$soname#g" \
        -e "s#@SHARED_FILE@#$shared_file#g" -e "s#@LIBDIR@#$libdir#g" -e "s#@INCLUDEDIR@#$includedir#g" \
        -e "s#@UP_FROM_PC@#$(up "$libdir/pkgconfig")#g" \
        -e "s#@UP_FROM_CMAKE@#$(up "$libdir/cmake/ironhoard")#g" "$here/packaging/$1" >"$work/$1"
}

work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT

mkdir -p "$root" || fail "cannot make $root: choose a prefix that you may write to, or run this as root"

for header in ironhoard.h ironhoard_layout.h ironhoard.hpp; do
    place "$here/include/$header" "$includedir/$header" 644
done
place "$built/libironhoard.so" "$libdir/$shared_file" 755
[[ $soname == "$shared_file" ]] || link "$shared_file" "$libdir/$soname"
link "$soname" "$libdir/libironhoard.so"
place "$built/libironhoard.a" "$libdir/libironhoard.a" 644
for template in ironhoard.pc.in ironhoard-config.cmake.in ironhoard-config-version.cmake.in; do
    fill_in "$template"
done
place "$work/ironhoard.pc.in" "$libdir/pkgconfig/ironhoard.pc" 644
place "$work/ironhoard-config.cmake.in" "$libdir/cmake/ironhoard/ironhoard-config.cmake" 644
place "$work/ironhoard-config-version.cmake.in" "$libdir/cmake/ironhoard/ironhoard-config-version.cmake" 644
for text in LICENSE-MIT LICENSE-APACHE README.md docs/C.md; do
    place "$here/$text" "share/doc/ironhoard/$(basename "$text")" 644
done

say "ironhoard $version is in $prefix"
case $prefix in
    /usr | /usr/local) say 'run ldconfig once, as root, so that programs find the library' ;;
    *) say "for pkg-config: export PKG_CONFIG_PATH=$(printf %q "$prefix/$libdir/pkgconfig")" ;;
esac
