#!/bin/sh
# Tests of ./elk, on a copy of it in a small project of its own: elk_test.sh <repository>
#
# CMake, Ninja and the compiler are the real ones; what looks at packages or installs them is faked.
set -eu

repository=$1
sandbox=$(mktemp -d)
trap 'rm -rf "$sandbox"' EXIT
failures=0

fakes=$sandbox/fakes
mkdir "$fakes"
fake() { # name, body
  printf '#!/bin/sh\n%s\n' "$2" >"$fakes/$1"
  chmod +x "$fakes/$1"
}
# Says that every package is installed, but for those in the file `lacking`.
fake dpkg-query "for word; do case \$word in
  -*|*:*) ;;
  *) grep -qsx \"\$word\" '$sandbox/lacking' || printf '%s:installed ' \"\$word\" ;;
esac; done"
fake gnuplot :
fake curl :
fake apt-get "echo \"apt-get \$*\" >>'$sandbox/calls'; [ \"\$1\" != install ] || rm '$sandbox/lacking'"
fake sudo "echo \"sudo \$*\" >>'$sandbox/calls'; exec \"\$@\""
fake id 'echo 0'
mkdir -p "$sandbox/system/etc"
echo ID=debian >"$sandbox/system/etc/os-release"
export ELK_SYSTEM_ROOT="$sandbox/system"
PATH=$fakes:$PATH
unset ELK_DATA_DIR ELK_NO_INSTALL ELK_LAUNCHER

project="$sandbox/a project"
mkdir -p "$project/experiments/hello" "$project/experiments/sleeper"
cp "$repository/elk" "$repository/CMakePresets.json" "$project"
cat >"$project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(sandbox VERSION 1.2.3 LANGUAGES CXX)
option(ELK_BUILD_TESTS "" ON)
set(ELK_GREETING hello CACHE STRING "")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
add_executable(hello experiments/hello/main.cpp)
target_compile_definitions(hello PRIVATE GREETING="${ELK_GREETING}")
option(ELK_BUILD_EXPERIMENTS "" ON)
if(ELK_BUILD_EXPERIMENTS)
  add_executable(sleeper experiments/sleeper/main.cpp)
endif()
add_library(course_grader EXCLUDE_FROM_ALL grader.cpp)
foreach(number 1 2)
  file(GLOB exercise docs/course/exercises/0${number}*.cpp)
  add_executable(course_0${number} EXCLUDE_FROM_ALL ${exercise})
  target_link_libraries(course_0${number} course_grader)
endforeach()
add_executable(gallery_pole EXCLUDE_FROM_ALL docs/gallery/pole.cpp)
if(ELK_BENCHMARKS)
  add_executable(bench EXCLUDE_FROM_ALL experiments/hello/main.cpp)
  target_compile_definitions(bench PRIVATE GREETING="bench")
endif()
if(ELK_BUILD_TESTS)
  enable_testing()
  add_test(NAME greets COMMAND hello 0)
  add_test(NAME fails COMMAND hello 1)
endif()
END
cat >"$project/experiments/hello/main.cpp" <<'END'
// hello: says hello.
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
int main(int argc, char** argv) {
  char folder[4096], line[100];
  std::printf("%s from %s\n", GREETING, getcwd(folder, sizeof folder));
  for (int i = 1; i < argc; ++i) std::printf("[%s]\n", argv[i]);
  std::printf("again: %s\n", std::getenv("ELK_LAUNCHER"));
  if (std::fgets(line, sizeof line, stdin)) std::printf("read %s", line);
  return argc > 1 ? std::atoi(argv[1]) : 0;
}
END
cat >"$project/experiments/sleeper/main.cpp" <<'END'
// Sleeps.
#include <unistd.h>
int main() { sleep(60); }
END
mkdir "$project/experiments/fifteen_letters"
echo '// Has a long name.' >"$project/experiments/fifteen_letters/main.cpp"
mkdir -p "$project/docs/course/exercises" "$project/docs/gallery"
{
  echo '// pole, 2013: it stands'
  sed 1d "$project/experiments/hello/main.cpp" | sed 's/GREETING/"pole"/'
} >"$project/docs/gallery/pole.cpp"
cat >"$project/grader.cpp" <<'END'
#include <cstdio>
bool my_answer(int question);
int main() {
  const bool right = my_answer(42);
  std::puts(right ? "solved: all 1 checks pass" : "  WRONG  the answer\n         yours is 41");
  return right ? 0 : 1;
}
END
exercise() { # number, body of its function
  printf '// Question %s (chapter 1)\nbool my_answer(int question) { return %s; }\n' "$1" "$2" \
    >"$project/docs/course/exercises/0$1_question.cpp"
}
exercise 1 'question == 41'
exercise 2 'question == 42'
cat >"$project/docs/course/hints.md" <<'END'
# Hints

