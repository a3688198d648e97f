// What the fuzz targets share.
//
// A target reads any bytes as a file of its format. It may refuse them, by throwing an error of the
// library's; whatever else happens is a finding: another exception, a crash, a leak, a long time, much
// memory, or a value that does not come back as it was when it is written and read again.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <elk/base/error.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::fuzz {

/// Makes a finding of what is not as it has to be.
inline void check(bool good, const char* what) {
  if (good) return;
  ::dprintf(STDERR_FILENO, "fuzz: %s\n", what);  // the target may have sent stderr elsewhere
  std::abort();
}

/// Whether `read` ends without throwing an E.
template <class E = Error, class F>
bool accepted(F read) {
  try {
    read();
    return true;
  } catch (const E&) {
    return false;
  }
}

inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A file that lives in memory, for readers that want a path.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    check(descriptor_ >= 0, "no file in memory");
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  /// The path of the file, which from now on holds `bytes`.
  const std::string& holding(std::string_view bytes) {
    check(::ftruncate(descriptor_, 0) == 0 &&
              ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
          "the file in memory cannot be written");
    return path_;
  }

 private:
  int descriptor_;
  std::string path_;
};

inline bool same(const Tensor& a, const Tensor& b) {
  const std::size_t bytes = static_cast<std::size_t>(a.size()) * byte_size(a.dtype());
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (bytes == 0 || std::memcmp(detail::readable<char>(a), detail::readable<char>(b), bytes) == 0);
}

inline bool same(const State& a, const State& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NamedTensor& x, const NamedTensor& y) {
    return x.name == y.name && same(x.value, y.value);
  });
}

}  // namespace elk::fuzz
