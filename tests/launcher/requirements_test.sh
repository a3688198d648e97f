#!/bin/sh
# Tests of what CMake says where something is missing, too old or unfit: requirements_test.sh <repository> <C++ compiler>
#
# What it looks for is faked: packages, a compiler, a BLAS, and the name of the distribution.
set -eu

repository=$1
compiler=$2
sandbox=$(mktemp -d)
trap 'rm -rf "$sandbox"' EXIT
failures=0
# shellcheck source=tests/launcher/checks.sh
. "$repository/tests/launcher/checks.sh"

# configure <languages> <what is required> <options of CMake>...
configure() {
  mkdir -p "$sandbox/project"
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(sandbox LANGUAGES %s)\ninclude(%s/cmake/require.cmake)\n%s\n' \
    "$1" "$repository" "$2" >"$sandbox/project/CMakeLists.txt"
  shift 2
  rm -rf "$sandbox/build"
  run cmake -S "$sandbox/project" -B "$sandbox/build" -G Ninja "$@"
}
says() { # a sentence, which stands by itself in a line
  check "it fails: $1" exits 1
  check "it says: $1" grep -qx -e " *$1" "$sandbox/err"
}

mkdir -p "$sandbox/debian/etc"
echo ID=debian >"$sandbox/debian/etc/os-release"
export ELK_SYSTEM_ROOT="$sandbox/debian"
unset CONDA_PREFIX

# A package fmt of which there is a version 5, and no header.
mkdir -p "$sandbox/fmt"
echo 'set(fmt_FOUND TRUE)' >"$sandbox/fmt/fmtConfig.cmake"
cat >"$sandbox/fmt/fmtConfigVersion.cmake" <<'END'
set(PACKAGE_VERSION 5.3.0)
if(PACKAGE_FIND_VERSION VERSION_LESS_EQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
END
configure NONE 'elk_require(fmt 9 fmt/format.h libfmt-dev)' -Dfmt_DIR="$sandbox/fmt"
says "elkgrad needs fmt 9 or newer, and found 5.3.0 ($sandbox/fmt/fmtConfig.cmake). On Debian: apt-get install libfmt-dev"
configure NONE 'elk_require(fmt 5 fmt/nowhere.h libfmt-dev)' -Dfmt_DIR="$sandbox/fmt"
says "elkgrad needs fmt's header fmt/nowhere.h, and found fmt without it. On Debian: apt-get install libfmt-dev"
configure NONE 'elk_require(nowhere "" nowhere.h libnlopt-dev)'
says "elkgrad needs nowhere, and found none. On Debian: apt-get install libnlopt-dev"
configure NONE 'elk_require(fmt 5 fmtConfig.cmake libfmt-dev)' -Dfmt_DIR="$sandbox/fmt" -DCMAKE_INCLUDE_PATH="$sandbox/fmt"
check "what is there will do" exits 0

# Elsewhere than on Debian
mkdir -p "$sandbox/root/etc"
export ELK_SYSTEM_ROOT="$sandbox/root"
while IFS='|' read -r id like advice; do
  printf 'ID=%s\nID_LIKE="%s"\n' "$id" "$like" >"$sandbox/root/etc/os-release"
  configure NONE 'elk_require(nowhere "" nowhere.h libfmt-dev)'
  says "elkgrad needs nowhere, and found none. $advice"
done <<'END'
fedora||Type: dnf install fmt-devel
rocky|rhel centos fedora|Type: dnf install fmt-devel
manjaro|arch|Type: pacman -S fmt
opensuse-leap|suse opensuse|Type: zypper install fmt-devel
alpine||Type: apk add fmt-dev
gentoo||On Debian: apt-get install libfmt-dev
END
printf 'ID=alpine\n' >"$sandbox/root/etc/os-release"
configure NONE 'elk_require(nowhere "" nowhere.h libxtensor-dev)'
says "elkgrad needs nowhere, and found none. There is no package of it here, as far as we know: install it from its source"
configure NONE 'elk_require(nowhere "" nowhere.h libgmock-dev)'
says "elkgrad needs nowhere, and found none. Type: apk add gtest-dev"
export CONDA_PREFIX=/opt/conda
configure NONE 'elk_require(nowhere "" nowhere.h nlohmann-json3-dev)'
says "elkgrad needs nowhere, and found none. Type: conda install -c conda-forge nlohmann_json"
printf 'ID=linuxmint\nID_LIKE="ubuntu debian"\n' >"$sandbox/root/etc/os-release"
configure NONE 'elk_require(nowhere "" nowhere.h nlohmann-json3-dev)'
says "elkgrad needs nowhere, and found none. On Debian: apt-get install nlohmann-json3-dev"
unset CONDA_PREFIX
rm "$sandbox/root/etc/os-release"
for package in 'libgmock-dev|Type: brew install googletest' \
  'libxtensor-blas-dev|There is no package of it here, as far as we know: install it from its source'; do
  configure NONE "set(CMAKE_HOST_SYSTEM_NAME Darwin)
elk_require(nowhere \"\" nowhere.h ${package%|*})"
  says "elkgrad needs nowhere, and found none. ${package#*|}"
done

export ELK_SYSTEM_ROOT="$sandbox/debian"

# A folder that CMake, Ninja and the compiler do not all take for the same
mkdir "$sandbox/a \"quoted\" folder"
cp "$repository/CMakeLists.txt" "$sandbox/a \"quoted\" folder"
rm -rf "$sandbox/build"
run cmake -S "$sandbox/a \"quoted\" folder" -B "$sandbox/build" -G Ninja
says "elkgrad cannot be built in a folder with a double quote in its path, $sandbox/a \"quoted\" folder: rename it"

# A compiler that knows C++17
cat >"$sandbox/old" <<END
#!/bin/sh
for word; do
  case \$word in -std=*20 | -std=*2a) echo "unrecognized option \$word" >&2 && exit 1 ;; esac
done
exec $compiler "\$@"
END
chmod +x "$sandbox/old"
configure CXX 'elk_require_cxx20()' -DCMAKE_CXX_COMPILER="$sandbox/old"
says "elkgrad needs a compiler of C++20, GCC 12 or Clang 14 or newer, and found .* ($sandbox/old)\..*"
check "with what to type" has err 'cmake --fresh -DCMAKE_CXX_COMPILER='

# A BLAS without its C interface, and one that computes nonsense
for kind in none wrong; do
  {
    echo 'extern "C" { void sgemm_() {} void dgemm_() {}'
    [ $kind = none ] || echo 'void cblas_sgemm() {} void cblas_dgemm() {}'
    echo '}'
  } >"$sandbox/blas.cpp"
  "$compiler" -shared -fPIC -o "$sandbox/lib$kind.so" "$sandbox/blas.cpp"
  configure CXX "include($repository/cmake/blas.cmake)" -DCMAKE_CXX_COMPILER="$compiler" -DBLA_VENDOR=OpenBLAS \
    -DBLAS_openblas_LIBRARY="$sandbox/lib$kind.so" -DELK_CBLAS=
  says "elkgrad needs a BLAS with cblas_sgemm, cblas_dgemm and sizes of type int, and found $sandbox/lib$kind.so, which is none. On Debian: apt-get install libopenblas-dev"
done
configure CXX "include($repository/cmake/blas.cmake)" -DCMAKE_CXX_COMPILER="$compiler"
check "a BLAS that multiplies will do" exits 0
check "and is named, with its file" has out '^-- BLAS: [^ ].* (/.*)$'

[ $failures -eq 0 ] || {
  printf '%s checks failed\n' "$failures"
  exit 1
}
