// The bytes of a file, unpacked if it is gzip. Private: for the readers of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace elk::detail {

/// Reads a file from front to back. Every error is a FileError that names the file.
class ByteFile {
 public:
  /// FileError when it is missing, not a regular file, unreadable or empty.
  explicit ByteFile(std::string path);
  ~ByteFile();
  ByteFile(const ByteFile&) = delete;
  ByteFile& operator=(const ByteFile&) = delete;

  const std::string& path() const { return path_; }

  /// Fills `to` as far as there are bytes; returns how many. FileError for a gzip stream that is cut off or
  /// corrupt.
  std::size_t read(std::span<std::uint8_t> to);

  /// Throws unless `header` bytes read so far and `payload` bytes still to come can be what the file holds:
  /// exactly, where it is not packed; otherwise at most what that many packed bytes can unpack to. To be
  /// called before memory is set aside for a size that the file itself claims.
  void expect(std::uint64_t header, std::uint64_t payload) const;

  /// Fills `to`, which must be all that is left. FileError when bytes are missing or left over.
  void read_rest(std::span<std::uint8_t> to);

 private:
  [[noreturn]] void wrong_size(std::uint64_t expected, const std::string& found) const;

  std::string path_;
  void* file_;  // gzFile
  std::uint64_t size_on_disk_;
  std::uint64_t position_ = 0;
  bool packed_;
};

/// What a file that begins with `bytes` seems to be, for messages: "a PNG image"; empty when nothing is
/// recognised.
std::string looks_like(std::span<const std::uint8_t> bytes);

}  // namespace elk::detail
