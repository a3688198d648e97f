#!/bin/sh
# Tests of what ./elk does on systems of other kinds, on a copy of it: systems_test.sh <repository>
#
# The system is a folder that stands in for /, and CMake a script that notes how it was called.
set -eu

repository=$1
sandbox=$(mktemp -d)
trap 'rm -rf "$sandbox"' EXIT
failures=0

fakes=$sandbox/fakes
system=$sandbox/system
project=$sandbox/project
mkdir -p "$fakes" "$system/etc" "$system/proc/self" "$project/experiments/hello" "$project/cmake"
cp "$repository/elk" "$project"
cp "$repository/cmake/packages.txt" "$project/cmake"
echo '// Says hello.' >"$project/experiments/hello/main.cpp"
tree=$project/build/release
fake() { # name, body
  printf '#!/bin/sh\n%s\n' "$2" >"$fakes/$1"
  chmod +x "$fakes/$1"
}
fake cmake "echo \"cmake \$*\" >>'$sandbox/calls'
case \$1 in
  --version) echo 'cmake version 3.25.1' ;;
  -S)
    if [ -e '$sandbox/refuse' ]; then cat '$sandbox/refuse'; exit 1; fi
    mkdir -p '$tree/bin'
    touch '$tree/build.ninja'
    for option; do
      case \$option in -DELK_BUILD_TESTS=*) echo \"ELK_BUILD_TESTS:BOOL=\${option#*=}\" ;; esac
    done | tail -n 1 | cat '$sandbox/cache' - >'$tree/CMakeCache.txt'
    ;;
  --build)
    if [ -e '$sandbox/killed' ]; then cat '$sandbox/killed'; exit 1; fi
    printf '#!/bin/sh\necho hello\n' >'$tree/bin/hello'
    chmod +x '$tree/bin/hello'
    ;;
esac"
for tool in ninja c++ gnuplot curl git pkg-config; do fake "$tool" :; done
fake id 'echo 1000'
fake nproc 'echo 8'
fake uname 'echo Linux'
for manager in apt-get sudo dnf pacman zypper apk brew conda; do
  fake $manager "echo '$manager' >>'$sandbox/installers'"
done
PATH=$fakes:$PATH
export ELK_SYSTEM_ROOT="$system"
unset ELK_DATA_DIR ELK_NO_INSTALL CONDA_PREFIX CXX
cat >"$sandbox/cache" <<END
# A comment.
//What follows
CMAKE_CXX_COMPILER:FILEPATH=/opt/other/bin/c++
fmt_DIR:PATH=/usr/lib/x86_64-linux-gnu/cmake/fmt
CMAKE_GENERATOR:INTERNAL=Ninja
CMAKE_HOME_DIRECTORY:INTERNAL=$project
CMAKE_ROOT:INTERNAL=/usr/share/cmake-3.25
END
elk=$project/elk
: >"$sandbox/calls"

# shellcheck source=tests/launcher/checks.sh
. "$repository/tests/launcher/checks.sh"

is_now() { # ID, ID_LIKE, PRETTY_NAME
  printf 'NAME=x\nID=%s\nID_LIKE="%s"\nPRETTY_NAME="%s"\n' "$1" "$2" "$3" >"$system/etc/os-release"
  rm -rf "$project/build"
}
fails_to_configure() { # words for ./elk
  echo 'CMake Error: elkgrad needs fmt' >"$sandbox/refuse"
  run "$elk" "$@"
  rm "$sandbox/refuse"
}

# Names of packages
while IFS='|' read -r id like name command; do
  is_now "$id" "$like" "$name"
  fails_to_configure hello
  check "$name: a failed configuration fails" exits 1
  check "$name: with CMake's words" has err 'elkgrad needs fmt'
  check "$name: is told by its name" has err "this is $name;"
  check "$name: with the command" has err "^  $command"
  check "$name: is untried" has err 'untested there'
  check "$name: nothing is installed" test ! -e "$sandbox/installers"
  check "$name: nothing on stdout" is_silent out
  run "$elk" hello
  check "$name: where all is there it runs" exits 0
  check "$name: with nothing told of packages" has_not err 'install\|untried'
