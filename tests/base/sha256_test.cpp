#include <gtest/gtest.h>

#include <elk/base/sha256.hpp>

namespace elk {
namespace {

TEST(Sha256, OfTheStandardsExamples) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
                   "lmnopqrsmnopqrstnopqrstu"),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// The digest of the digests of 0 to 299 bytes, by Python's hashlib: every way to fill the last block.
TEST(Sha256, OfEveryLength) {
  Sha256 all;
  for (std::size_t size = 0; size < 300; ++size) all.add(sha256(std::string(size, 'x')));
  EXPECT_EQ(all.hex(), "3d495ac8356e73941898cd69a28db2416d82a39572f771b3306e99afe7e013e0");
}

TEST(Sha256, InPieces) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += static_cast<char>(i * 37);
  for (std::size_t piece = 1; piece < 140; ++piece) {
    Sha256 sum;
    for (std::size_t at = 0; at < text.size(); at += piece) sum.add(std::string_view(text).substr(at, piece));
    EXPECT_EQ(sum.hex(), sha256(text)) << piece;
  }
}

// With and without the processor's instructions, where it has some.
TEST(Sha256, PortablyIsTheSame) {
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    Sha256 sum, portable(true);
    sum.add(text), portable.add(text);
    const std::string digest = sum.hex();
    ASSERT_EQ(portable.hex(), digest) << i;
    text += digest.substr(0, static_cast<std::size_t>(i % 7));
  }
}

}  // namespace
}  // namespace elk