Before them.

## 1. Question 1

1. Think.
2. Think
   again.

## 2. Question 2

1. None.
END
mkdir "$sandbox/elsewhere"
cd "$sandbox/elsewhere"
ln -s "$project/elk" "$sandbox/elk-link"
elk="$project/elk"

# shellcheck source=tests/launcher/checks.sh
. "$repository/tests/launcher/checks.sh"

# Words of the launcher's own
run "$elk"
check "no word is wrong usage" exits 2
check "which is told on stderr" has err "^Usage: '$elk' <program>"
check "and not on stdout" is_silent out
run "$elk" --help
check "--help succeeds" exits 0
check "--help tells the usage" has out "^Usage: '$elk' <program>"
check "and nothing that works in the repository only" has_not out '\./elk'
check "--help tells the programs" has out '^  hello  *says hello\.$'
run "$elk" list
check "list tells what programs do" has out '^  hello  *says hello\.$'
check "also without a name before it" has out '^  sleeper  *Sleeps\.$'
check "and apart from long names" has out '^  fifteen_letters Has a long name\.$'
run "$elk" --version
check "--version succeeds" exits 0
check "and tells the project's" has out '^sandbox 1\.2\.3$'
for word in nothing ../hello hello/ ''; do
  run "$elk" "$word"
  check "'$word' is no program" exits 2
  check "the programs are told for '$word'" has err 'says hello'
  check "'$word' prints nothing on stdout" is_silent out
done
run "$elk" data digits
check "digits are there" exits 0
for words in 'data nothing' data 'docs all'; do
  # shellcheck disable=SC2086  # two words
  run "$elk" $words
  check "'$words' is wrong usage" exits 2
done
run "$elk" course
check "course lists the exercises" has out '^   1  Question 1 (chapter 1) *$'
run "$elk" course 1 --hint 1
check "a hint is printed" test "$(cat "$sandbox/out")" = "1. Think."
check "and where the next one is" has err "^elk: for the next one: '$elk' course 1 --hint 2\$"
run "$elk" course 1 --hint 2
check "a hint of two lines" test "$(cat "$sandbox/out")" = "2. Think
   again."
check "and where the solution is" has err 'tests/course/solutions/01_question.cpp$'
run "$elk" course 1 --hint 3
check "hints that are not there are told" has err '^elk: exercise 1 has 2 hints$'
for words in '1 --hint 3' '1 --hint' '1 --hint x' '1 --help 1' 3 0 01 '*' ../1 '1 2'; do
  set -f
  # shellcheck disable=SC2086  # words
  run "$elk" course $words
  set +f
  check "'course $words' is wrong usage" exits 2
done
run "$elk" gallery
check "gallery lists its programs" has out '^  pole            2013: it stands$'
for words in 'nothing' '../gallery/pole' 'pole --fast' 'pole 1' '--smoke' 'pole --smoke 1'; do
  # shellcheck disable=SC2086  # words
  run "$elk" gallery $words
  check "'gallery $words' is wrong usage" exits 2
done
check "nothing was built for any of this" test ! -e "$project/build"

# Running a program
run "$elk" hello 7 'two words' ''
check "the exit code is the program's" exits 7
check "it runs in the caller's folder" has out "^hello from $PWD\$"
check "arguments stay whole" has out '^\[two words\]$'
check "empty ones too" has out '^\[\]$'
check "building is told" has err '^elk: building\.\.\.'
check "in one line" test "$(wc -l <"$sandbox/err")" -eq 1
check "only that program is built" test ! -e "$project/build/release/bin/sleeper"
check "and no tests" grep -q ELK_BUILD_TESTS:BOOL=OFF "$project/build/release/CMakeCache.txt"
run "$sandbox/elk-link" hello
check "it runs through a link" exits 0
check "with nothing to build, nothing is said" is_silent err

