#!/bin/sh
# Installs a build to a folder of its own, moves that folder, and builds a program outside the tree against it: as C11 and
# C++17, by gcc and clang, shared and static, through pkg-config and through find_package. Then runs each.
#     sh tests/consumer/run.sh [BUILD]        BUILD: a finished build, default build/release
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build/release}" && pwd)
here=$root/tests/consumer
work=$(mktemp -d "${TMPDIR:-/tmp}/umbel-consumer.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

fail() {
    echo "consumer: $*" >&2
    exit 1
}

# ---- install, through DESTDIR as packagers do, then move: nothing may hold the old path -------------------------------
DESTDIR=$work/stage cmake --install "$build" >"$work/install.log" || fail "install: $(cat "$work/install.log")"
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
mv "$work/stage$prefix" "$work/umbel"
rmdir -p "$work/stage${prefix%/*}" 2>/dev/null || true
[ ! -e "$work/stage" ] || fail "installed outside the prefix: $(find "$work/stage" -type f)"
library=$(dirname "$(find "$work/umbel" -name libumbel.a)")

soname=$(objdump -p "$library/libumbel.so" | awk '$1 == "SONAME" { print $2 }')
[ "$soname" = libumbel.so.0 ] || fail "SONAME is $soname"
stray=$({ nm -D --defined-only "$library/libumbel.so"; nm -g --defined-only "$library/libumbel.a"; } |
    awk 'NF == 3 && $3 !~ /^umbel_/ { print $3 }')
[ -z "$stray" ] || fail "names that are not ours to give: $stray"

# ---- build and run ------------------------------------------------------------------------------------------------------
export PKG_CONFIG_PATH="$library/pkgconfig" LD_LIBRARY_PATH="$library"
count=0
try() {
    "$1" || fail "$1 ends with $?"
    [ "$("$1" --version)" = "umbel $(pkg-config --modversion umbel)" ] || fail "$1 --version: $("$1" --version)"
    count=$((count + 1))
}
for compiler in gcc clang g++ clang++; do
    case $compiler in
    *++) sources='app.cpp executor.cpp' standard=c++17 ;;
    *) sources=app.c standard=c11 ;;
    esac
    for source in $sources; do
        name=$work/$compiler-${source%.*}
        compile="$compiler -std=$standard -Wall -Wextra -Werror $here/$source"
        $compile -o "$name-shared" $(pkg-config --cflags --libs umbel)
        try "$name-shared"
        $compile -o "$name-static" $(pkg-config --cflags umbel) "$library/libumbel.a" \
            $(pkg-config --static --libs-only-l umbel | sed 's/-lumbel//')
        try "$name-static"
        $compile -fPIC -shared -o "$name.so" $(pkg-config --cflags umbel) # a module needs the headers alone
    done
done
for pair in gcc:g++ clang:clang++; do
    folder=$work/cmake-${pair%:*}
    cmake -G Ninja -S "$here" -B "$folder" -DCMAKE_C_COMPILER="${pair%:*}" -DCMAKE_CXX_COMPILER="${pair#*:}" \
        -DCMAKE_PREFIX_PATH="$work/umbel" >"$work/cmake.log" 2>&1 || fail "$(cat "$work/cmake.log")"
    cmake --build "$folder" >"$work/cmake.log" 2>&1 || fail "$(cat "$work/cmake.log")"
    for program in app_c_umbel app_c_static app_cpp_umbel app_cpp_static executor_cpp_umbel executor_cpp_static; do
        try "$folder/$program"
    done
done
echo "consumer: $count programs built outside the tree run"
