#!/bin/sh
# run.sh [<file>]: runs the tests of a page in chromium. Exit code 77, with the reason, where they cannot run.
here=$(dirname -- "$(readlink -f -- "$0")")
skip() {
  echo "SKIPPED: the tests of pages in a browser (label browser), because $1"
  exit 77
}
command -v node >/dev/null || skip "there is no node; on Debian: apt-get install nodejs npm"
[ -d "$here/node_modules/playwright-core" ] || skip "there is no playwright-core; npm ci --prefix tests/browser gets it"
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
[ -n "$CHROMIUM" ] || skip "there is no chromium; on Debian: apt-get install chromium"
export CHROMIUM
[ $# -eq 0 ] || exec node --test --test-reporter=spec "$here/$1"
