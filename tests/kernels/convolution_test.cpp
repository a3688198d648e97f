// Convolutions of all shapes, cut into however many tiles, beside sums over windows; and their bits for any
// number of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include <elk/base/parallel.hpp>
#include <elk/base/rng.hpp>
#include <elk/kernels/convolution.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

#include "support.hpp"

namespace elk::kernels {
namespace {

using test::error_of;

struct Sizes {
  Index batch, channels, outputs, height, width, kernel_height, kernel_width;
  Convolution how;
};

// Sums over windows, as the definition says.
struct Naive {
  Sizes s;
  Index out[2];
  explicit Naive(const Sizes& sizes) : s(sizes) {
    for (const std::size_t axis : {0u, 1u}) {
      const Index image = axis == 0 ? s.height : s.width,
                  kernel = axis == 0 ? s.kernel_height : s.kernel_width;
      out[axis] =
          (image + 2 * s.how.padding[axis] - s.how.dilation[axis] * (kernel - 1) - 1) / s.how.stride[axis] +
          1;
    }
  }
  // Calls f(place in y, place in x, place in the weight) for each product.
  template <class F>
  void each(F f) const {
    const Index inner = s.channels / s.how.groups, outer = s.outputs / s.how.groups;
    for (Index n = 0; n < s.batch; ++n)
      for (Index o = 0; o < s.outputs; ++o)
        for (Index c = 0; c < inner; ++c)
          for (Index p = 0; p < out[0]; ++p)
            for (Index q = 0; q < out[1]; ++q)
              for (Index i = 0; i < s.kernel_height; ++i)
                for (Index j = 0; j < s.kernel_width; ++j) {
                  const Index row = p * s.how.stride[0] - s.how.padding[0] + i * s.how.dilation[0],
                              column = q * s.how.stride[1] - s.how.padding[1] + j * s.how.dilation[1];
                  if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
                  f(((n * s.outputs + o) * out[0] + p) * out[1] + q,
                    ((n * s.channels + o / outer * inner + c) * s.height + row) * s.width + column,
                    ((o * inner + c) * s.kernel_height + i) * s.kernel_width + j);
                }
  }
};

void expect_near(const Tensor& got, const std::vector<double>& expected, const std::string& what) {
  ASSERT_EQ(got.size(), static_cast<Index>(expected.size())) << what;
  for (Index i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got.at(i), expected[static_cast<std::size_t>(i)], 1e-10) << what << ", element " << i;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return std::memcmp(a.data<double>().data(), b.data<double>().data(), a.data<double>().size_bytes()) == 0;
}

std::vector<Sizes> shapes() {
  std::vector<Sizes> list{
      {2, 3, 4, 40, 33, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 1}},   // several bands an image
      {37, 2, 3, 4, 5, 3, 2, {{1, 1}, {0, 0}, {1, 1}, 1}},    // several images a tile
      {300, 2, 3, 1, 1, 1, 1, {{1, 1}, {0, 0}, {1, 1}, 1}},   // pixels
      {3, 2, 2, 30, 30, 1, 1, {{1, 1}, {0, 0}, {1, 1}, 2}},   // images that are their own columns
      {2, 1, 1, 1, 2000, 1, 9, {{1, 3}, {0, 4}, {1, 2}, 1}},  // one long row
      {2, 2, 2, 3, 3, 2, 2, {{5, 5}, {40, 7}, {2, 1}, 1}},    // windows that see nothing but padding
      {0, 2, 3, 4, 5, 3, 2, {{1, 1}, {0, 0}, {1, 1}, 1}},     // no image
      {2, 600, 2, 8, 8, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 1}},   // many taps
  };
  Rng rng(16);
  const auto draw = [&](Index low, Index high) { return rng.integer(low, high + 1); };
  while (list.size() < 60) {
    Sizes s{draw(1, 4), 0, 0, draw(1, 12), draw(1, 12), draw(1, 4), draw(1, 4), {}};
    s.how = {{draw(1, 3), draw(1, 3)}, {draw(0, 3), draw(0, 3)}, {draw(1, 3), draw(1, 3)}, draw(1, 3)};
    s.channels = s.how.groups * draw(1, 3);
    s.outputs = s.how.groups * draw(1, 3);
    const Naive naive(s);
    if (s.height + 2 * s.how.padding[0] > s.how.dilation[0] * (s.kernel_height - 1) &&
        s.width + 2 * s.how.padding[1] > s.how.dilation[1] * (s.kernel_width - 1))
      list.push_back(s);
  }
  return list;
}

