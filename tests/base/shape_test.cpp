#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>
#include <vector>

#include <elk/base/dtype.hpp>
#include <elk/base/error.hpp>
#include <elk/base/shape.hpp>

namespace elk {
namespace {

using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

TEST(Shape, RankSizeAndText) {
  EXPECT_EQ(Shape().rank(), 0);
  EXPECT_EQ(Shape().size(), 1);
  EXPECT_EQ(to_string(Shape()), "()");
  EXPECT_EQ(to_string(Shape{7}), "(7)");
  EXPECT_EQ(to_string(Shape{50, 784}), "(50, 784)");
  EXPECT_EQ((Shape{2, 3, 4}).size(), 24);
  EXPECT_EQ((Shape{2, 0, 4}).size(), 0);
  const std::vector<Index> sizes{5, 1, 6};
  EXPECT_EQ(Shape(std::span<const Index>(sizes)), (Shape{5, 1, 6}));
  const Shape shape{2, 3};
  EXPECT_EQ(std::vector<Index>(shape.begin(), shape.end()), (std::vector<Index>{2, 3}));
}

TEST(Shape, Equality) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2}), (Shape{2, 1}));
  EXPECT_NE(Shape(), Shape{1});
}

TEST(Shape, AxesCountFromBothEnds) {
  Shape shape{2, 3, 4};
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape[-3], 2);
  shape[-2] = 7;
  EXPECT_EQ(shape, (Shape{2, 7, 4}));
  const Shape& fixed = shape;
  EXPECT_THAT([&] { return fixed[3]; }, ThrowsMessage<IndexError>("[shape] axis 3 is outside (2, 7, 4)"));
  EXPECT_THAT([&] { return fixed[-4]; }, ThrowsMessage<IndexError>("[shape] axis -4 is outside (2, 7, 4)"));
  EXPECT_THAT([] { return Shape()[0]; }, ThrowsMessage<IndexError>("[shape] axis 0 is outside ()"));
}

TEST(Shape, AtMostEightAxes) {
  Shape shape{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(shape.size(), 40320);
  EXPECT_THAT([&] { shape.push_back(9); }, ThrowsMessage<ShapeError>("[shape] at most 8 axes are supported"));
  EXPECT_THAT(([] { return Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}; }),
              ThrowsMessage<ShapeError>("[shape] at most 8 axes are supported"));
  EXPECT_EQ(shape.rank(), 8);
}

TEST(Shape, SizeThatOverflowsIsAnErrorAndNotASmallNumber) {
  constexpr Index huge = Index{1} << 62;
  EXPECT_EQ((Shape{huge}).size(), huge);
  EXPECT_THAT(
      ([] {
        return Shape{huge, 4}.size();
      }),
      ThrowsMessage<ShapeError>("[shape] (4611686018427387904, 4) has more elements than can be counted"));
  EXPECT_EQ((Shape{huge, huge, 0}).size(), 0);
}

TEST(Shape, TakesSizesOfAnyIntegerType) {
  const std::vector<int> v(6);
  const unsigned char three = 3;
  EXPECT_EQ((Shape{v.size() / 3, three, 1}), (Shape{2, 3, 1}));
}

TEST(Shape, IsWrittenToStreams) {
  std::ostringstream out;
  out << Shape{2, 3} << ' ' << Shape{} << ' ' << f64;
  EXPECT_EQ(out.str(), "(2, 3) () f64");
}

TEST(Broadcast, FollowsNumPy) {
  const auto both = [](const Shape& a, const Shape& b) {
    const Shape result = broadcast("add", a, b);
    EXPECT_EQ(broadcast("add", b, a), result);
    return result;
  };
  EXPECT_EQ(both({}, {}), (Shape{}));
  EXPECT_EQ(both({}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(both({2, 3}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(both({3}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(both({2, 1}, {3}), (Shape{2, 3}));
  EXPECT_EQ(both({8, 1, 6, 1}, {7, 1, 5}), (Shape{8, 7, 6, 5}));
  EXPECT_EQ(both({1}, {1, 1, 1}), (Shape{1, 1, 1}));
  EXPECT_EQ(both({1}, {0}), (Shape{0}));
  EXPECT_EQ(both({2, 0}, {1, 1}), (Shape{2, 0}));
  EXPECT_EQ(both({0}, {3, 1}), (Shape{3, 0}));
}

TEST(Broadcast, NamesTheOperationAndBothShapes) {
  EXPECT_THAT(([] {
                broadcast("add", {2, 3}, {2, 4});
              }),
              ThrowsMessage<ShapeError>("[add] shapes do not broadcast: (2, 3) and (2, 4)"));
  EXPECT_THAT(([] {
                broadcast("less", {2}, {2, 3});
              }),
              ThrowsMessage<ShapeError>("[less] shapes do not broadcast: (2) and (2, 3)"));
  EXPECT_THAT(([] { broadcast("mul", {0}, {3}); }),
              ThrowsMessage<ShapeError>("[mul] shapes do not broadcast: (0) and (3)"));
}

TEST(Axes, MarksWhatIsReduced) {
  const Shape shape{2, 3, 4};
  EXPECT_THAT(Axes(std::vector<int>{0, -1}).of("sum", shape),
              ElementsAre(true, false, true, false, false, false, false, false));
  EXPECT_THAT([] { Axes(std::vector<int>(9)); },
              ThrowsMessage<IndexError>("[axes] at most 8 axes are supported"));
  EXPECT_THAT(Axes(1).of("sum", shape), ElementsAre(false, true, false, false, false, false, false, false));
  EXPECT_THAT((Axes{0, -1}).of("sum", shape),
              ElementsAre(true, false, true, false, false, false, false, false));
  EXPECT_THAT(Axes::all().of("sum", shape), ::testing::Each(true));
  EXPECT_THAT(Axes({}).of("sum", shape), ::testing::Each(false));
  EXPECT_THAT([&] { Axes(3).of("sum", shape); },
              ThrowsMessage<IndexError>("[sum] axis 3 is outside shape (2, 3, 4)"));
  EXPECT_THAT([&] { Axes(-4).of("mean", shape); },
              ThrowsMessage<IndexError>("[mean] axis -4 is outside shape (2, 3, 4)"));
  EXPECT_THAT(([&] {
                Axes({1, -2}).of("max", shape);
              }),
              ThrowsMessage<IndexError>("[max] axis -2 is named twice"));
  EXPECT_THAT(([] {
                Axes({0, 1, 2, 3, 4, 5, 6, 7, 8});
              }),
              ThrowsMessage<IndexError>("[axes] at most 8 axes are supported"));
}

}  // namespace
}  // namespace elk
