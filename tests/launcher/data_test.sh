#!/bin/sh
# Tests of ./elk data with a server of our own: data_test.sh <repository> <file_server> quick|real
#
# quick: small files, under a table of mirrors and checksums that stands in for the built-in one. real: the published
# files from ELK_DATA_DIR, under the built-in table.
# shellcheck disable=SC2317  # functions that check() calls
set -eu

repository=$1
file_server=$2
kind=$3
skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit 77
}
command -v curl >/dev/null || skip "curl is not installed"
[ "$kind" = quick ] || [ -n "${ELK_DATA_DIR:-}" ] ||
  skip "ELK_DATA_DIR is not set: it names the folder that holds mnist/ and others"
real=${ELK_DATA_DIR:-}
unset ELK_DATA_DIR ELK_DATA_MIRROR ELK_NO_INSTALL http_proxy HTTP_PROXY all_proxy ALL_PROXY
export NO_PROXY='*'

sandbox=$(mktemp -d)
server_id=
cleanup() {
  [ -z "$server_id" ] || kill "$server_id" || :
  rm -rf "$sandbox"
}
trap cleanup EXIT
failures=0
elk=$repository/elk
mkdir "$sandbox/served" "$sandbox/here"
cd "$sandbox/here"

# shellcheck source=tests/launcher/checks.sh
. "$repository/tests/launcher/checks.sh"
holds() { gzip -cdf <"$1" | cmp -s - "$2"; }
holds_only() { # folder, names
  [ "$(find "$1" -mindepth 1 -printf '%f ' | tr ' ' '\n' | sort)" = "$(printf '%s' "$2" | tr ' ' '\n' | sort)" ]
}
finish() {
  [ $failures -eq 0 ] || {
    printf '%s checks failed\n' "$failures"
    exit 1
  }
  exit 0
}
# Waits, for at most ten seconds, until a command succeeds.
await() {
  for _ in $(seq 100); do
    if "$@"; then return; fi
    sleep 0.1
  done
  false
}

"$file_server" "$sandbox/served" "$sandbox/log" >"$sandbox/port" &
server_id=$!
await test -s "$sandbox/port"
server=http://127.0.0.1:$(cat "$sandbox/port")
dead=http://127.0.0.1:9 # nobody listens there
: >"$sandbox/out"
: >"$sandbox/err"
code=0

