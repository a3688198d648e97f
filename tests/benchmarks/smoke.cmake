# bench from end to end, hardly measuring: its files, its options, and what is left when it is stopped.
#   cmake -D BENCH=<program> -D FOLDER=<to work in> -P smoke.cmake
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})

# bench(<exit code> [options...]): sets `out` and `err`.
function(bench expected)
  execute_process(COMMAND ${before} ${BENCH} ${ARGN} WORKING_DIRECTORY ${FOLDER}
                  RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL expected)
    message(FATAL_ERROR "bench ${ARGN}: exit code ${code}, expected ${expected}\n${out}\n${err}")
  endif()
  set(out "${out}" PARENT_SCOPE)
  set(err "${err}" PARENT_SCOPE)
endfunction()
function(expect what) # a condition
  if(NOT (${ARGN}))
    message(FATAL_ERROR "${what}\n${out}\n${err}")
  endif()
endfunction()

bench(0 --help)
expect("--help tells the options" out MATCHES "--pairs N")
foreach(wrong --nothing --pairs=0 --pairs=many --core=one "--filter=(" --filter=nothing_has_this_name stray)
  bench(2 ${wrong})
  expect("${wrong} is explained" err MATCHES "see ./elk bench --help")
  expect("${wrong} writes nothing" NOT out MATCHES "." AND NOT EXISTS ${FOLDER}/runs)
endforeach()
bench(0 --list)
expect("--list tells the rows" out MATCHES "side_by_side/784-128-10/b50/pytorch")
if(NOT out MATCHES "ops/recorded")
  message(NOTICE "SKIPPED: Google Benchmark was not there when this was built")
  return()
endif()

# Files and what they hold
bench(0 --smoke --quiet --out-dir=first "--filter=^ops/|^kernels/(softmax|matmul_forward/784x64)/?.*/b?1(x10)?/")
expect("with --quiet nothing is said" NOT err MATCHES ".")
file(READ ${FOLDER}/first/bench.md written)
expect("the output is bench.md" out STREQUAL written)
foreach(word "processor" "BLAS" "ops/recorded_and_backward" "an operation" "times as long" "FLOP/s")
  expect("the tables tell ${word}" out MATCHES "${word}")
endforeach()
file(READ ${FOLDER}/first/bench.json json)
string(JSON status GET "${json}" status)
string(JSON count LENGTH "${json}" benchmarks)
string(JSON processor GET "${json}" machine processor)
expect("bench.json has the status" status STREQUAL done)
expect("bench.json has the processor" processor MATCHES ".")
expect("bench.json has what was measured, not ${count}" count EQUAL 7)
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON seconds GET "${json}" benchmarks ${i} seconds)
  expect("seconds are a positive number, not ${seconds}" seconds GREATER 0)
endforeach()
bench(2 --smoke --out-dir=first --filter=^ops/)
expect("nothing is overwritten" err MATCHES "holds a bench.json already")

bench(0 --smoke --json --filter=^ops/recorded$)
string(JSON name GET "${out}" benchmarks 0 name)
expect("--json prints bench.json" name STREQUAL ops/recorded)
expect("progress is told" err MATCHES "\\[1/1\\] ops/recorded  ")
expect("the folder is the next free one" EXISTS ${FOLDER}/runs/bench-1/bench.md)

# Without data the rest is measured.
bench(0 --smoke --data-dir=nowhere --out-dir=no_data "--filter=^ops/recorded$|b50/plain_loops$|read_mnist")
expect("without data that is told" err MATCHES "left out: training side by side: .*nowhere")
expect("in the tables as well" out MATCHES "there is no MNIST here")

# Layers are measured where libtorch is, and told to be left out where it is not.
bench(0 --smoke --out-dir=layers "--filter=^layers/softmax/50x10/")
if(err MATCHES "left out: layers beside PyTorch")
  expect("without libtorch that is told, with what to install" err MATCHES "apt-get install libtorch-dev")
else()
  expect("layers are in a table" out MATCHES "layers/softmax/50x10/step [|] [0-9][^|]*s [|] [0-9][^|]*s [|]")
endif()

bench(0 --smoke --scaling --out-dir=scaling "--filter=width/(8|16|32)$")
expect("the growth is in a table" out MATCHES "\\| width \\| time \\| rate \\| order \\|")
file(READ ${FOLDER}/scaling/bench.json json)
string(JSON order GET "${json}" scaling width 2 order)

# Stopped once it has measured something. By SIGTERM: a shell lets what it starts in the background ignore SIGINT.
set(before sh -c [[
  "$@" 2>progress & id=$!
  until grep -q '1/' progress
  do
    kill -0 $id || exit
    sleep 0.1
  done
  kill -TERM $id
  wait $id]] sh) # no semicolon and no square bracket: CMake sees lists in them
bench(143 --out-dir=stopped --filter=^kernels/)
file(READ ${FOLDER}/stopped/bench.json json)
string(JSON status GET "${json}" status)
string(JSON count LENGTH "${json}" benchmarks)
expect("what was measured is kept" status STREQUAL stopped AND count GREATER 0)