done <<'END'
fedora||Fedora Linux 41 (Workstation Edition)|sudo dnf install gcc-c++ cmake ninja-build gnuplot xtensor-devel openblas-devel boost-devel fmt-devel json-devel zlib-devel libpng-devel NLopt-devel onednn-devel$
rocky|rhel centos fedora|Rocky Linux 9.5|sudo dnf install gcc-c++
arch||Arch Linux|sudo pacman -S --needed gcc cmake ninja gnuplot xtensor openblas boost fmt nlohmann-json zlib libpng nlopt onednn$
endeavouros|arch|EndeavourOS|sudo pacman -S --needed gcc
opensuse-tumbleweed|opensuse suse|openSUSE Tumbleweed|sudo zypper install gcc-c++ cmake ninja gnuplot openblas-devel libboost_program_options-devel
alpine||Alpine Linux v3.21|sudo apk add g++ cmake samurai gnuplot openblas-dev boost-dev
END
is_now fedora '' Fedora
fails_to_configure hello
check "what is not packaged is told" has err 'from their sources: xtensor-blas$'
fails_to_configure test
check "the tests' packages are named for them" has err 'pkgconf-pkg-config.* gtest-devel gmock-devel google-benchmark-devel$'
export CONDA_PREFIX=/opt/conda
fails_to_configure hello
check "conda's packages are named in its environments" has err '^  conda install -c conda-forge cxx-compiler cmake ninja .*xtensor-blas'
check "which are told" has err 'this is a conda environment, /opt/conda;'
unset CONDA_PREFIX
rm "$system/etc/os-release"
fake uname 'echo Darwin'
fails_to_configure hello
check "Homebrew's on macOS" has err '^  brew install cmake ninja gnuplot xtensor openblas boost'
fake uname 'echo Linux'
is_now gentoo '' Gentoo
fails_to_configure hello
check "elsewhere Debian's are" has err 'no names of packages are known for Gentoo; in Debian they are called: g++ cmake'

# Tools that are not there
is_now fedora '' Fedora
mkdir "$sandbox/bare"
for tool in sh awk sed grep tr cat dirname readlink mkdir rm touch tail head sort chmod basename; do
  ln -s "$(command -v $tool)" "$sandbox/bare"
done
for tool in id uname nproc cmake c++; do ln -s "$fakes/$tool" "$sandbox/bare"; done
run env PATH="$sandbox/bare" "$elk" hello
check "without Ninja nothing is built" exits 1
check "which is told" has err 'nothing can be built without ninja'
check "with what to type" has err '^  sudo dnf install .* ninja-build '
ln -s "$fakes/ninja" "$sandbox/bare"
run env PATH="$sandbox/bare" "$elk" hello
check "without gnuplot all is" exits 0
check "which is told in the distribution's words" has err 'not found here: gnuplot'
run env PATH="$sandbox/bare" CXX='g++-99 -m64' "$elk" hello
check "a compiler that is not there is told" has err "nothing can be built without g++-99"

# Debian and its relatives
for words in 'debian|' 'ubuntu|debian' 'linuxmint|ubuntu debian' 'raspbian|debian'; do
  rm -f "$sandbox/installers"
  is_now "${words%|*}" "${words#*|}" Relative
  fake dpkg-query :
  run "$elk" hello
  check "${words%|*} installs" grep -q sudo "$sandbox/installers"
done
# shellcheck disable=SC2016  # for the fake
fake dpkg-query 'for word; do printf "%s:installed " "$word"; done'

