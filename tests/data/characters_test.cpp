// Text as numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <elk/data/characters.hpp>
#include <support.hpp>

namespace elk {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

TEST(Characters, AreNumberedAndComeBack) {
  const std::string text = "b\u00e9a\u20acb\U0001F600";
  const Characters characters(text);
  EXPECT_EQ(characters.size(), 5);
  const Tensor ids = characters.encode(text);
  EXPECT_EQ(ids.dtype(), i64);
  EXPECT_THAT(values(ids), ElementsAre(1, 2, 0, 3, 1, 4));
  EXPECT_EQ(characters.decode(ids), text);
  EXPECT_EQ(characters.encode("").size(), 0);
  EXPECT_EQ(Characters("").size(), 0);
}

TEST(Characters, RefuseWhatTheyDoNotKnow) {
  const Characters characters("ab");
  EXPECT_EQ(error_of<ValueError>([&] { (void)characters.encode("ab\u00e9"); }),
            "[characters] \"\u00e9\" at byte 2 is not one of the 2 known");
  for (const char* bad : {"a\xff", "a\xc3", "a\xe2\x82", "a\x80", "a\xc0\x80", "a\xc3z"})
    EXPECT_EQ(error_of<ValueError>([&] { Characters{bad}; }), "[characters] byte 1 is no UTF-8") << bad;
  EXPECT_EQ(error_of<IndexError>([&] { (void)characters.decode(arange(3)); }),
            "[characters] id 2 is outside 2 characters");
  EXPECT_EQ(error_of<DTypeError>([&] { (void)characters.decode(zeros({1})); }),
            "[characters] expected ids of i64, got f32: write cast(ids, i64)");
}

TEST(NextIds, AreWindowsAndWhatFollows) {
  const Examples next = next_ids(arange(5), 3);
  EXPECT_EQ(next.size(), 2);
  const Batch batch = next.gather(std::vector<Index>{1, 0});
  EXPECT_THAT(values(batch.x), ElementsAre(1, 2, 3, 0, 1, 2));
  EXPECT_THAT(values(batch.labels), ElementsAre(2, 3, 4, 1, 2, 3));
  EXPECT_EQ(error_of<ValueError>([] { (void)next_ids(arange(3), 3); }),
            "[next_ids] expected a length from 1 to below the 3 ids, got 3");
  EXPECT_EQ(error_of<ValueError>([] { (void)next_ids(arange(3), 0); }),
            "[next_ids] expected a length from 1 to below the 3 ids, got 0");
  EXPECT_EQ(error_of<ShapeError>([] {
              (void)next_ids(zeros({2, 2}, i64), 1);
            }),
            "[next_ids] expected ids (T), got (2, 2)");
  EXPECT_EQ(error_of<DTypeError>([] { (void)next_ids(zeros({3}), 1); }),
            "[next_ids] expected ids of i64, got f32: write cast(ids, i64)");
}

}  // namespace
}  // namespace elk
