#!/bin/sh
# What is compiled for more than the baseline must lie in the levels' own namespaces, or the linker could keep a copy
# that other processors cannot run. Only for x86-64.
#
#   instructions.sh built FILE...      libraries and programs: no symbol but the levels' holds a later instruction
#   instructions.sh levels FILE...     the levels' objects: they define no symbol outside their namespace, and none that
#                                      the linker merges with others' (inline functions, templates, also std's); and
#                                      nothing of theirs runs before a level is picked (initializers that compute)
#   instructions.sh bad COMPILER DIR   deliberately bad builds, in DIR: the checks see them
#   instructions.sh build SOURCE DIR COMPILER OPTIONS static|shared|objects   builds the library so, in DIR, or only the
#                                      levels' objects, and checks it
set -eu

here=$(dirname -- "$(readlink -f -- "$0")")

built() {
  for file; do
    [ -f "$file" ] || { echo "there is no $file"; return 1; }
    ${OBJDUMP:-objdump} -d -C --no-show-raw-insn "$file" >"$work/code"
    # Not blind: there is code of a level.
    grep -q '<.*elk::kernels::avx2::.*>:$' "$work/code" || { echo "$file: no code of a level found"; return 1; }
    awk -f "$here/beyond_baseline.awk" "$work/code" >"$work/found"
    if [ -s "$work/found" ]; then
      echo "$file: instructions beyond the baseline, in"
      cat "$work/found"
      return 1
    fi
    echo "$file: the baseline's instructions only"
  done
}

levels() {
  for file; do
    level=${file##*elkgrad_}
    level=${level%%.dir*}
    ${NM:-nm} -C --defined-only "$file" >"$work/symbols"
    [ -s "$work/symbols" ] || { echo "$file: no symbols"; return 1; }
    # Upper case: seen by other objects; W, V and u: merged with theirs. DW.ref. is data: an address.
    if awk -v own="^elk::kernels::$level::" '
        { type = $2; symbol = $0; sub(/^[0-9a-f]+ . /, "", symbol) }
        symbol ~ /^DW\.ref\./ { next }
        type ~ /[WVuvw]/ || (type ~ /[A-Z]/ && symbol !~ own) { print "  " type " " symbol; found = 1 }
        END { exit !found }' "$work/symbols" >"$work/found"; then
      echo "$file: symbols that are not the level's own"
      cat "$work/found"
      return 1
    fi
    ${OBJDUMP:-objdump} -h "$file" >"$work/sections"
    if grep -E ' \.(preinit_array|init_array|ctors)' "$work/sections" >"$work/found"; then
      echo "$file: code that runs before main, by"
      cat "$work/found"
      return 1
    fi
    echo "$file: its own symbols only, and nothing before main"
  done
}

bad() { # compiler, folder
  compiler=$1
  folder=$2/elkgrad_avx2.dir
  mkdir -p "$folder"
  cat >"$folder/bad.cpp" <<'END'
#include <algorithm>
#include <vector>
namespace elk::kernels::avx2 {
namespace {
[[gnu::noinline]] float doubled(float x) { return x + x; }
}
float table(std::vector<float> values) {
  std::transform(values.begin(), values.end(), values.begin(), doubled);
  values.push_back(values.back() * 2);
  return *std::max_element(values.begin(), values.end());
}
}
END
  "$compiler" -std=c++20 -O0 -mavx2 -mfma -c "$folder/bad.cpp" -o "$folder/bad.o"
  for check in built levels; do
    if $check "$folder/bad.o" >/dev/null; then
      echo "$check does not see a bad build"
      return 1
    fi
  done
  # Nothing of this is seen by other objects, but it runs on any processor.
  cat >"$folder/early.cpp" <<'END'
namespace elk::kernels::avx2 {
float measured();
const float unit = measured();
float twice() { return unit + unit; }
}
END
  "$compiler" -std=c++20 -O0 -mavx2 -mfma -c "$folder/early.cpp" -o "$folder/early.o"
  if levels "$folder/early.o" >"$work/told" || ! grep -q 'runs before main' "$work/told"; then
    echo "levels does not see an initializer that computes"
    return 1
  fi
  # So that it is the initializer that was seen.
  sed 's/= measured()/= 2/' "$folder/early.cpp" >"$folder/good.cpp"
  "$compiler" -std=c++20 -O0 -mavx2 -mfma -c "$folder/good.cpp" -o "$folder/good.o"
  levels "$folder/good.o" >/dev/null || {
    echo "levels sees what is not bad"
    return 1
  }
  echo "they see bad builds"
}

build() { # source, folder, compiler, its options, static, shared or objects
  shared=OFF
  suffix=a
  targets=elkgrad
  case $5 in
    shared) shared=ON suffix=so ;;
    objects) targets='elkgrad_baseline elkgrad_avx2 elkgrad_avx512 elkgrad_amx' ;;
  esac
  rm -rf "$2"
  # shellcheck disable=SC2086  # a list of words
  cmake -S "$1" -B "$2" -G Ninja -D CMAKE_CXX_COMPILER="$3" -D CMAKE_BUILD_TYPE=None -D CMAKE_CXX_FLAGS="$4" \
    -D BUILD_SHARED_LIBS=$shared -D CMAKE_UNITY_BUILD=ON -D ELK_BUILD_TESTS=OFF -D ELK_BUILD_EXPERIMENTS=OFF >"$work/log" 2>&1 &&
    cmake --build "$2" --target $targets >>"$work/log" 2>&1 || {
    cat "$work/log"
    return 1
  }
  [ "$5" = objects ] || built "$2/framework/libelkgrad.$suffix" || return
  find "$2/framework" -path '*elkgrad_*.dir*/loops/*.o' >"$work/objects"
  while read -r object; do levels "$object" || return; done <"$work/objects"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command=$1
shift
case $command in
  built | levels | bad | build) "$command" "$@" ;;
  *) echo "instructions.sh: built, levels, bad or build"; exit 2 ;;
esac
