# What the tests of the launcher share: sourced by them, which set `sandbox`, a folder of their own, and `failures` to 0.
# shellcheck shell=sh disable=SC2154  # those two

run() { # the command; leaves its exit code in `code`, its output in the files out and err
  code=0
  "$@" >"$sandbox/out" 2>"$sandbox/err" </dev/null || code=$?
}
check() { # what is checked, then a command that must succeed
  what=$1
  shift
  if ! "$@"; then
    failures=$((failures + 1))
    printf 'FAILED: %s (exit code %s)\n--- stdout\n%s\n--- stderr\n%s\n--- requests\n%s\n' "$what" "$code" \
      "$(cat "$sandbox/out")" "$(cat "$sandbox/err")" "$(cat "$sandbox/log" 2>/dev/null)"
  fi
}
exits() { [ "$code" -eq "$1" ]; }
is_silent() { [ ! -s "$sandbox/$1" ]; }
has() { grep -q -e "$2" "$sandbox/$1"; }
has_not() { ! has "$@"; }
