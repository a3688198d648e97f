// SHA-256, by which what changed at rest is noticed. Private.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace elk {

/// A digest of bytes that arrive in pieces (NIST, FIPS 180-4, 2015).
class Sha256 {
 public:
  /// With x86-64's instructions for it where the processor has them, unless `portable`: several times as
  /// fast.
  explicit Sha256(bool portable = false);

  void add(std::string_view bytes);
  /// Of all that was added, as 64 hexadecimal digits; nothing can be added afterwards.
  std::string hex();

 private:
  static constexpr std::size_t block_bytes = 64;

  /// Takes so many blocks into the state.
  void (*compress_)(std::uint32_t* state, const unsigned char* blocks, std::size_t count);
  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, block_bytes> rest_{};  // what does not fill a block yet
  std::size_t held_ = 0;                           // bytes of it
  std::uint64_t bytes_ = 0;
};

/// The SHA-256 of `bytes`, as 64 hexadecimal digits.
std::string sha256(std::string_view bytes);

}  // namespace elk