TEST(Convolution, OfAllShapesIsTheSumOverWindows) {
  Rng rng(1);
  for (const Sizes& s : shapes()) {
    const Naive naive(s);
    const Tensor x = randn({s.batch, s.channels, s.height, s.width}, rng, f64),
                 w = randn({s.outputs, s.channels / s.how.groups, s.kernel_height, s.kernel_width}, rng, f64),
                 dy = randn({s.batch, s.outputs, naive.out[0], naive.out[1]}, rng, f64);
    SCOPED_TRACE(to_string(x.shape()) + " * " + to_string(w.shape()));
    const auto zeros_of = [](const Tensor& like) {
      return std::vector<double>(static_cast<std::size_t>(like.size()));
    };
    std::vector<double> y = zeros_of(dy), dx = zeros_of(x), dw = zeros_of(w);
    naive.each([&](Index to, Index from, Index tap) {
      const auto t = static_cast<std::size_t>(to), f = static_cast<std::size_t>(from),
                 k = static_cast<std::size_t>(tap);
      y[t] += x.data<double>()[f] * w.data<double>()[k];
      dx[f] += dy.data<double>()[t] * w.data<double>()[k];
      dw[k] += dy.data<double>()[t] * x.data<double>()[f];
    });
    const auto all = [&] {
      return std::vector<Tensor>{convolve("conv", x, w, Tensor(), s.how),
                                 convolve_input("conv", dy, w, s.how, s.height, s.width),
                                 convolve_weight("conv", dy, x, s.how, s.kernel_height, s.kernel_width)};
    };
    const std::vector<Tensor> got = all();
    expect_near(got[0], y, "y");
    expect_near(got[1], dx, "dx");
    expect_near(got[2], dw, "dw");
    for (const int count : {2, 3, 7}) {
      set_threads(count);
      const std::vector<Tensor> again = all();
      set_threads(1);
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(same_bits(got[i], again[i])) << i << ", " << count << " threads";
    }
  }
}

TEST(Convolution, RefusesWhatDoesNotFit) {
  const Tensor x = zeros({2, 4, 5, 6}), w = zeros({6, 2, 3, 3});
  const auto call = [&](const Convolution& how) {
    return [&, how] { (void)convolve("conv", x, w, Tensor(), how); };
  };
  const auto value = [&](const Convolution& how) { return error_of<ValueError>(call(how)); };
  const auto shape = [&](const Convolution& how) { return error_of<ShapeError>(call(how)); };
  const std::string strides =
      "[conv] expected strides and dilations above 0 and paddings of at least 0, got stride ";
  EXPECT_EQ(value({{0, 1}, {0, 0}, {1, 1}, 2}), strides + "(0, 1), padding (0, 0) and dilation (1, 1)");
  EXPECT_EQ(value({{1, 1}, {0, -1}, {1, 1}, 2}), strides + "(1, 1), padding (0, -1) and dilation (1, 1)");
  EXPECT_EQ(value({{1, 1}, {0, 0}, {1, 0}, 2}), strides + "(1, 1), padding (0, 0) and dilation (1, 0)");
  EXPECT_EQ(value({{1, 1}, {0, Index{1} << 62}, {1, 1}, 2}),
            strides + "(1, 1), padding (0, 4611686018427387904) and dilation (1, 1)");
  EXPECT_EQ(
      shape({{1, 1}, {0, 0}, {1, 1}, 0}),
      "[conv] expected groups that divide the channels of x and the outputs, got 0 for (2, 4, 5, 6) and "
      "(6, 2, 3, 3)");
  EXPECT_EQ(shape({{1, 1}, {0, 0}, {1, 1}, 1}),
            "[conv] expected a weight (out, 4, h, w) for x (2, 4, 5, 6) in 1 group, got (6, 2, 3, 3)");
  EXPECT_EQ(shape({{1, 1}, {0, 1}, {2, 4}, 2}),
            "[conv] the kernel (3, 3) reaches over more than the image (5, 6) with padding (0, 1)");
  const Convolution how{{1, 1}, {0, 0}, {1, 1}, 2};
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)convolve_input("conv", x, zeros({4, 2, 3, 3}), how, 7, 9);
            }),
            "[conv] expected a gradient (2, 4, 5, 7), got (2, 4, 5, 6)");
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)convolve_weight("conv", zeros({2, 6, 3, 3}), x, how, 3, 3);
            }),
            "[conv] expected a gradient (2, 6, 3, 4), got (2, 6, 3, 3)");
}

}  // namespace
}  // namespace elk::kernels
