// Examples of any kind: tables, several inputs, sequences, images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <elk/data/batches.hpp>
#include <elk/data/examples.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/shape.hpp>
#include <support.hpp>

namespace elk {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

Examples table() { return {reshape(cast(arange(8), f64), {4, 2}), from({0, 10, 20, 30})}; }

TEST(Examples, AreRowsOfTensors) {
  const Examples data = table();
  EXPECT_EQ(data.size(), 4);
  EXPECT_EQ(data.name(), "examples");
  EXPECT_EQ(data.images(), nullptr);
  const Batch batch = data.gather(std::vector<Index>{3, 0});
  EXPECT_EQ(batch.x.dtype(), f32);  // as asked for
  EXPECT_EQ(batch.size(), 2);
  EXPECT_THAT(values(batch.x), ElementsAre(6, 7, 0, 1));
  EXPECT_THAT(values(batch.labels), ElementsAre(30, 0));
  EXPECT_EQ(data.gather(std::vector<Index>{}).x.shape(), (Shape{0, 2}));
}

TEST(Examples, IdsStayIds) {
  const Examples data(arange(3), arange(3));
  const Batch batch = data.gather(std::vector<Index>{2}, f64);
  EXPECT_EQ(batch.x.dtype(), i64);
  EXPECT_EQ(batch.labels.dtype(), i64);
}

TEST(Examples, MayHaveSeveralInputs) {
  const Examples data({arange(3), ones({3, 2}), from(std::vector<std::uint8_t>{7, 8, 9})}, zeros({3, 1}));
  const Batch batch = data.gather(std::vector<Index>{1, 1});
  EXPECT_THAT(values(batch.x), ElementsAre(1, 1));
  ASSERT_EQ(batch.others.size(), 2u);
  EXPECT_EQ(batch.others[0].shape(), (Shape{2, 2}));
  EXPECT_THAT(values(batch.others[1]), ElementsAre(8, 8));
  EXPECT_EQ(batch.labels.shape(), (Shape{2, 1}));
}

TEST(Examples, GoThroughBatches) {
  std::vector<double> seen;
  for (const auto& [x, y] : Batches({cast(arange(5), f32), cast(arange(5), f32)}, 2)) {
    EXPECT_EQ(values(x), values(y));
    for (const double v : values(x)) seen.push_back(v);
  }
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4));
  Rng rng(1), again(1);
  seen.clear();
  for (auto [x, y] : Batches(table(), 3, rng))
    for (const double v : values(y)) seen.push_back(v / 10);
  std::vector<double> expected;
  for (const Index row : again.permutation(4)) expected.push_back(static_cast<double>(row));
  EXPECT_EQ(seen, expected);
}

TEST(Examples, SequencesAreCollated) {
  const std::vector<Tensor> texts{arange(3), arange(1), arange(2)};
  const Examples data(3, [&](std::span<const Index> rows) {
    std::vector<Tensor> chosen;
    for (const Index row : rows) chosen.push_back(texts[static_cast<std::size_t>(row)]);
    return Batch{pad_sequence(chosen, -1), from(std::vector<Index>(rows.begin(), rows.end()))};
  });
  const Batch batch = data.gather(std::vector<Index>{1, 2});
  EXPECT_EQ(batch.x.shape(), (Shape{2, 2}));
  EXPECT_THAT(values(batch.x), ElementsAre(0, -1, 0, 1));
  EXPECT_THAT(values(data.subset({2, 0}).gather(std::vector<Index>{1}).labels), ElementsAre(0));
}

TEST(Examples, ArePartsOfOthers) {
  const Examples data = table(), part = data.subset({3, 1, 2});
  EXPECT_EQ(part.size(), 3);
  EXPECT_THAT(values(part.gather(std::vector<Index>{0, 2}).labels), ElementsAre(30, 20));
  EXPECT_THAT(values(part.take(1, 2).gather(std::vector<Index>{0}).labels), ElementsAre(10));
  Rng rng(3), again(3);
  const auto [train, held_out] = split(data, 1, rng);
  EXPECT_EQ(train.size(), 3);
  EXPECT_EQ(values(held_out.gather(std::vector<Index>{0}).labels)[0],
            10 * static_cast<double>(again.permutation(4)[0]));
}

