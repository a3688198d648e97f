# The library and a program of it as WebAssembly, by Debian's emscripten.
#
# elk_wasm(<target> OUTPUT <name> SOURCES <file>...): the module <name>.wasm, and <name>.js, which defines a function
# <target>({wasmBinary: bytes}) that gives it. What of the library it takes is listed below: what calls of the sources need.
find_program(ELK_EMXX em++)
find_program(ELK_NODE NAMES node nodejs)
mark_as_advanced(ELK_EMXX ELK_NODE)
set(ELK_WASM OFF)
if(ELK_EMXX AND ELK_NODE)
  set(ELK_WASM ON)
endif()

# Compiled a room at a time: what most files cost is reading the same headers.
set(wasm_rooms core kernels products elementwise rows ops debug)
set(wasm_core base/dtype base/moved base/rng base/shape tensor/random tensor/tensor autograd/gradients
    autograd/tape data/dataset data/digits nn/init nn/initializers nn/layers nn/module nn/parameter nn/sequential nn/uses
    optim/adaptive optim/optimizer)
set(wasm_kernels kernels/blas_call kernels/compare kernels/dropout kernels/elementwise kernels/index kernels/integers
    kernels/matmul kernels/move kernels/normalize kernels/product kernels/reduce kernels/search kernels/softmax
    kernels/update kernels/loops/loops)
set(wasm_products kernels/loops/products)
set(wasm_elementwise kernels/loops/elementwise)
set(wasm_rows kernels/loops/rows)
set(wasm_ops ops/activation ops/arithmetic ops/index ops/linalg ops/loss ops/math ops/reduce ops/search ops/shape)
set(wasm_debug base/parallel debug/inspect debug/trace debug/trace/explain debug/trace/graphviz debug/trace/layout)

function(elk_wasm target)
  cmake_parse_arguments(wasm "" "OUTPUT" "SOURCES" ${ARGN})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/wasm)
  # Only these headers of the system: beside them lie those of its C library.
  set(include ${folder}/include)
  file(MAKE_DIRECTORY ${include})
  get_filename_component(xtensor ${ELK_HEADER_xtensor} DIRECTORY)
  get_filename_component(blas ${ELK_HEADER_xtensor-blas} DIRECTORY)
  foreach(header fmt:${ELK_HEADER_fmt}/../../fmt nlohmann:${ELK_HEADER_nlohmann_json}/../../nlohmann
                 xtl:${xtensor}/../xtl xtensor:${xtensor}/../xtensor xflens:${blas}/../../xflens
                 xtensor-blas:${blas}/../../xtensor-blas)
    string(REGEX MATCH "^([a-z-]+):(.*)$" match ${header})
    get_filename_component(place ${CMAKE_MATCH_2} ABSOLUTE)
    file(CREATE_LINK ${place} ${include}/${CMAKE_MATCH_1} SYMBOLIC)
  endforeach()

  set(environment ${CMAKE_COMMAND} -E env --unset=EM_CONFIG NODE_PATH=/usr/share/nodejs CCACHE_COMPILERTYPE=clang)
  set(options -std=c++20 -fwasm-exceptions -msimd128 -ffp-contract=off -fno-math-errno -w -DELK_WASM -DELK_LEVEL=baseline
      -I${PROJECT_SOURCE_DIR}/framework -I${PROJECT_SOURCE_DIR}/experiments -isystem ${include})
  set(sources ${PROJECT_BINARY_DIR}/framework/page.cpp ${wasm_SOURCES})
  foreach(room ${wasm_rooms})
    set(text "")
    foreach(name ${wasm_${room}})
      string(APPEND text "#include <elk/${name}.cpp>\n")
    endforeach()
    file(CONFIGURE OUTPUT ${folder}/${room}.cpp CONTENT "${text}" @ONLY)
    list(APPEND sources ${folder}/${room}.cpp)
  endforeach()
  set(objects "")
  foreach(source ${sources})
    string(MD5 digest ${source})
    get_filename_component(name ${source} NAME_WE)
    string(SUBSTRING ${digest} 0 6 digest)
    set(object ${folder}/${name}-${digest}.o)
    set(optimize -Os)  # what calls is to be small, what loops over numbers fast
    if(name MATCHES "^(products|elementwise|rows|gemm)$")
      set(optimize -O2)
    endif()
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d
                       COMMAND ${environment} ${CMAKE_CXX_COMPILER_LAUNCHER} ${ELK_EMXX} ${optimize} ${options} -MD -MF ${object}.d
                               -MT ${object} -c ${source} -o ${object}
                       COMMENT "WebAssembly: ${name}.cpp" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  # No file system, no main: the module is called by the functions that it keeps alive.
  add_custom_command(OUTPUT ${wasm_OUTPUT}.js ${wasm_OUTPUT}.wasm DEPENDS ${objects}
                     COMMAND ${environment} ${ELK_EMXX} -Os -fwasm-exceptions -msimd128 --no-entry ${objects}
                             -sMODULARIZE=1 -sEXPORT_NAME=${target} -sALLOW_MEMORY_GROWTH=1
                             -sFILESYSTEM=0 -sENVIRONMENT=web,node -sEXPORTED_RUNTIME_METHODS=UTF8ToString,stringToUTF8,lengthBytesUTF8
                             -sEXPORTED_FUNCTIONS=_malloc,_free -o ${wasm_OUTPUT}.js
                     COMMENT "WebAssembly: ${target}" VERBATIM)
  add_custom_target(${target}_wasm DEPENDS ${wasm_OUTPUT}.js ${wasm_OUTPUT}.wasm)
endfunction()
