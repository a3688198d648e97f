# The BLAS behind matrix products: any that has its C interface. BLA_VENDOR asks for one: OpenBLAS, FLAME (which is BLIS)
# or Generic (on Debian the one that its alternatives name). `cblas` and `lapack` are what is linked before BLAS::BLAS, if
# anything.
find_package(BLAS QUIET GLOBAL)
if(NOT BLAS_FOUND)
  elk_missing("a BLAS for its matrix products" libopenblas-dev)
endif()

# elk_try_blas(<library>...): whether they work, in ELK_BLAS_WORKS, and their name in ELK_BLAS_NAME. What is built for
# another machine is linked, and not run.
function(elk_try_blas)
  list(GET BLAS_LIBRARIES 0 file)
  set(framework ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../framework)
  set(arguments SOURCES ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/blas_check.cpp ${framework}/elk/kernels/blas.cpp
                CMAKE_FLAGS -DINCLUDE_DIRECTORIES=${framework}
                COMPILE_DEFINITIONS "-DELK_BLAS=\"${file}\"" LINK_LIBRARIES ${ARGN} ${CMAKE_DL_LIBS}
                CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON)
  unset(ELK_BLAS_LINKS CACHE)
  unset(ELK_BLAS_RUN CACHE)
  set(name "${file}")
  if(CMAKE_CROSSCOMPILING)
    set(ELK_BLAS_RUN 0)
    try_compile(ELK_BLAS_LINKS ${PROJECT_BINARY_DIR}/CMakeFiles/blas ${arguments})
  else()
    try_run(ELK_BLAS_RUN ELK_BLAS_LINKS ${PROJECT_BINARY_DIR}/CMakeFiles/blas ${arguments} RUN_OUTPUT_VARIABLE name)
  endif()
  set(works OFF)
  if(ELK_BLAS_LINKS AND ELK_BLAS_RUN EQUAL 0)
    set(works ON)
  endif()
  set(ELK_BLAS_WORKS ${works} PARENT_SCOPE)
  set(ELK_BLAS_NAME "${name}" PARENT_SCOPE)
endfunction()

if(NOT ELK_BLAS_TRIED STREQUAL BLAS_LIBRARIES)  # once for each
  set(cblas "")
  elk_try_blas(${BLAS_LIBRARIES})
  if(NOT ELK_BLAS_WORKS)  # some have their C interface in a library of its own
    find_library(ELK_CBLAS cblas)
    mark_as_advanced(ELK_CBLAS)
    if(ELK_CBLAS)
      set(cblas ${ELK_CBLAS})
      elk_try_blas(${cblas} ${BLAS_LIBRARIES})
    endif()
  endif()
  list(JOIN BLAS_LIBRARIES " " files)
  if(NOT ELK_BLAS_WORKS)
    elk_missing("a BLAS with cblas_sgemm, cblas_dgemm and sizes of type int" libopenblas-dev "${files}, which is none")
  endif()
  unset(ELK_BLAS_HAS_LAPACK CACHE)
  unset(ELK_LAPACK_WORKS CACHE)
  set(ELK_BLAS_TRIED "${BLAS_LIBRARIES}" CACHE INTERNAL "The BLAS that was tried")
  set(ELK_BLAS_INTERFACE "${cblas}" CACHE INTERNAL "Its C interface, where that is a library of its own")
  message(STATUS "BLAS: ${ELK_BLAS_NAME} (${files})")
  if(NOT "${ELK_BLAS_NAME}" MATCHES "OpenBLAS|openblas")
    message(WARNING "elkgrad is tuned for OpenBLAS, which is many times faster than the reference BLAS. "
                    "On Debian: apt-get install libopenblas-dev")
  endif()
endif()
set(cblas ${ELK_BLAS_INTERFACE})

# OpenBLAS brings LAPACK, which elk::solve and its like call. Beside another BLAS it is a library of its own; without
# one these functions say so. `lapack` is what is linked before that BLAS: its calls are weak, which alone keep no library.
include(CheckCXXSourceCompiles)
set(calls_lapack "extern \"C\" void dgetrf_(); int main() { dgetrf_(); }")
set(CMAKE_REQUIRED_LIBRARIES ${cblas} ${BLAS_LIBRARIES})
check_cxx_source_compiles("${calls_lapack}" ELK_BLAS_HAS_LAPACK)
set(lapack "")
if(NOT ELK_BLAS_HAS_LAPACK)
  find_library(ELK_LAPACK lapack)
  mark_as_advanced(ELK_LAPACK)
  if(ELK_LAPACK)
    set(CMAKE_REQUIRED_LIBRARIES ${ELK_LAPACK} ${cblas} ${BLAS_LIBRARIES})
    check_cxx_source_compiles("${calls_lapack}" ELK_LAPACK_WORKS)
  endif()
  if(ELK_LAPACK_WORKS)
    set(lapack -Wl,--push-state,--no-as-needed ${ELK_LAPACK} -Wl,--pop-state)
  else()
    message(WARNING "this BLAS has no LAPACK beside it: elk::solve, inverse, cholesky and pca_whitening will say so. "
                    "On Debian: apt-get install liblapack-dev, or libopenblas-dev for both")
  endif()
endif()
unset(CMAKE_REQUIRED_LIBRARIES)
