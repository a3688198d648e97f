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
  qemu-x86_64 -cpu "$processor" "$@"
}

expect() { # what, wanted pattern, found
  printf '%s\n' "$3" | grep -q "$2" || { echo "$1: expected $2, found: $3"; exit 1; }
}

check() { # processor, its instruction set
  echo "as $1, which has $2"
  expect "--version" "^instruction set $2, BLAS" "$(as "$1" "$build/bin/train" --version)"
  expect "the main job" '^test accuracy 0\.9[67]' "$(as "$1" "$build/bin/train" --quiet --out-dir "$work/$1")"
  expect "predict" "\"class\"" \
    "$(as "$1" "$build/bin/predict" --json --quiet "$work/$1/model.safetensors" 0)"
  for name in base tensor kernels ops autograd nn optim data io train golden; do
    # Not threads: the emulator ends by an assertion of its own where the system refuses one.
    as "$1" "$build/tests/test_$name" --gtest_brief=1 --gtest_filter=-Real*:Threads.RefusedByTheSystem:DigitsLog.AsTrainPrintsIt \
      >"$work/log" 2>&1 || { cat "$work/log"; echo "as $1: test_$name failed"; exit 1; }
    echo "  test_$name: $(sed -n 's/^\[  PASSED  \] \([0-9]*\).*/\1/p' "$work/log") passed"
  done
}

check Nehalem baseline
check Haswell avx2
