#!/bin/sh
# How the gallery's programs end where something goes wrong: endings.sh <folder of docs/gallery> <folder of the programs>
# <a program that does nothing, linked with the BLAS>
set -eu

gallery=$1
programs=$2
blas_alone=$3
# shellcheck disable=SC2034  # for checks.sh
failures=0
sandbox=$(mktemp -d)
trap 'rm -rf "$sandbox"' EXIT
# shellcheck source=tests/launcher/checks.sh
. "$(dirname -- "$0")/../launcher/checks.sh"
cd "$sandbox"
one_line() { [ "$(wc -l <"$sandbox/err")" -eq 1 ]; }

for file in "$gallery"/*.cpp; do
  name=$(basename "$file" .cpp)
  run env -u ELK_DATA_DIR ELK_ISA=sse9 "$programs/gallery_$name" --smoke
  check "$name with a wrong ELK_ISA is wrong usage" exits 2
  check "$name says so" has err '^\[ELK_ISA\] expected baseline, avx2, avx512, amx or neon, got "sse9"$'
  check "$name in one line" one_line

  for words in --fast '--smoke 1'; do
    # shellcheck disable=SC2086  # one or two words
    run env -u ELK_DATA_DIR "$programs/gallery_$name" $words
    check "$name $words is wrong usage" exits 2
    check "$name $words says so" has err "^gallery_$name: expected --smoke or no argument, got \"${words##* }\"\$"
    check "$name $words in one line" one_line
    check "$name $words says nothing else" is_silent out
  done
done

for words in lenet 'residual --smoke'; do
  # shellcheck disable=SC2086  # one or two words
  run env ELK_DATA_DIR="$sandbox/none" "$programs"/gallery_$words
  check "$words fails without its data" exits 1
  check "$words says how to get them" has err '^\[[a-z0-9-]*\] not found; get it with .* data '
  check "$words says nothing else" is_silent out
done

ln -s /dev/full prices.csv
ln -s /dev/full denoising.png
mkdir gan.svg
for words in 'regression prices.csv: cannot write: No space left on device' \
  'denoising denoising.png: cannot write: No space left on device' 'gan gan.svg: this is a folder'; do
  run "$programs/gallery_${words%% *}" --smoke
  check "$words: it fails" exits 1
  check "$words: it says so" has err "^\[write\] ${words#* }\$"
  check "$words: in one line" one_line
done
rm denoising.png

for name in perceptron xor; do
  run sh -c "exec '$programs/gallery_$name' >/dev/full"
  check "$name fails where nothing can be written" exits 1
  check "$name says so too" has err '^cannot write to standard output$'
done

if [ -z "${ELK_EMULATED-}" ]; then # an emulator itself takes more than these limits leave
  # From too little to load a program to enough.
  done=0
  refused=0
  limited() { # MiB of address space, seconds, command
    run sh -c "ulimit -c 0; ulimit -v $((1024 * $1)); exec timeout $2 $3"
  }
  for mebibytes in 40 48 56 64 80 100 150 200 220 400 600; do
    limited $mebibytes 20 "'$programs/gallery_denoising' --smoke"
    if [ "$code" -eq 124 ]; then
      limited $mebibytes 5 "'$blas_alone'"
      check "with $mebibytes MiB it ends as the BLAS alone does" exits 124
      printf 'with %s MiB even the BLAS alone does not end\n' $mebibytes
      continue
    fi
    case $code in
      0) done=$((done + 1)) ;;
      127) check "with $mebibytes MiB the loader says so" has err 'error while loading shared libraries' ;;
      *)
        refused=$((refused + 1))
        check "with $mebibytes MiB it ends" exits 1
        check "with $mebibytes MiB it says so" has err 'not enough memory\|no memory for\|Memory allocation still failed'
        ;;
    esac
  done
  check "with enough memory a program ends well" test $done -gt 0
  check "with less it does not" test $refused -gt 0
fi

[ $failures -eq 0 ] || {
  printf '%s checks failed\n' "$failures"
  exit 1
}