# The word by which it was called, for the hints of programs: a shell takes it in the same folder
calls_again() { # folder, how it is called there: a line for the shell
  cd "$1"
  code=0
  sh -c "$2 hello" >"$sandbox/out" 2>"$sandbox/err" </dev/null || code=$?
  again=$(sed -n 's/^again: //p' "$sandbox/out")
  [ "$code" -eq 0 ] || return
  sh -c "$again hello 7" >"$sandbox/out" 2>"$sandbox/err" </dev/null || code=$?
  exits 7
}
mkdir -p "$sandbox/it's \$HOME" "$sandbox/a=b"
ln -s "$project/elk" "$sandbox/it's \$HOME/elk"
ln -s "$project/elk" "$sandbox/a=b/elk"
ln -s "$project/elk" "$sandbox/a=b/-x"
while IFS='|' read -r folder line word; do
  check "$line can be called again" calls_again "$sandbox/$folder" "$line"
  check "$line by $word" test "$again" = "$word"
done <<'END'
a project|./elk|./elk
a project|sh elk|./elk
elsewhere|"../a project/elk"|'../a project/elk'
elsewhere|"../it's \$HOME/elk"|'../it'\''s $HOME/elk'
elsewhere|PATH="../a=b:$PATH" elk|'../a=b/elk'
.|"a=b/elk"|'./a=b/elk'
a=b|sh -- -x|./-x
END
cd "$sandbox/elsewhere"

code=0
printf 'input\n' | "$elk" hello >"$sandbox/out" 2>"$sandbox/err"
check "standard input is the program's" has out '^read input$'
"$elk" sleeper >"$sandbox/out" 2>"$sandbox/err" &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  case $(tr "\0" " " 2>/dev/null <"/proc/$pid/cmdline") in */bin/sleeper*) break ;; esac
  sleep 0.5
done
kill -TERM $pid
code=0
wait $pid || code=$?
check "signals reach the program" exits 143

# Closed descriptors, of which one would be the first file that is opened
for streams in '2>&-' '>&- 2>&-' '<&- >&- 2>&-' '>&-' '<&-'; do
  rm -rf "$project/build"
  code=0
  sh -c "exec \"\$0\" hello 7 $streams" "$elk" >"$sandbox/out" 2>"$sandbox/err" </dev/null || code=$?
  check "with $streams it builds and runs" exits 7
  run "$elk" hello
  check "and has spoilt nothing" exits 0
done

# Two at once
rm -rf "$project/build"
"$elk" hello >"$sandbox/out-1" 2>"$sandbox/err-1" &
pid=$!
run "$elk" hello
check "one of two at once succeeds" exits 0
code=0
wait $pid || code=$?
cat "$sandbox/out-1" "$sandbox/err-1" >"$sandbox/out"
check "and so does the other" exits 0

# Changes
run "$elk" build -DELK_GREETING=moin
check "build succeeds" exits 0
check "build prints nothing on stdout" is_silent out
check "build builds all" test -x "$project/build/release/bin/sleeper"
run "$elk" hello
check "build hands options to CMake" has out '^moin from'
sed -i 's/return argc/retrun argc/' "$project/experiments/hello/main.cpp"
run "$elk" hello
check "an error in the source fails" exits 1
check "with the compiler's message" has err "retrun"
check "and nothing on stdout" is_silent out
sed -i 's/retrun argc/return argc/' "$project/experiments/hello/main.cpp"
run "$elk" hello
check "the mended source runs" exits 0
check "after one line" has err '^elk: building\.\.\.$'
run "$elk" build -DELK_BUILD_EXPERIMENTS=OFF
run "$elk" sleeper
check "a program that was left out fails" exits 1
check "in one sentence, with the reason and the remedy" test "$(grep -v building "$sandbox/err")" = \
  "elk: sleeper was left out of the build, which was configured with ELK_BUILD_EXPERIMENTS=OFF; to have it: '$elk' build -DELK_BUILD_EXPERIMENTS=ON -DELK_SANITIZE="
run "$elk" build -DELK_BUILD_EXPERIMENTS=ON -DELK_SANITIZE=
check "which helps" ninja -C "$project/build/release" -n sleeper
mv "$project" "$sandbox/moved"
project=$sandbox/moved
elk=$project/elk
run "$elk" hello
check "a moved folder is built anew" exits 0

# Benchmarks
echo libbenchmark-dev >"$sandbox/lacking"
: >"$sandbox/calls"
run "$elk" bench 0 --help
check "bench is built and run" exits 0
check "in the caller's folder" has out "^bench from $PWD\$"
check "with its options" has out '^\[--help\]$'
check "with the package it needs" grep -q '^apt-get install -y .* libbenchmark-dev$' "$sandbox/calls"
check "which other programs do not" test "$(grep -c install "$sandbox/calls")" -eq 1
run "$elk" bench 2
check "its exit code is the program's" exits 2
rm "$project/build/release/bin/bench"
run "$elk" build
check "other builds are without it" test ! -e "$project/build/release/bin/bench"

