#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <elk/base/format.hpp>
#include <elk/data/byte_file.hpp>

namespace elk::detail {

namespace fs = std::filesystem;

ByteFile::ByteFile(std::string path) : path_(std::move(path)) {
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (status.type() == fs::file_type::not_found) fail<FileError>("[data] {} does not exist", path_);
  if (error) fail<FileError>("[data] {} cannot be read: {}", path_, error.message());
  if (status.type() != fs::file_type::regular)
    fail<FileError>("[data] {} is {}, expected a file", path_,
                    status.type() == fs::file_type::directory ? "a folder" : "not a regular file");
  size_on_disk_ = fs::file_size(path_, error);
  if (error) fail<FileError>("[data] {} cannot be read: {}", path_, error.message());
  if (size_on_disk_ == 0) fail<FileError>("[data] {} is empty (0 bytes)", path_);
  errno = 0;
  gzFile file = gzopen(path_.c_str(), "rb");
  if (!file)
    fail<FileError>("[data] {} cannot be read: {}", path_, errno ? std::strerror(errno) : "out of memory");
  // zlib 1.3.2 reports a whole file as cut off if its last byte is the last of the buffer as well.
  auto buffer = std::clamp<std::uint64_t>(size_on_disk_, 1u << 13, 1u << 17);
  if (size_on_disk_ % buffer == 0) ++buffer;
  gzbuffer(file, static_cast<unsigned>(buffer));
  packed_ = gzdirect(file) == 0;
  file_ = file;
}

ByteFile::~ByteFile() { gzclose_r(static_cast<gzFile>(file_)); }

std::size_t ByteFile::read(std::span<std::uint8_t> to) {
  auto* file = static_cast<gzFile>(file_);
  std::size_t done = 0;
  while (done < to.size()) {
    const auto piece = static_cast<unsigned>(std::min(to.size() - done, std::size_t{1} << 30));
    const int got = gzread(file, to.data() + done, piece);
    int code = Z_OK;
    const char* text = gzerror(file, &code);
    // A stream that is cut off is not an error of gzread: it returns what there was and leaves Z_BUF_ERROR
    // behind.
    if (code == Z_BUF_ERROR)
      fail<FileError>("[data] {} is cut off: the gzip stream ends too early, after {} unpacked bytes", path_,
                      position_ + static_cast<std::uint64_t>(std::max(got, 0)));
    if (got < 0 || code != Z_OK) {
      if (code == Z_ERRNO) fail<FileError>("[data] {} cannot be read: {}", path_, std::strerror(errno));
      // zlib puts the path before its text.
      std::string_view why = text;
      if (why.starts_with(path_ + ": ")) why.remove_prefix(path_.size() + 2);
      fail<FileError>("[data] {} is corrupt: gzip reports \"{}\"", path_, why);
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
    position_ += static_cast<std::uint64_t>(got);
  }
  return done;
}

void ByteFile::expect(std::uint64_t header, std::uint64_t payload) const {
  // Deflate gives at most 1032 bytes for one; the rest is generous for headers.
  constexpr std::uint64_t most_per_byte = 1032, slack = 1 << 16, limit = std::uint64_t{1} << 34;
  const std::uint64_t expected = header + payload;
  if (payload > limit || (packed_ && expected > size_on_disk_ * most_per_byte + slack))
    fail<FileError>("[data] {} claims to hold {} bytes, more than its {} bytes on disk can", path_, expected,
                    size_on_disk_);
  if (!packed_ && expected != size_on_disk_) wrong_size(expected, fmt::format("{}", size_on_disk_));
}

void ByteFile::read_rest(std::span<std::uint8_t> to) {
  const std::uint64_t expected = position_ + to.size();
  if (read(to) != to.size()) wrong_size(expected, fmt::format("{}", position_));
  // Asking for one more byte also makes zlib compare the checksum at the end of the stream.
  std::uint8_t more;
  if (read({&more, 1}) != 0) wrong_size(expected, "more");
}

void ByteFile::wrong_size(std::uint64_t expected, const std::string& found) const {
  fail<FileError>("[data] {} has the wrong size: expected {} bytes{}, found {}", path_, expected,
                  packed_ ? " unpacked" : "", found);
}

std::string looks_like(std::span<const std::uint8_t> bytes) {
  using namespace std::string_view_literals;
  struct Known {
    std::string_view start;
    const char* what;
  };
  static constexpr std::array known{
      Known{"\x00\x00\x08\x01"sv, "IDX labels"},
      Known{"\x00\x00\x08\x03"sv, "IDX images"},
      Known{"\x03\x08\x00\x00"sv, "IDX images with the bytes of each number reversed"},
      Known{"\x01\x08\x00\x00"sv, "IDX labels with the bytes of each number reversed"},
      Known{"\x1f\x8b"sv, "a gzip file, packed twice"},
      Known{"PK"sv, "a zip archive: unpack it first"},
      Known{"BZh"sv, "a bzip2 file: unpack it first"},
      Known{"\xfd"
            "7zXZ"sv,
            "an xz file: unpack it first"},
      Known{"\x93NUMPY"sv, "a NumPy .npy file"},
      Known{"\x89PNG"sv, "a PNG image"},
      Known{"\xff\xd8"sv, "a JPEG image"},
      Known{"\x80\x02"sv, "a Python pickle"},
      Known{"version https://git-lfs"sv, "a Git LFS pointer: the download is not complete"},
      Known{"<"sv, "a web page: the download went wrong"},
  };
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Known& k : known)
    if (text.starts_with(k.start)) return k.what;
  return {};
}

}  // namespace elk::detail
