// What the tests of this folder share.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <elk/data/dataset.hpp>

/// The statement throws an `E` with exactly this text.
#define EXPECT_ERROR(statement, E, text)                     \
  try {                                                      \
    (void)(statement);                                       \
    ADD_FAILURE() << "no error, expected: " << (text);       \
  } catch (const E& error) {                                 \
    EXPECT_EQ(std::string(error.what()), std::string(text)); \
  }

namespace elk {

using Bytes = std::vector<std::uint8_t>;

/// n images whose values count up from 0 (modulo 256), with labels 0 ... 9 in turn.
inline Dataset counting(Index n, const Shape& sample) {
  Shape shape{n};
  for (const Index size : sample) shape.push_back(size);
  Bytes values(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i % 10);
  return {"counting", from(values, shape), from(labels), {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}};
}

/// A folder that is gone after the test.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "elk-data-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }

  /// Writes a file, making the folders on the way; returns its path.
  std::string write(const std::string& name, const Bytes& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }

 private:
  std::string path_;
};

/// The bytes as a gzip file.
inline Bytes gzip(const Bytes& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes packed(deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

inline void append(Bytes& to, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>(number >> shift));
}

/// An IDX file of `payload` under a header that may say anything.
inline Bytes idx(std::uint32_t magic, const std::vector<std::uint32_t>& sizes, const Bytes& payload) {
  Bytes bytes;
  append(bytes, magic);
  for (const auto size : sizes) append(bytes, size);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

/// Bytes that do not pack well, so that a cut packed file is cut in its middle.
inline Bytes noise(std::size_t n, std::uint64_t seed = 1) {
  Rng rng(seed);
  Bytes bytes(n);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(rng.bits());
  return bytes;
}

}  // namespace elk