if [ "$kind" = real ]; then
  ln -s "$real/mnist" "$real/fashion-mnist" "$sandbox/served"
  mkdir "$sandbox/served/cifar-10"
  if [ -d "$real/cifar-10" ]; then
    mkdir "$sandbox/cifar-10-batches-bin"
    for file in "$real"/cifar-10/*.bin*; do
      name=$(basename "$file" .gz)
      gzip -cdf <"$file" >"$sandbox/cifar-10-batches-bin/$name"
    done
    echo 'not to be unpacked' >"$sandbox/cifar-10-batches-bin/readme.html"
    tar -C "$sandbox" -c cifar-10-batches-bin | gzip -1 >"$sandbox/served/cifar-10/cifar-10-binary.tar.gz"
  fi
  for set in mnist fashion-mnist cifar-10; do
    if [ ! -d "$real/$set" ]; then
      printf 'there is no folder %s: not tested\n' "$real/$set"
      continue
    fi
    run env ELK_DATA_DIR="$real" "$elk" data $set
    check "the published $set is complete" exits 0
    check "which is said" has err "^elk: $set is complete in $real/$set\$"
    run env ELK_DATA_MIRROR="$server/good" "$elk" data $set
    check "$set comes from the mirror" exits 0
    check "and is complete" has err "^elk: $set is complete in $PWD/data/$set\$"
    check "none of it from elsewhere" has_not err 'is from'
    requests=$(wc -l <"$sandbox/log")
    run env ELK_DATA_MIRROR="$server/good" "$elk" data $set
    check "$set is not fetched again" test "$(wc -l <"$sandbox/log")" -eq "$requests"
  done
  if [ -d "$real/cifar-10" ]; then
    check "six files of cifar-10 are left" holds_only data/cifar-10 'data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin test_batch.bin '
  fi
  finish
fi

# Small files that do not pack well, so that a cut one is cut in its middle.
export ELK_DATA_PATIENCE=1 ELK_DATA_TABLE="$sandbox/table"
served=$sandbox/served
content=$sandbox/content
mkdir "$content" "$served/right" "$served/wrong" "$served/right/mnist" "$served/right/cifar-10"
table() { # mirrors, in the order of trying
  for mirror; do
    printf 'mnist mirror %s/mnist\ncifar-10 mirror %s/cifar-10\n' "$mirror" "$mirror"
  done >"$sandbox/table"
  for file in one two; do
    printf 'mnist %s %s\n' "$(sha256sum <"$content/$file" | cut -d ' ' -f 1)" $file
  done >>"$sandbox/table"
  for file in a.bin b.bin; do
    printf 'cifar-10 %s %s\n' "$(sha256sum <"$content/$file" | cut -d ' ' -f 1)" $file
  done >>"$sandbox/table"
}
for file in one two a.bin b.bin; do
  head -c 30000 /dev/urandom >"$content/$file"
done
for file in one two; do
  gzip -c "$content/$file" >"$served/right/mnist/$file.gz"
done
mkdir "$sandbox/cifar-10-batches-bin"
cp "$content/a.bin" "$content/b.bin" "$sandbox/cifar-10-batches-bin"
echo other >"$sandbox/cifar-10-batches-bin/readme.html"
tar -C "$sandbox" -czf "$served/right/cifar-10/cifar-10-binary.tar.gz" cifar-10-batches-bin
cp -r "$served/right/mnist" "$served/wrong"
echo other | gzip >"$served/wrong/mnist/one.gz"
fresh() { # what lies in the folder: nothing
  rm -rf data
  : >"$sandbox/log"
}
mnist_is_complete() { holds data/mnist/one.gz "$content/one" && holds data/mnist/two.gz "$content/two"; }

table "$server/good/right"
run "$elk" data mnist
check "files are fetched" exits 0
check "they are right" mnist_is_complete
check "which is said" has err "^elk: mnist is complete in $PWD/data/mnist\$"
check "each is told" has err '^elk: fetching two.gz$'
check "nothing is on stdout" is_silent out
check "nothing else is left" holds_only data/mnist 'one.gz two.gz '
: >"$sandbox/log"
run "$elk" data mnist
check "what is complete succeeds" exits 0
check "in one line" test "$(cat "$sandbox/err")" = "elk: mnist is complete in $PWD/data/mnist"
check "and asks nobody" test ! -s "$sandbox/log"
rm data/mnist/two.gz
cp "$content/two" data/mnist
run "$elk" data mnist
check "an unpacked file does as well" exits 0
check "and nobody is asked for it" test ! -s "$sandbox/log"
mv data/mnist/two elsewhere
rm data/mnist/one.gz
ln -s "$PWD/elsewhere" data/mnist/two
run "$elk" data mnist
check "only what is lacking is fetched" test "$(cat "$sandbox/log")" = "good/right/mnist/one.gz 0"

# Wrong words, places and files
for words in '' nothing --help mnist/ 'mnist cifar-10'; do
  # shellcheck disable=SC2086  # words
  run "$elk" data $words
  check "'data $words' is wrong usage" exits 2
  check "'data $words' tells the sets" has err 'mnist, fashion-mnist'
done
fresh
echo >data
run "$elk" data mnist
check "a folder that cannot be made fails" exits 1
check "and is named" has err "^elk: cannot write to $PWD/data/mnist; ELK_DATA_DIR names another folder"
if [ "$(id -u)" -ne 0 ]; then
  fresh
  mkdir -p data/mnist
  chmod a-w data/mnist
  run "$elk" data mnist
  check "so does one that cannot be written" exits 1
  check "and it is named" has err "^elk: cannot write to $PWD/data/mnist;"
  chmod u+w data/mnist
fi
for form in one one.gz; do
  fresh
  "$elk" data mnist 2>/dev/null
  rm data/mnist/one.gz
  echo other >data/mnist/$form
  run "$elk" data mnist
  check "a wrong file ($form) is replaced" exits 0
  check "by the right one" mnist_is_complete
  check "which is said" has err "^elk: $PWD/data/mnist/$form is not the file that was published: fetching it again\$"
  check "and nothing else is left" holds_only data/mnist 'one.gz two.gz '
done
head -c 20000 "$served/right/mnist/one.gz" >data/mnist/one.gz
table "$dead"
run "$elk" data mnist
check "without a mirror it cannot be replaced" exits 1
check "and stays" test "$(wc -c <data/mnist/one.gz)" -eq 20000
table "$server/good/right"
fresh
ELK_DATA_DIR="$sandbox/other place" run "$elk" data mnist
check "ELK_DATA_DIR names the folder" holds "$sandbox/other place/mnist/two.gz" "$content/two"

# Mirrors
fresh
table "$server/half/right" "$server/good/right"
run "$elk" data mnist
check "what breaks off is made up for" exits 0
check "from the next mirror" mnist_is_complete
half=$((($(wc -c <"$served/right/mnist/one.gz") + 1) / 2))
check "which goes on with it" has log "^good/right/mnist/one.gz $half\$"
check "and is asked first from then on" has_not log '^half/right/mnist/two.gz'
check "the reason is told" has err "half/right/mnist/one.gz: it breaks off\$"
fresh
table "$server/plain/right"
mkdir -p data/mnist
head -c 1000 "$served/right/mnist/one.gz" >data/mnist/one.gz.part
run "$elk" data mnist
check "a server that knows no ranges is asked for all" exits 0
check "and gives it" mnist_is_complete
check "after it was asked for a part" has log '^plain/right/mnist/one.gz 1000$'
fresh
table "$server/good/wrong" "$server/good/right"
run "$elk" data mnist
check "wrong content is made up for" exits 0
check "by the next mirror" mnist_is_complete
check "which is told" has err "^elk: one.gz is from $server/good/right/mnist;\$"
check "with the reason" has err "^  $server/good/wrong/mnist/one.gz: it is not what was published\$"
fresh
table "$server/good/wrong"
run "$elk" data mnist
check "nothing but wrong content fails" exits 1
check "is asked for once" test "$(wc -l <"$sandbox/log")" -eq 1
check "and leaves nothing" holds_only data/mnist ''
fresh
table "$server/slow/right" "$server/good/right"
run "$elk" data mnist
check "a slow mirror is left" exits 0
check "for the next" mnist_is_complete
check "which is told" has err 'slow/right/mnist/one.gz: too slow$'
fresh
table "$dead" "$server/good/nowhere"
run "$elk" data mnist
check "without mirrors it fails" exits 1
check "tells what failed" has err '^elk: cannot download one.gz:$'
check "why" has err "^  $dead/mnist/one.gz: no connection\$"
check "and why" has err "^  $server/good/nowhere/mnist/one.gz: the server refuses it\$"
check "each once" test "$(grep -c "no connection" "$sandbox/err")" -eq 1
check "where files go" has err "^unpacked, into $PWD/data/mnist:\$"
check "where they are to be had" has err "^  $dead/mnist/two.gz\$"
check "how to choose another folder" has err '^With ELK_DATA_DIR=DIR the folder is DIR/mnist; ELK_DATA_MIRROR=URL asks URL/mnist first\.$'
check "and nothing on stdout" is_silent out
check "mirrors are asked twice" test "$(wc -l <"$sandbox/log")" -eq 2
fresh
run env ELK_DATA_MIRROR="$server/good/right/" "$elk" data mnist
check "ELK_DATA_MIRROR is asked" exits 0
check "before the others" test "$(cat "$sandbox/log")" = "good/right/mnist/one.gz 0
good/right/mnist/two.gz 0"

# What earlier runs left
fresh
table "$server/good/right"
mkdir -p data/mnist
cp "$served/right/mnist/one.gz" data/mnist/one.gz.part
echo '<html>' >data/mnist/two.gz.part
run "$elk" data mnist
check "parts are taken up" mnist_is_complete
check "a whole one without asking, another file anew" test "$(cat "$sandbox/log")" = "good/right/mnist/two.gz 0"
fresh
mkdir -p data/mnist
{
  head -c 1000 "$served/right/mnist/one.gz"
  head -c 1000 /dev/urandom
} >data/mnist/one.gz.part
run "$elk" data mnist
check "a part gone wrong in its middle does no harm" mnist_is_complete
fresh
table "$server/slow/right"
export ELK_DATA_PATIENCE=30
requests=0
asked_and_answered() { [ "$(wc -l <"$sandbox/log")" -eq "$requests" ] && [ -s data/mnist/one.gz.part ]; }
for signal in INT TERM; do
  # With a process group and signals as they are in a terminal.
  setsid env --default-signal=INT "$elk" data mnist >"$sandbox/out" 2>"$sandbox/err" </dev/null &
  pid=$!
  requests=$((requests + 1))
  check "something arrives before $signal" await asked_and_answered
  case $signal in INT) kill -INT "-$pid" ;; *) kill -TERM $pid ;; esac
  code=0
  wait $pid || code=$?
  case $signal in
    INT) check "Ctrl-C ends it" exits 130 ;;
    *) check "so does TERM" exits 143 ;;
  esac
  check "after $signal, what has arrived is kept" test -s data/mnist/one.gz.part
  check "which is said after $signal" has err '^elk: stopped; what has arrived is kept'
done
size=$(wc -c <data/mnist/one.gz.part)
table "$server/good/right"
run "$elk" data mnist
check "the next one goes on" has log "^good/right/mnist/one.gz $size\$"
check "to the end" mnist_is_complete

# Two at once
fresh
"$elk" data mnist >"$sandbox/out-1" 2>"$sandbox/err-1" &
pid=$!
run "$elk" data mnist
check "one of two at once succeeds" exits 0
code=0
wait $pid || code=$?
check "and so does the other" exits 0
check "the files are right" mnist_is_complete
check "and were fetched once" test "$(wc -l <"$sandbox/log")" -eq 2
check "nothing else is left by the two" holds_only data/mnist 'one.gz two.gz '

fresh
mkdir -p data/mnist
flock data/mnist sleep 1 &
await sh -c '! flock -n data/mnist true'
run "$elk" data mnist
check "the second waits for the first" has err '^elk: waiting for another ./elk that fetches mnist$'
check "and then goes on" mnist_is_complete

# The archive of CIFAR-10
fresh
run "$elk" data cifar-10
check "the archive is fetched" exits 0
check "and unpacked" holds data/cifar-10/a.bin "$content/a.bin"
check "the wanted files alone" holds_only data/cifar-10 'a.bin b.bin '
gzip data/cifar-10/a.bin
echo other >data/cifar-10/b.bin
: >"$sandbox/log"
run "$elk" data cifar-10
check "a wrong one is fetched anew" holds data/cifar-10/b.bin "$content/b.bin"
check "a right one stays as it was" holds_only data/cifar-10 'a.bin.gz b.bin '
mkdir -p "$served/wrong/cifar-10"
echo other >"$sandbox/cifar-10-batches-bin/b.bin"
tar -C "$sandbox" -czf "$served/wrong/cifar-10/cifar-10-binary.tar.gz" cifar-10-batches-bin
fresh
table "$server/good/wrong"
run "$elk" data cifar-10
check "a wrong archive fails" exits 1
check "tells the files" has err '^  b.bin$'
check "where the archive is to be had" has err "get $server/good/wrong/cifar-10/cifar-10-binary.tar.gz\$"
check "and leaves nothing of it" holds_only data/cifar-10 ''
rm "$sandbox/cifar-10-batches-bin/b.bin"
tar -C "$sandbox" -czf "$served/wrong/cifar-10/cifar-10-binary.tar.gz" cifar-10-batches-bin
table "$server/good/wrong" "$server/good/right"
run "$elk" data cifar-10
check "an archive without the files is made up for" holds data/cifar-10/b.bin "$content/b.bin"

# Without curl
fresh
table "$server/good/right"
mkdir "$sandbox/bin"
for tool in sh readlink dirname basename sed grep gzip sha256sum tar mkdir mktemp rm mv cat wc sleep flock env tr uname awk; do
  ln -s "$(command -v $tool)" "$sandbox/bin"
done
run env PATH="$sandbox/bin" "$elk" data mnist
check "without curl and apt-get it fails" exits 1
check "for that reason" has err '^elk: nothing can be downloaded without curl$'
cat >"$sandbox/bin/apt-get" <<EOF
#!/bin/sh
case \$1 in install) $(command -v ln) -s "$(command -v curl)" "$sandbox/bin/curl" ;; esac
EOF
cat >"$sandbox/bin/id" <<'EOF'
#!/bin/sh
echo 0
EOF
chmod +x "$sandbox/bin/apt-get" "$sandbox/bin/id"
run env PATH="$sandbox/bin" "$elk" data mnist
check "curl is installed" has err 'installing with apt-get .*: curl$'
check "and used" mnist_is_complete

finish
