#include <dlfcn.h>

#include <filesystem>
#include <string>

#include <elk/base/machine.hpp>

extern "C" {
void cblas_sgemm();  // for its address alone
// Present in OpenBLAS alone.
[[gnu::weak]] char* openblas_get_config();
[[gnu::weak]] char* openblas_get_corename();
}

namespace elk {

namespace {

// "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." gives "OpenBLAS 0.3.21"; old versions tell none.
std::string version_of(const std::string& config) {
  const std::string name = "OpenBLAS ";
  return config.starts_with(name) ? config.substr(0, config.find(' ', name.size())) : "OpenBLAS";
}

std::string end_of(const std::filesystem::path& path) {
  return (path.parent_path().filename() / path.filename()).string();
}

std::string find_blas() {
  if (openblas_get_config && openblas_get_corename)
    return version_of(openblas_get_config()) + " " + openblas_get_corename();
  namespace fs = std::filesystem;
  std::error_code error;
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&cblas_sgemm), &info) != 0) {
    // By Debian's alternatives a path leads through links to the library.
    const fs::path path = fs::canonical(info.dli_fname, error),
                   program = fs::read_symlink("/proc/self/exe", error);
    if (!path.empty() && path != program) return end_of(path);
  }
  return end_of(ELK_BLAS);
}

}  // namespace

std::string blas_name() {
  static const std::string name = find_blas();
  return name;
}

}  // namespace elk
