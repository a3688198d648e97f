# What elkgrad needs of a machine: whatever is not there is told in a sentence, with what to type.

# The command that installs a package, which is named as in Debian: for this distribution by cmake/packages.txt.
function(elk_advice debian result)
  set(release $ENV{ELK_SYSTEM_ROOT}/etc/os-release)  # which tests put elsewhere
  set(names "")
  set(debians "")
  if(EXISTS ${release})
    file(STRINGS ${release} names REGEX "^ID(_LIKE)?=")
    string(REGEX REPLACE "ID(_LIKE)?=" "" names "${names}")
    string(REGEX REPLACE "[ \"']+" ";" names "${names}")
  endif()
  set(columns fedora arch suse alpine brew conda)
  set(column -1)
  foreach(word ${names})
    string(REGEX REPLACE "^(.*suse.*|sles)$" "suse" word "${word}")
    string(REGEX REPLACE "^rhel$" "fedora" word "${word}")
    list(FIND columns "${word}" column)
    string(REGEX MATCH "^(debian|ubuntu)$" debians "${word}")
    if(debians OR NOT column EQUAL -1)
      break()
    endif()
  endforeach()
  # As in ./elk: an environment of conda's counts for more than any system but Debian.
  if(names STREQUAL "" AND CMAKE_HOST_SYSTEM_NAME STREQUAL "Darwin")
    list(FIND columns brew column)
  endif()
  if(NOT debians AND NOT "$ENV{CONDA_PREFIX}" STREQUAL "")
    list(FIND columns conda column)
  endif()
  set(advice "On Debian: apt-get install ${debian}")
  file(STRINGS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/packages.txt row REGEX "^${debian} ")
  if(NOT column EQUAL -1 AND NOT row STREQUAL "")
    set(commands "dnf install" "pacman -S" "zypper install" "apk add" "brew install" "conda install -c conda-forge")
    list(GET commands ${column} command)
    string(REGEX REPLACE " +" ";" row "${row}")
    math(EXPR column "${column} + 1")
    list(GET row ${column} name)
    if(name STREQUAL "?")
      set(advice "There is no package of it here, as far as we know: install it from its source")
    else()
      set(advice "Type: ${command} ${name}")
    endif()
  endif()
  set(${result} "${advice}" PARENT_SCOPE)
endfunction()

# elk_missing(<what is needed> <Debian's package> [<what was found>])
function(elk_missing needed debian)
  elk_advice(${debian} advice)
  list(JOIN ARGN ", " found)
  if(found STREQUAL "")
    set(found none)
  endif()
  message(FATAL_ERROR "\n  elkgrad needs ${needed}, and found ${found}. ${advice}\n")
endfunction()

# elk_require(<package> <at least version, or ""> <header> <Debian's package> [words of find_package]): for everyone,
# with its header.
macro(elk_require package version header debian)
  # CMake's own Find modules say nothing of what they passed over.
  find_package(${package} ${version} QUIET GLOBAL ${ARGN})
  if(NOT ${package}_FOUND)
    set(elk_found "")
    if(${package}_VERSION)
      set(elk_found "${${package}_VERSION}")
    elseif(${package}_CONSIDERED_VERSIONS)
      foreach(elk_config elk_version IN ZIP_LISTS ${package}_CONSIDERED_CONFIGS ${package}_CONSIDERED_VERSIONS)
        list(APPEND elk_found "${elk_version} (${elk_config})")
      endforeach()
    endif()
    string(REGEX REPLACE "(.+)" " \\1 or newer" elk_needed "${version}")
    elk_missing("${package}${elk_needed}" ${debian} ${elk_found})
  endif()
  get_filename_component(elk_folder "${${package}_DIR}" DIRECTORY)
  find_file(ELK_HEADER_${package} ${header} HINTS ${elk_folder}/../../include ${elk_folder}/../include
            ${elk_folder}/../../../include ${${package}_INCLUDE_DIRS} ${${package}_INCLUDE_DIR})
  mark_as_advanced(ELK_HEADER_${package})
  if(NOT ELK_HEADER_${package})
    elk_missing("${package}'s header ${header}" ${debian} "${package} without it")
  endif()
endmacro()

# A compiler of C++20, with a library to match.
function(elk_require_cxx20)
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_FLAGS "${CMAKE_CXX20_STANDARD_COMPILE_OPTION}")
  check_cxx_source_compiles("
    #include <bit>
    #include <compare>
    #include <concepts>
    #include <span>
    #include <string>
    struct Point { int x, y; auto operator<=>(const Point&) const = default; };
    template <std::integral T> T twice(T x) { return x + x; }
    int main() {
      const Point p{.x = 1, .y = twice(1)};
      const int values[] = {1, 2};
      return std::string(\"a\").starts_with('b') + (p < Point{}) + std::popcount(std::span(values).size()) > 5;
    }" ELK_HAS_CXX20)
  if(NOT ELK_HAS_CXX20)
    message(FATAL_ERROR "\n  elkgrad needs a compiler of C++20, GCC 12 or Clang 14 or newer, and found "
      "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} (${CMAKE_CXX_COMPILER}). "
      "Where there is another, name it in a fresh build folder: cmake --fresh -DCMAKE_CXX_COMPILER=g++-12 ...\n")
  endif()
endfunction()