# Memory
is_now debian '' Debian
memory_is() { printf 'MemTotal: 99999999 kB\nMemAvailable: %s kB\nSwapFree: %s kB\n' "$1" "$2" >"$system/proc/meminfo"; }
jobs_are() { # what --build was called with
  : >"$sandbox/calls"
  run "$elk" hello
  grep -q -e "^cmake --build .* --target hello$1\$" "$sandbox/calls"
}
memory_is 33554432 0
check "with much memory Ninja decides" jobs_are ''
memory_is 480000 0
check "with 512 MB one compiler runs" jobs_are ' --parallel 1'
memory_is 1000000 1000000
check "swap counts" jobs_are ' --parallel 3'
memory_is 33554432 0
echo '0::/user/session' >"$system/proc/self/cgroup"
mkdir -p "$system/sys/fs/cgroup/user/session"
echo max >"$system/sys/fs/cgroup/user/session/memory.max"
check "a control group without a limit is none" jobs_are ''
echo 536870912 >"$system/sys/fs/cgroup/user/memory.max"
check "the limit of a group above counts" jobs_are ' --parallel 1'
rm -r "$sandbox/system/sys"
printf '5:memory:/docker\n0::/\n' >"$system/proc/self/cgroup"
mkdir -p "$system/sys/fs/cgroup/memory/docker"
echo 9223372036854771712 >"$system/sys/fs/cgroup/memory/memory.limit_in_bytes"
echo 2147483648 >"$system/sys/fs/cgroup/memory/docker/memory.limit_in_bytes"
check "and so does one of the old kind" jobs_are ' --parallel 3'
rm -r "$sandbox/system/sys" "$sandbox/system/proc/self/cgroup"
memory_is 480000 0
echo 'c++: fatal error: Killed signal terminated program cc1plus' >"$sandbox/killed"
run "$elk" hello
rm "$sandbox/killed"
check "a compiler that was killed fails" exits 1
check "and why is told" has err 'the compiler was killed: it takes up to 600 MiB, and 468 MiB are free'

# A build folder that is damaged
damaged() { # how
  run "$elk" hello
  check "$1: it runs" exits 0
  check "$1: is told" has err 'CMakeCache.txt is gone or damaged: configuring again$'
  check "$1: nothing compiled is lost" test -e "$tree/object"
  check "$1: tests stay off" grep -q ELK_BUILD_TESTS:BOOL=OFF "$tree/CMakeCache.txt"
  run "$elk" hello
  check "$1: and all is well again" is_silent err
}
run "$elk" hello
touch "$tree/object"
rm "$tree/CMakeCache.txt"
damaged "no CMakeCache.txt"
: >"$tree/CMakeCache.txt"
damaged "an empty one"
head -c 150 "$sandbox/cache" >"$tree/CMakeCache.txt"
damaged "one that breaks off"
sed 's/^fmt_DIR.*/fm t@@/' "$sandbox/cache" >"$tree/CMakeCache.txt"
damaged "one with rubbish in it"

# Where libraries are from
rm -r "$project/build"
run "$elk" hello
check "the system's own libraries are not told" has_not err 'taken from'
rm -r "$project/build"
cat >>"$sandbox/cache" <<'END'
nlohmann_json_DIR:PATH=/usr/share/cmake/nlohmann_json
xtensor_DIR:PATH=/opt/my conda/share/cmake/xtensor
Boost_DIR:PATH=/opt/my conda/lib/cmake/Boost-1.82.0
boost_headers_DIR:PATH=/opt/my conda/lib/cmake/boost_headers-1.82.0
ZLIB_LIBRARY_RELEASE:FILEPATH=/opt/my conda/lib/libz.so
BLAS_openblas_LIBRARY:FILEPATH=/opt/homebrew/lib/libopenblas.dylib
PNG_LIBRARY_RELEASE:FILEPATH=/usr/lib/x86_64-linux-gnu/libpng.so
END
run "$elk" hello
check "libraries from elsewhere are told" has err '^elk: taken from /opt/my conda: xtensor, boost, zlib$'
check "by their folder" has err '^elk: taken from /opt/homebrew: openblas$'

[ $failures -eq 0 ] || {
  printf '%s checks failed\n' "$failures"
  exit 1
}