TEST(Examples, OfImagesAreTheirBatches) {
  const Dataset images{"two",
                       from(std::vector<std::uint8_t>{0, 255, 51, 0}, {2, 2}),
                       from(std::vector<Index>{1, 0}),
                       {"a", "b"}};
  const Examples data = images;
  EXPECT_EQ(data.name(), "two");
  EXPECT_EQ(values(data.gather(std::vector<Index>{1}).x), values(gather(images, std::vector<Index>{1}).x));
  EXPECT_NE(data.take(0, 1).images(), nullptr);
  EXPECT_FALSE(Examples(Dataset{}).defined());
}

TEST(Examples, RefuseWhatDoesNotFit) {
  EXPECT_EQ(error_of<ShapeError>([] {
              Examples(zeros({3, 2}), zeros({2}));
            }),
            "[examples] expected inputs (2, ...), as many as targets (2), got (3, 2)");
  EXPECT_EQ(error_of<ShapeError>([] { Examples(zeros({}), zeros({2})); }),
            "[examples] expected inputs (2, ...), as many as targets (2), got ()");
  EXPECT_EQ(error_of<ShapeError>([] { Examples(zeros({2}), scalar(1)); }),
            "[examples] expected targets (N, ...), got a scalar");
  EXPECT_EQ(error_of<ValueError>([] { Examples(std::vector<Tensor>{}, zeros({2})); }),
            "[examples] there is no input");
  EXPECT_EQ(error_of<ValueError>([] { Examples(2, nullptr); }),
            "[examples] there is no function that makes a batch");
  EXPECT_EQ(error_of<ValueError>([] { (void)Examples().size(); }), "[examples] there are no data");
  const auto wrong = [](std::span<const Index>) { return Batch{zeros({1}), zeros({1})}; };
  EXPECT_EQ(error_of<ValueError>([&] { Examples(-1, wrong); }),
            "[examples] expected a number of examples, got -1");
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)Examples(2, wrong).gather(std::vector<Index>{0, 1});
            }),
            "[examples] expected labels (2, ...) of the collate function, got (1)");
  const Examples data = table();
  EXPECT_EQ(error_of<IndexError>([&] { (void)data.gather(std::vector<Index>{4}); }),
            "[gather] row 4 is outside a dataset of 4");
  EXPECT_EQ(error_of<IndexError>([&] { (void)data.subset({-1}); }),
            "[subset] row -1 is outside a dataset of 4");
  EXPECT_EQ(error_of<IndexError>([&] { (void)data.take(3, 2); }),
            "[take] 2 examples from 3 on are outside a dataset of 4");
  EXPECT_EQ(error_of<DTypeError>([&] { (void)data.gather(std::vector<Index>{0}, i64); }),
            "[gather] expected f32 or f64, got i64");
  Rng rng(1);
  EXPECT_EQ(error_of<ValueError>([&] { (void)split(data, 4, rng); }),
            "[split] cannot hold out 4 of 4 examples: at least one must be left to train on");
}

TEST(PadSequence, FillsTheEnds) {
  const Tensor y = pad_sequence({ones({1, 2}), ones({2, 2}), ones({0, 2})}, 9);
  EXPECT_EQ(y.shape(), (Shape{3, 2, 2}));
  EXPECT_THAT(values(y), ElementsAre(1, 1, 9, 9, 1, 1, 1, 1, 9, 9, 9, 9));
  EXPECT_EQ(pad_sequence({zeros({0})}).shape(), (Shape{1, 0}));
}

TEST(PadSequence, RefusesWhatDiffers) {
  EXPECT_EQ(error_of<ValueError>([] { (void)pad_sequence({}); }), "[pad_sequence] there is no sequence");
  EXPECT_EQ(error_of<ShapeError>([] { (void)pad_sequence({scalar(1)}); }),
            "[pad_sequence] expected sequences (T, ...), got a scalar");
  EXPECT_EQ(error_of<ShapeError>([] {
              (void)pad_sequence({zeros({1, 2}), zeros({1, 3})});
            }),
            "[pad_sequence] sequences (1, 2) and (1, 3) differ by more than their lengths");
  EXPECT_EQ(error_of<DTypeError>([] {
              (void)pad_sequence({zeros({1}), arange(1)});
            }),
            "[pad_sequence] sequences of f32 and of i64: convert with cast");
}

}  // namespace
}  // namespace elk
