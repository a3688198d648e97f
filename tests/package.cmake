# cmake -P package.cmake: the package as others use it. Variables:
#   STEP     install: installs the build BUILT beneath PREFIX; given SOURCE, builds shared libraries there first, as a
#            part of the project PROJECT, whose program subproject is run
#            subproject: configures PROJECT, of which SOURCE is a part, in FOLDER with static libraries
#            cmake: builds the project PROJECT with what is installed in PREFIX, in FOLDER, as TYPE, and runs PROGRAM
#            pkg-config: the same for PROJECT/main.cpp with nothing but the compiler
#            debian: makes Debian packages of the build BUILT in FOLDER, and looks into them
#            symbols: looks at what the shared libraries in PREFIX show
#   COMPILER the C++ compiler
cmake_minimum_required(VERSION 3.25)
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

if(STEP STREQUAL install)
  if(SOURCE)
    # How fast they are is not what is tested.
    run(${CMAKE_COMMAND} -S ${PROJECT} -B ${BUILT} -G Ninja -D ELKGRAD_SOURCE=${SOURCE} -D CMAKE_CXX_FLAGS=-O0
        -D BUILD_SHARED_LIBS=ON -D CMAKE_UNITY_BUILD=ON -D CMAKE_CXX_COMPILER=${COMPILER} ${OPTIONS})
    run(${CMAKE_COMMAND} --build ${BUILT})
    execute_process(COMMAND ${BUILT}/subproject WORKING_DIRECTORY ${BUILT} COMMAND_ERROR_IS_FATAL ANY)
  endif()
  file(REMOVE_RECURSE ${PREFIX})
  run(${CMAKE_COMMAND} --install ${BUILT} --prefix ${PREFIX})

elseif(STEP STREQUAL subproject)  # what is compiled there is what is compiled elsewhere
  run(${CMAKE_COMMAND} --fresh -S ${PROJECT} -B ${FOLDER} -G Ninja -D ELKGRAD_SOURCE=${SOURCE}
      -D CMAKE_CXX_COMPILER=${COMPILER})

elseif(STEP STREQUAL cmake)
  file(REMOVE_RECURSE ${FOLDER})
  run(${CMAKE_COMMAND} -S ${PROJECT} -B ${FOLDER} -G Ninja -D CMAKE_BUILD_TYPE=${TYPE}
      -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_PREFIX_PATH=${PREFIX})
  run(${CMAKE_COMMAND} --build ${FOLDER})
  file(SIZE ${FOLDER}/${PROGRAM} size)
  message("${PROGRAM}: ${size} bytes")
  execute_process(COMMAND ${FOLDER}/${PROGRAM} WORKING_DIRECTORY ${FOLDER} COMMAND_ERROR_IS_FATAL ANY)

elseif(STEP STREQUAL pkg-config)
  find_program(PKG_CONFIG pkg-config)
  if(NOT PKG_CONFIG)
    message("SKIPPED: there is no pkg-config here. On Debian: apt-get install pkg-config")
    return()
  endif()
  file(REMOVE_RECURSE ${FOLDER})
  file(MAKE_DIRECTORY ${FOLDER})
  file(GLOB_RECURSE description ${PREFIX}/elkgrad.pc)
  get_filename_component(search ${description} DIRECTORY)
  set(ENV{PKG_CONFIG_PATH} ${search})
  run(sh -c "${COMPILER} -std=c++20 -O2 ${PROJECT}/main.cpp -o ${FOLDER}/main $(pkg-config --cflags --libs elkgrad)")
  get_filename_component(libraries ${search} DIRECTORY)
  set(ENV{LD_LIBRARY_PATH} ${libraries})
  execute_process(COMMAND ${FOLDER}/main WORKING_DIRECTORY ${FOLDER} COMMAND_ERROR_IS_FATAL ANY)

