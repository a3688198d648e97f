# cpack makes two packages of Debian's: libelkgrad-dev, the library, and elkgrad, the programs, each of which
# `elkgrad <program>` runs. They install on the system that they were built on.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME elkgrad)
set(CPACK_PACKAGE_CONTACT "The elkgrad authors <elkgrad@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)

set(CPACK_COMPONENTS_ALL libelkgrad-dev)
set(CPACK_DEBIAN_LIBELKGRAD-DEV_PACKAGE_NAME libelkgrad-dev)
set(CPACK_DEBIAN_LIBELKGRAD-DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_LIBELKGRAD-DEV_DESCRIPTION "A deep-learning framework in C++20: its library and headers.")
# A static library needs what it was built on, and has no record of it. Of BLAS that is the very file that elkgrad.pc
# names, unless it is from elsewhere than a package.
set(needs "libfmt-dev, zlib1g-dev")
foreach(file ${ELK_BLAS_INTERFACE} ${ELK_BLAS_TRIED})
  if(file MATCHES "^/usr/lib/.*lib([a-z]+)\\.(so|a)$")
    set(package "lib${CMAKE_MATCH_1}-dev")
    if(CMAKE_MATCH_1 STREQUAL "blas")
      string(APPEND package " | libblas.so")  # which all that can take its place provide
    endif()
    string(PREPEND needs "${package}, ")
  endif()
endforeach()
if(ELK_GRAPHVIZ)
  string(APPEND needs ", libgraphviz-dev")
endif()
set(CPACK_DEBIAN_LIBELKGRAD-DEV_PACKAGE_DEPENDS "${needs}")
set(CPACK_DEBIAN_LIBELKGRAD-DEV_PACKAGE_SHLIBDEPS ${BUILD_SHARED_LIBS})
set(CPACK_DEBIAN_LIBELKGRAD-DEV_PACKAGE_RECOMMENDS libxtensor-dev)

if(ELK_BUILD_EXPERIMENTS)
  list(APPEND CPACK_COMPONENTS_ALL elkgrad)
  set(CPACK_DEBIAN_ELKGRAD_PACKAGE_NAME elkgrad)
  set(CPACK_DEBIAN_ELKGRAD_PACKAGE_SECTION science)
  set(CPACK_COMPONENT_ELKGRAD_DESCRIPTION "Programs that train small networks and study how they learn.")
  set(CPACK_DEBIAN_ELKGRAD_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_ELKGRAD_PACKAGE_RECOMMENDS "gnuplot-nox, curl")
endif()

include(CPack)
