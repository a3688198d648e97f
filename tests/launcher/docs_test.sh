#!/bin/sh
# Tests of ./elk docs, on a copy of what it reads: docs_test.sh <repository>
set -eu

repository=$1
command -v doxygen >/dev/null || {
  echo "SKIPPED: doxygen is not installed"
  exit 77
}
sandbox=$(mktemp -d)
trap 'rm -rf "$sandbox"' EXIT
failures=0
export ELK_NO_INSTALL=1

project="$sandbox/a project"
mkdir "$project"
cd "$repository"
cp -r elk CMakeLists.txt README.md CHANGELOG.md docs framework models "$project"
cd "$sandbox"
html=$project/build/docs/html

# shellcheck source=tests/launcher/checks.sh
. "$repository/tests/launcher/checks.sh"
page_has() { grep -q -e "$2" "$html/$1"; } # page, pattern

# The pages
run "$project/elk" docs
check "there are no warnings" exits 0
check "and nothing is said" is_silent err
check "the first page is named on stdout" test "$(cat "$sandbox/out")" = "$html/index.html"
check "it is the README" page_has index.html 'autograd tape on xtensor'
version=$(sed -n 's/^project(elkgrad VERSION \([0-9.]*\) .*/\1/p' "$repository/CMakeLists.txt")
check "with the version" page_has index.html "projectnumber\">.*${version:?}<"
check "Tensor has a page" page_has classelk_1_1Tensor.html 'The only element, as a double'
check "and Tape" page_has classelk_1_1Tape.html 'Asks for the gradient of'
check "and Linear" page_has classelk_1_1nn_1_1Linear.html 'The bias starts at 0'
check "operations are listed" page_has namespaceelk.html 'a smooth relu that does not overflow'
check "each of a group has what it says" test "$(grep -c 'mdescRight">Element by element' "$html/namespaceelk.html")" -eq 12
check "the comment that a header begins with is shown" page_has tape_8hpp.html 'The engine: a Tape\|The engine: a <a'
check "its code as code" page_has tape_8hpp.html 'class="fragment".*recording starts\|class="line".*recording starts'

# docs/reference.md tells which headers are not for users.
public=0
for header in $(cd "$project" && find framework/elk models -name '*.hpp'); do
  sed '1,/^## Not for users/d' "$project/docs/reference.md" | grep -qF "\`${header#framework/elk/}\`" || public=$((public + 1))
done
pages=$(find "$html" -name '*_8hpp.html' | wc -l)
check "each public header has a page, and no other ($public, $pages)" test "$public" -eq "$pages"

grep -ohE '(href|src)="[^":#]+["#]' "$html"/*.html | cut -d '"' -f 2 | sed 's/#$//' | sort -u >"$sandbox/links"
check "there are links" test "$(wc -l <"$sandbox/links")" -gt 300
while IFS= read -r link; do
  [ -e "$html/$link" ] || printf '%s\n' "$link"
done <"$sandbox/links" >"$sandbox/dead"
check "none is dead: $(cat "$sandbox/dead")" test ! -s "$sandbox/dead"

# What must not be
spoil() { # what it is, file, sed's command, the message
  cp "$project/$2" "$sandbox/kept"
  sed -i "$3" "$project/$2"
  run "$project/elk" docs
  check "$1 fails" exits 1
  check "with Doxygen's message" has err "$4"
  check "and nothing on stdout" is_silent out
  cp "$sandbox/kept" "$project/$2"
}
spoil "a class without a docstring" framework/elk/nn/layers.hpp '/^\/\/\/ See elk::gelu/d' \
  '^framework/elk/nn/layers.hpp:[0-9]*: .*elk::nn::GELU is not documented'
spoil "a function without one" framework/elk/optim/clip.hpp '/^\/\/\/ Each element/d' 'clip_value.* is not documented'
spoil "a member function without one" framework/elk/autograd/tape.hpp '/^  \/\/\/ Asks for/,+1d' 'watch.* is not documented'
spoil "a link that leads nowhere" docs/guide.md 's/(#files)/(#piles)/' '^docs/guide.md:.*page-guide-piles'

[ $failures -eq 0 ] || {
  printf '%s checks failed\n' "$failures"
  exit 1
}