elseif(STEP STREQUAL debian)
  foreach(tool dpkg-shlibdeps:dpkg-dev file:file)  # which CPack runs
    string(REGEX REPLACE ":.*" "" program ${tool})
    string(REGEX REPLACE ".*:" "" package ${tool})
    find_program(PROGRAM_${program} ${program})
    if(NOT PROGRAM_${program})
      message("SKIPPED: there is no ${program} here. On Debian: apt-get install ${package}")
      return()
    endif()
  endforeach()
  file(REMOVE_RECURSE ${FOLDER})
  run(${CMAKE_CPACK_COMMAND} --config ${BUILT}/CPackConfig.cmake -B ${FOLDER})
  foreach(package libelkgrad-dev elkgrad)
    file(GLOB file ${FOLDER}/${package}_*.deb)
    run(dpkg-deb -x ${file} ${FOLDER}/root)
    execute_process(COMMAND dpkg-deb -f ${file} Package Depends COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND dpkg-deb -f ${file} Depends OUTPUT_VARIABLE depends_${package})
  endforeach()
  # What elkgrad.pc names is what the package depends on, and nothing else in its place.
  file(STRINGS ${FOLDER}/root/usr/lib/pkgconfig/elkgrad.pc libs REGEX "^Libs.*/libopenblas\\.so")
  if(libs AND NOT depends_libelkgrad-dev MATCHES "(^|, )libopenblas-dev(,|\n)")
    message(SEND_ERROR "elkgrad.pc has ${libs}, and the package depends on ${depends_libelkgrad-dev}")
  endif()
  foreach(file include/elk/elk.hpp lib/libelkgrad.a lib/cmake/elkgrad/elkgradConfig.cmake lib/pkgconfig/elkgrad.pc)
    if(NOT EXISTS ${FOLDER}/root/usr/${file})
      message(SEND_ERROR "the package libelkgrad-dev lacks ${file}")
    endif()
  endforeach()
  run(${FOLDER}/root/usr/bin/elkgrad train --version)
  run(${FOLDER}/root/usr/bin/elkgrad data digits)
  # It tells the word by which it was called, in the path or by a path.
  set(ENV{PATH} "${FOLDER}/root/usr/bin:$ENV{PATH}")
  set(link "${FOLDER}/it's another")
  file(CREATE_LINK ${FOLDER}/root/usr/bin/elkgrad ${link} SYMBOLIC)
  foreach(call elkgrad "'${FOLDER}/it'\\''s another'")
    execute_process(COMMAND sh -c "${call} train --help" OUTPUT_VARIABLE help COMMAND_ERROR_IS_FATAL ANY)
    string(FIND "${help}" "Usage: ${call} train [options]" at)
    if(NOT at EQUAL 0 OR help MATCHES "\\./elk")
      message(SEND_ERROR "called as ${call}, train's help is ${help}")
    endif()
  endforeach()
  execute_process(COMMAND ${FOLDER}/root/usr/bin/elkgrad ../train RESULT_VARIABLE code ERROR_VARIABLE usage)
  if(NOT code EQUAL 2 OR NOT usage MATCHES "\n  train\n")
    message(SEND_ERROR "elkgrad ../train should be wrong usage, and was ${code}: ${usage}")
  endif()

elseif(STEP STREQUAL symbols)
  file(GLOB_RECURSE libraries ${PREFIX}/*.so)
  foreach(library ${libraries})
    # Mangled: a function of ours may take a type of elk::kernels, and still is none of its functions.
    execute_process(COMMAND nm -D --defined-only ${library} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX REPLACE "\n$" "" symbols "${symbols}")
    string(REPLACE ";" "," symbols "${symbols}")
    string(REPLACE "\n" ";" symbols "${symbols}")
    list(LENGTH symbols count)
    foreach(symbol ${symbols})
      if(NOT symbol MATCHES "3elk" OR symbol MATCHES " _Z[A-Z]*3elk7kernels")
        message(SEND_ERROR "${library} shows ${symbol}")
      endif()
    endforeach()
    message("${library}: ${count} symbols")
    if(count LESS 10)
      message(SEND_ERROR "that is hardly the library")
    endif()
  endforeach()
  list(LENGTH libraries count)
  if(NOT count EQUAL 2)
    message(SEND_ERROR "expected two shared libraries beneath ${PREFIX}, found ${count}")
  endif()
endif()
