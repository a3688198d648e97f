#!/bin/sh
# emulated.sh BUILD: the main job and tests of what computes, as other processors (package qemu-user). What is right on
# this one may not run on most.
set -eu

build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ELK_EMULATED=1 # tests that only take their time are smaller
export OPENBLAS_NUM_THREADS=1
unset ELK_ISA OPENBLAS_CORETYPE

as() { # processor, command...
  processor=$1
  shift
  qemu-x86_64 -cpu "$processor" "$@" 2>"$work/$processor.messages" || { code=$?; cat "$work/$processor.messages" >&2; return $code; }
}

expect() { # what, wanted pattern, found
  printf '%s\n' "$3" | grep -q "$2" || { echo "$1: expected $2, found: $3"; exit 1; }
}

# The accuracy that a short run of the main job prints.
accuracy_of() { # folder, command of train...
  folder=$1
  shift
  "$@" --quiet --epochs 2 --train-size 1000 --batch-size 20 --out-dir "$work/$folder" | sed -n 's/^test accuracy //p'
}

check() { # processor, its instruction set
  echo "as $1, which has $2"
  expect "--version" "^instruction set $2, BLAS" "$(as "$1" "$build/bin/train" --version)"
  wanted=$(ELK_ISA=$2 accuracy_of "native-$1" "$build/bin/train")
  found=$(accuracy_of "$1" as "$1" "$build/bin/train")
  echo "  train: test accuracy $found, here $wanted"
  # BLAS is another one on each, and rounds otherwise.
  awk "BEGIN { exit !($found > 0.5 && $found - $wanted < 0.02 && $wanted - $found < 0.02) }" || exit 1
  expect "predict" '"class"' \
    "$(as "$1" "$build/bin/predict" --json --quiet "$work/$1/model.safetensors" 0)"
  for name in tensor kernels ops autograd golden; do
    # Not threads: the emulator ends by an assertion of its own where the system refuses one.
    as "$1" "$build/tests/test_$name" --gtest_brief=1 --gtest_filter=-Real*:Threads.RefusedByTheSystem:DigitsLog.AsTrainPrintsIt \
      >"$work/$1-$name" 2>&1 || { cat "$work/$1-$name"; echo "as $1: test_$name failed"; exit 1; }
    echo "  test_$name: $(sed -n 's/^\[  PASSED  \] \([0-9]*\).*/\1/p' "$work/$1-$name") passed"
  done
}

# OpenBLAS obeys this variable without a look at the machine.
if "$build/bin/train" --version | grep -q 'BLAS OpenBLAS'; then
  code=0
  said=$(OPENBLAS_CORETYPE=Haswell qemu-x86_64 -cpu Nehalem "$build/bin/train" --quiet --out-dir "$work/core" 2>&1) || code=$?
  expect "OPENBLAS_CORETYPE=Haswell as Nehalem" '^2: train: \[OPENBLAS_CORETYPE\] this machine has no avx2, ' "$code: $said"
fi

# Both at once: an emulator has one thread.
check Nehalem baseline >"$work/Nehalem.log" 2>&1 &
older=$!
failed=0
(check Haswell avx2) || failed=1
wait "$older" || failed=1
cat "$work/Nehalem.log"
exit $failed
