# elk_require(<package> <least version, or ""> <Debian's package> [options of find_package...])
# find_package, and where it finds nothing, or what is too old, one sentence that says what is missing and what to type.
macro(elk_require name least debian)
  find_package(${name} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "elkgrad needs ${name} and did not find it. On Debian: apt-get install ${debian}")
  elseif(NOT "${least}" STREQUAL "" AND "${${name}_VERSION}" VERSION_LESS "${least}")
    message(FATAL_ERROR "elkgrad needs ${name} ${least} or newer and found ${${name}_VERSION} (${${name}_DIR}). "
                        "Debian 12 and later have that in ${debian}")
  endif()
endmacro()

# elk_require_compiler(<CMake's name of a compiler> <least version>)
function(elk_require_compiler id least)
  if(CMAKE_CXX_COMPILER_ID STREQUAL id AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS least)
    message(FATAL_ERROR "elkgrad is C++20 and needs GCC 12, Clang 14 or newer; ${CMAKE_CXX_COMPILER} is ${id} "
                        "${CMAKE_CXX_COMPILER_VERSION}. Another one is taken with CXX=<compiler> in a new build folder")
  endif()
endfunction()
