# UNTRIED: written by vcpkg's documentation, and never run. A port that builds the tree that it lies in:
#   vcpkg install elkgrad --overlay-ports=<elkgrad>/cmake/vcpkg
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}"
                      OPTIONS -DELK_BUILD_EXPERIMENTS=OFF -DELK_BUILD_TESTS=OFF -DELK_GRAPHVIZ=OFF -DELK_ONEDNN=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/elkgrad)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
