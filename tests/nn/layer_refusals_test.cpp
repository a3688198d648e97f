// What layers of images and sequences say of themselves, and of what they do not take.
#include <gtest/gtest.h>

#include <cmath>

#include <elk/autograd/tape.hpp>
#include <elk/nn/attention.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/convolution.hpp>
#include <elk/nn/embedding.hpp>
#include <elk/nn/pooling.hpp>
#include <elk/nn/recurrent.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/attention.hpp>
#include <elk/ops/pooling.hpp>

#include "support.hpp"

namespace elk {
namespace {

using namespace nn;
using test::error_of;
using test::values;

template <class F>
std::string shape_error(F f) {
  return error_of<ShapeError>([&] { (void)f(); });
}
template <class F>
std::string value_error(F f) {
  return error_of<ValueError>([&] { (void)f(); });
}

TEST(Layers, DescribeThemselves) {
  Rng rng(1);
  EXPECT_EQ(Conv1d(4, 6, 3, rng, {.stride = 2, .padding = 1, .groups = 2}).describe(),
            "Conv1d(4, 6, 3, stride 2, padding 1, groups 2)");
  EXPECT_EQ(Conv2d(3, 16, 5, rng).describe(), "Conv2d(3, 16, 5)");
  EXPECT_EQ(Conv2d(4, 6, {3, 2}, rng, {.stride = {2, 1}, .dilation = 2, .bias = false}).describe(),
            "Conv2d(4, 6, (3, 2), stride (2, 1), dilation 2, no bias)");
  EXPECT_EQ(ConvTranspose2d(4, 6, 3, rng, {.stride = 2, .padding = 1, .output_padding = 1}).describe(),
            "ConvTranspose2d(4, 6, 3, stride 2, padding 1, output padding 1)");
  EXPECT_EQ(MaxPool2d(2).describe(), "MaxPool2d(2)");
  EXPECT_EQ(MaxPool1d(3, {.stride = 2, .padding = 1}).describe(), "MaxPool1d(3, stride 2, padding 1)");
  EXPECT_EQ(AvgPool2d({3, 2}, {.padding = 1, .count_include_pad = false}).describe(),
            "AvgPool2d((3, 2), padding 1, without padding)");
  EXPECT_EQ(AvgPool1d(2).describe(), "AvgPool1d(2)");
  EXPECT_EQ(AdaptiveAvgPool2d(1).describe(), "AdaptiveAvgPool2d(1)");
  EXPECT_EQ(AdaptiveAvgPool1d(4).describe(), "AdaptiveAvgPool1d(4)");
  EXPECT_EQ(Upsample(2).describe(), "Upsample(2, nearest)");
  EXPECT_EQ(Upsample({2, 1}, Interpolation::bilinear).describe(), "Upsample((2, 1), bilinear)");
  EXPECT_EQ(BatchNorm1d(3).describe(), "BatchNorm1d(3)");
  EXPECT_EQ(BatchNorm2d(3).describe(), "BatchNorm2d(3)");
  EXPECT_EQ(GroupNorm(2, 6).describe(), "GroupNorm(2, 6)");
  EXPECT_EQ(RMSNorm(6).describe(), "RMSNorm(6)");
  EXPECT_EQ(Embedding(7, 3, rng).describe(), "Embedding(7, 3)");
  EXPECT_EQ(RNN(3, 4, rng).describe(), "RNN(3, 4)");
  EXPECT_EQ(GRU(3, 4, rng, {.layers = 2}).describe(), "GRU(3, 4, 2 layers)");
  EXPECT_EQ(LSTM(3, 4, rng, {.bidirectional = true}).describe(), "LSTM(3, 4, bidirectional)");
  EXPECT_EQ(MultiheadAttention(6, 2, rng).describe(), "MultiheadAttention(6, 2 heads)");
  EXPECT_EQ(TransformerEncoderLayer(6, 2, rng, {.dim_feedforward = 8, .causal = true}).describe(),
            "TransformerEncoderLayer(6, 2 heads, 8 wide, causal)");
}

TEST(Layers, OfImagesRefuseWhatDoesNotFit) {
  Rng rng(1);
  const Conv2d conv(3, 4, 3, rng, {.bias = false});
  EXPECT_EQ(shape_error([&] {
              return conv(zeros({1, 2, 5, 5}));
            }),
            "[conv2d] expected a weight (out, 2, h, w) for x (1, 2, 5, 5) in 1 group, got (4, 3, 3, 3)");
  EXPECT_EQ(shape_error([&] {
              return conv(zeros({1, 3, 2, 5}));
            }),
            "[conv2d] the kernel (3, 3) reaches over more than the image (2, 5) with padding (0, 0)");
  EXPECT_EQ(value_error([&] { return conv.bias().shape(); }),
            "[Conv2d(3, 4, 3, no bias)] this layer was made without a bias");
  EXPECT_EQ(shape_error([&] { return Conv2d(3, 4, 3, rng, {.groups = 2}); }),
            "[Conv2d] expected channels above 0 that the groups divide, got 4 and 3 in 2");
  EXPECT_EQ(shape_error([&] { return Conv1d(0, 4, 3, rng); }),
            "[Conv1d] expected channels above 0 that the groups divide, got 4 and 0 in 1");
  EXPECT_EQ(shape_error([&] {
              return ConvTranspose2d(3, 4, {0, 3}, rng);
            }),
            "[ConvTranspose2d] expected a kernel of at least (1, 1), got (0, 3)");
  EXPECT_EQ(value_error([&] {
              return ConvTranspose2d(1, 1, 3, rng, {.output_padding = 1})(zeros({1, 1, 3, 3}));
            }),
            "[conv_transpose2d] expected an output padding below the stride or the dilation, got (1, 1)");
  EXPECT_EQ(shape_error([&] {
              return ConvTranspose2d(1, 1, 1, rng, {.padding = 2})(zeros({1, 1, 3, 3}));
            }),
            "[conv_transpose2d] of (1, 1, 3, 3) the padding (2, 2) leaves nothing");
  EXPECT_EQ(
      value_error([&] {
        return MaxPool2d(3, {.padding = 2})(zeros({1, 1, 9, 9}));
      }),
      "[max_pool2d] expected a kernel, stride and dilation above 0 and a padding up to half the kernel, got "
      "kernel (3, 3), stride (3, 3), dilation (1, 1), padding (2, 2)");
  EXPECT_EQ(shape_error([&] {
              return MaxPool2d(3)(zeros({1, 1, 2, 9}));
            }),
            "[max_pool2d] the kernel (3, 3) reaches over more than the image (2, 9) with padding (0, 0)");
  // Taps at -1 and 2 of an image of 2.
  EXPECT_EQ(
      shape_error([&] {
        return max_pool1d(zeros({1, 1, 2}), 2, {.stride = 1, .padding = 1, .dilation = 3});
      }),
      "[max_pool1d] a window reads nothing of the image (1, 2): kernel (1, 2), padding (0, 1), dilation "
      "(1, 3)");
  EXPECT_EQ(shape_error([&] {
              return AdaptiveAvgPool2d(0)(zeros({1, 1, 2, 9}));
            }),
            "[adaptive_avg_pool2d] expected sizes from 1 to 2^31, got 0 of 2");
  EXPECT_EQ(value_error([&] {
              return Upsample({0, 1});
            }),
            "[Upsample] expected scales of at least 1, got (0, 1)");
  EXPECT_EQ(shape_error([&] {
              return Upsample(2)(zeros({2, 3, 4}));
            }),
            "[Upsample] expected x (N, C, H, W), got (2, 3, 4)");
  EXPECT_EQ(shape_error([&] {
              return BatchNorm2d(3)(zeros({2, 3}));
            }),
            "[BatchNorm2d(3)] expected x (N, 3, H, W), got (2, 3)");
  EXPECT_EQ(shape_error([&] {
              return BatchNorm1d(3)(zeros({2, 4}));
            }),
            "[BatchNorm1d(3)] expected x (N, 3) or (N, 3, L), got (2, 4)");
  EXPECT_EQ(value_error([&] { return BatchNorm1d(3, {.momentum = 1.5}); }),
            "[BatchNorm] expected a momentum from 0 to 1, got 1.5");
  EXPECT_EQ(shape_error([&] { return GroupNorm(2, 3); }),
            "[GroupNorm] expected groups that divide the 3 channels, got 2");
}

TEST(Layers, OfSequencesRefuseWhatDoesNotFit) {
  Rng rng(1);
  const Embedding embedding(7, 3, rng);
  EXPECT_EQ(error_of<IndexError>([&] {
              (void)embedding(from({0, 7}, i64));
            }),
            "[Embedding(7, 3)] id 7 is outside 0 to 6");
  EXPECT_EQ(error_of<IndexError>([&] { (void)embedding(from({-1}, i64)); }),
            "[Embedding(7, 3)] id -1 is outside 0 to 6");
  EXPECT_EQ(error_of<DTypeError>([&] { (void)embedding(zeros({2})); }),
            "[Embedding(7, 3)] expected ids of i64, got f32: write cast(ids, i64)");
  EXPECT_EQ(error_of<IndexError>([&] { (void)Embedding(7, 3, rng, {.padding_idx = 7}); }),
            "[Embedding] padding_idx 7 is outside 0 to 6");
  EXPECT_EQ(embedding(zeros({2, 0}, i64)).shape(), (Shape{2, 0, 3}));
  EXPECT_EQ(embedding(zeros({}, i64)).shape(), Shape{3});

  const LSTM lstm(3, 4, rng);
  const std::string expected = "[LSTM(3, 4)] expected x (N, T, 3) with T above 0, got ";
  EXPECT_EQ(shape_error([&] { return lstm(zeros({2, 3})); }), expected + "(2, 3)");
  EXPECT_EQ(shape_error([&] { return lstm(zeros({2, 5, 4})); }), expected + "(2, 5, 4)");
  EXPECT_EQ(shape_error([&] { return lstm(zeros({2, 0, 3})); }), expected + "(2, 0, 3)");
  EXPECT_EQ(lstm(zeros({0, 5, 3})).shape(), (Shape{0, 5, 4}));
  EXPECT_EQ(shape_error([&] {
              return lstm.run(zeros({2, 5, 3}), {.h = zeros({1, 3, 4})}).output;
            }),
            "[LSTM(3, 4)] expected a state h (1, 2, 4), got (1, 3, 4)");
  EXPECT_EQ(
      value_error([&] {
        return GRU(3, 4, rng).run(zeros({2, 5, 3}), {.h = zeros({1, 2, 4}), .c = zeros({1, 2, 4})}).output;
      }),
      "[GRU(3, 4)] its state has no c");
  EXPECT_EQ(shape_error([&] { return RNN(3, 0, rng); }),
            "[RNN] expected inputs, hidden units and layers above 0, got 3, 0 and 1");
  EXPECT_EQ(value_error([&] { return RNN(3, 4, rng, {.dropout = 1}); }),
            "[RNN] expected a dropout from 0 to below 1, got 1");

  EXPECT_EQ(shape_error([&] { return MultiheadAttention(6, 4, rng); }),
            "[MultiheadAttention] expected heads that divide the size 6, got 4");
  const MultiheadAttention attention(6, 2, rng);
  EXPECT_EQ(shape_error([&] {
              return attention(zeros({2, 5, 4}));
            }),
            "[MultiheadAttention(6, 2 heads)] expected a query (N, T, 6) and key and value (N, S, 6), got "
            "(2, 5, 4), "
            "(2, 5, 4) and (2, 5, 4)");
  const Tensor x = zeros({2, 5, 6});
  EXPECT_EQ(shape_error([&] {
              return attention.attend(x, x, zeros({2, 4, 6}));
            }),
            "[MultiheadAttention(6, 2 heads)] expected as many keys as values, got (2, 5, 6) and (2, 4, 6)");
  EXPECT_EQ(
      shape_error([&] {
        return attention.attend(x, x, x, {.attn_mask = zeros({5, 4}, u8)});
      }),
      "[MultiheadAttention(6, 2 heads)] attn_mask (5, 4) does not fit 5 queries and 5 keys of 2 examples");
  EXPECT_EQ(shape_error([&] {
              return attention.attend(x, x, x, {.key_padding_mask = zeros({5, 2}, u8)});
            }),
            "[MultiheadAttention(6, 2 heads)] key_padding_mask (5, 2) does not fit 5 queries and 5 keys of 2 "
            "examples");
}

TEST(Layers, AMaskOfNothingIsNaNAndCausalLooksBack) {
  EXPECT_EQ(values(causal_mask(2, 3)), (std::vector<double>{1, 0, 0, 1, 1, 0}));
  const Tensor x = ones({2, 2});
  const Tensor y = scaled_dot_product_attention(x, x, x, from({0, 0, 1, 1}, {2, 2}, u8));
  EXPECT_TRUE(std::isnan(y.at(0)));
  EXPECT_EQ(y.at(2), 1);
}

TEST(Layers, DropoutBetweenRecurrentLayersIsOfTrainingAlone) {
  Rng rng(1);
  const GRU gru(3, 4, rng, {.layers = 2, .dropout = 0.5});
  const Tensor x = randn({2, 5, 3}, rng), expected = gru(x);
  EXPECT_EQ(values(gru(x)), values(expected));
  const Tape tape(rng);
  EXPECT_NE(values(gru(x)), values(expected));
}

}  // namespace
}  // namespace elk