# The gallery
run "$elk" gallery pole --smoke
check "a program of the gallery is run" has out "^pole from $PWD\$"
check "in smoke size" has out '^\[--smoke\]$'

# Exercises
run "$elk" course 2
check "a solved exercise succeeds" exits 0
check "and says so" has out '^solved'
run "$elk" course 1
check "an unsolved one fails" exits 1
check "with the verdict on stdout" has out 'WRONG  the answer'
run "$elk" course --all
check "all are judged" has out '^   2  Question 2 (chapter 1) *solved$'
check "with what is wrong" has out '^   1  Question 1 (chapter 1) *not solved: the answer$'
check "which fails where one is not solved" exits 1
exercise 1 'questin == 42'
run "$elk" course 1
check "one that does not compile fails" exits 1
check "with the compiler's words" has err '^docs/course/exercises/01_question.cpp:2:.*questin'
check "and whose fault it is" has err '^elk: docs/course/exercises/01_question.cpp does not compile'
check "and none of the build's" has_not err 'ninja\|FAILED'
check "and nothing on stdout" is_silent out
run "$elk" course --all
check "the others are judged all the same" has out '^   2  Question 2 (chapter 1) *solved$'
check "and that one told" has out '^   1  Question 1 (chapter 1) *not solved: it does not compile$'
run "$elk" build
check "other builds succeed" exits 0
sed -i 's/my_answer/your_answer/' "$project/docs/course/exercises/01_question.cpp"
sed -i 's/questin/question/' "$project/docs/course/exercises/01_question.cpp"
run "$elk" course 1
check "a function that went away is told" has err 'has no my_answer(int): its name'
exercise 1 'question == 42'
run "$elk" course --all
check "all solved succeeds" exits 0

# Tests
run "$elk" test
check "the exit code is CTest's" exits 8
check "CTest's summary comes last" test "$(tail -n 1 "$sandbox/err")" = "Errors while running CTest"
check "and tells the failure" has out 'fails (Failed)'
check "skipped tests are told" has err 'SKIPPED: .*ELK_DATA_DIR is not set'
run "$elk" test -R greets
check "options go to CTest" exits 0
mkdir -p data/mnist
export ELK_DATA_DIR=data
run "$elk" test -R greets
check "data sets that are there are not told" has_not err 'SKIPPED: .* mnist'
check "those that are not are" has err "SKIPPED: .*$PWD/data/cifar-10"
unset ELK_DATA_DIR

# Packages
lack() {
  printf 'libfmt-dev\nlibopenblas-dev\n' >"$sandbox/lacking"
  : >"$sandbox/calls"
}
lack
run "$elk" hello
check "packages are installed" exits 0
check "which is told" has err 'installing with apt-get .*: libopenblas-dev libfmt-dev$'
check "after an update" test "$(head -n 1 "$sandbox/calls")" = "apt-get update"
check "those that were lacking" grep -q '^apt-get install -y .* libopenblas-dev libfmt-dev$' "$sandbox/calls"
check "without sudo as root" sh -c "! grep -q sudo '$sandbox/calls'"
: >"$sandbox/calls"
run "$elk" hello
check "packages are installed once" test ! -s "$sandbox/calls"
lack
fake id 'echo 1000'
run "$elk" hello
check "others than root install by sudo" grep -q '^sudo env DEBIAN_FRONTEND=noninteractive apt-get install' "$sandbox/calls"
check "and succeed" exits 0
lack
export ELK_NO_INSTALL=1
run "$elk" hello
check "ELK_NO_INSTALL leaves packages alone" test ! -s "$sandbox/calls"
check "and says what is lacking" has err 'libopenblas-dev libfmt-dev'
check "and goes on" exits 0
unset ELK_NO_INSTALL
fake apt-get 'echo "E: the disk is full" >&2; exit 100'
run "$elk" hello
check "a failed installation fails" exits 1
check "with apt's message" has err 'E: the disk is full'
check "and nothing on stdout" is_silent out
rm "$sandbox/lacking"

# Places and tools that do not do
rm -rf "$project/build"
echo >"$project/build"
run "$elk" hello
check "a folder that cannot be written fails" exits 1
check "and says what to do" has err 'Copy the repository'
rm "$project/build"
fake cmake 'echo "cmake version 3.18.4"'
run "$elk" hello
check "an old CMake fails" exits 1
check "and says what is needed" has err 'CMake 3.25 or newer is needed; .* is 3.18.4'
rm "$fakes/cmake"

[ $failures -eq 0 ] || {
  printf '%s checks failed\n' "$failures"
  exit 1
}
