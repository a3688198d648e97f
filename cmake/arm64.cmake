# Toolchain for 64-bit ARM, from Debian's cross compiler: g++-aarch64-linux-gnu, the libraries as packages :arm64 (after
# dpkg --add-architecture arm64), and qemu-user to run what comes out. See the preset arm64.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

find_program(ELK_QEMU_ARM64 NAMES qemu-aarch64 qemu-aarch64-static)
if(ELK_QEMU_ARM64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${ELK_QEMU_ARM64})
endif()

# Headers and libraries are Debian's for that architecture; programs are this machine's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
