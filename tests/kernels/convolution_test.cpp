// Convolutions of all shapes, cut into however many tiles, beside sums over windows; and their bits for any
// number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>

#include <elk/base/parallel.hpp>
#include <elk/base/rng.hpp>
#include <elk/kernels/convolution.hpp>
#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/onednn.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
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
  const auto bytes = [](const Tensor& x) {
    return x.dtype() == f64 ? std::as_bytes(x.data<double>()) : std::as_bytes(x.data<float>());
  };
  return std::memcmp(bytes(a).data(), bytes(b).data(), bytes(a).size()) == 0;
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

// The three products of a convolution, with what they are made of.
struct Products {
  Sizes s;
  Tensor x, w, dy, bias;

  std::vector<Tensor> all() const {
    return {convolve("conv", x, w, bias, s.how), convolve_input("conv", dy, w, s.how, s.height, s.width),
            convolve_weight("conv", dy, x, s.how, s.kernel_height, s.kernel_width)};
  }
  Products of(Tensor (*f)(const Tensor&)) const { return {s, f(x), f(w), f(dy), f(bias)}; }
};

Products draw(const Sizes& s, Rng& rng) {
  const Naive naive(s);
  return {s, randn({s.batch, s.channels, s.height, s.width}, rng),
          randn({s.outputs, s.channels / s.how.groups, s.kernel_height, s.kernel_width}, rng),
          randn({s.batch, s.outputs, naive.out[0], naive.out[1]}, rng), randn({s.outputs}, rng)};
}

// Sums of products in f32, rounded in whatever order: beside those in f64 of numbers and of their sizes.
void expect_rounded(const Tensor& got, const Tensor& exact, const Tensor& sizes, const std::string& what) {
  ASSERT_EQ(got.shape(), exact.shape()) << what;
  for (Index i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got.at(i), exact.at(i), 2e-6 * sizes.at(i)) << what << ", element " << i;
}

// The forms that networks have, in sizes that oneDNN is chosen for.
std::vector<Sizes> layers() {
  return {
      {7, 64, 64, 16, 16, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 1}},    // a residual block
      {5, 3, 32, 32, 32, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 1}},     // of colours
      {19, 1, 6, 28, 28, 5, 5, {{1, 1}, {2, 2}, {1, 1}, 1}},     // LeNet's
      {67, 6, 16, 14, 14, 5, 5, {{1, 1}, {0, 0}, {1, 1}, 1}},    // which oneDNN pads with channels
      {13, 32, 64, 16, 16, 3, 3, {{2, 2}, {1, 1}, {1, 1}, 1}},   // a step of two
      {13, 32, 64, 16, 16, 1, 1, {{2, 2}, {0, 0}, {1, 1}, 1}},   // its shortcut
      {13, 64, 128, 16, 16, 1, 1, {{1, 1}, {0, 0}, {1, 1}, 1}},  // of pixels
      {9, 32, 32, 16, 16, 3, 3, {{1, 1}, {2, 2}, {2, 2}, 1}},    // dilated
      {9, 64, 64, 16, 16, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 64}},   // a channel each
      {9, 64, 96, 16, 16, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 4}},    // grouped
      {9, 24, 20, 15, 17, 3, 5, {{2, 1}, {1, 2}, {1, 2}, 2}},    // all different
      {5, 32, 48, 1, 200, 1, 9, {{1, 1}, {0, 4}, {1, 1}, 1}},    // a sequence
  };
}

// Both lists; a few of them, of few images, where all takes many times as long.
std::vector<Sizes> forms() {
  std::vector<Sizes> list = layers();
  if (test::slow()) {
    for (Sizes& s : list) s.batch = std::min<Index>(s.batch, 2);
    return list;
  }
  const std::vector<Sizes> others = shapes();
  list.insert(list.end(), others.begin(), others.end());
  return list;
}

std::vector<int> thread_counts() { return test::slow() ? std::vector{2} : std::vector{2, 3, 4}; }

TEST(Convolution, OfF32IsThatOfF64RoundedWhateverComputesIt) {
  Rng rng(2);
  for (const Sizes& s : forms()) {
    const Products f32_ = draw(s, rng), f64_ = f32_.of([](const Tensor&x) { return cast(x, f64); }),
                   sizes = f64_.of(abs);
    const std::string what = to_string(f32_.x.shape()) + " * " + to_string(f32_.w.shape());
    const std::vector<Tensor> got = f32_.all(), exact = f64_.all(), bounds = sizes.all();
    for (std::size_t i = 0; i < 3; ++i)
      expect_rounded(got[i], exact[i], bounds[i], what + ", product " + std::to_string(i));
    for (const int count : thread_counts()) {
      set_threads(count);
      const std::vector<Tensor> again = f32_.all();
      set_threads(1);
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_TRUE(same_bits(got[i], again[i])) << what << ", product " << i << ", " << count << " threads";
    }
  }
}

// The same by oneDNN itself, also where it is not chosen; undefined where it has no code for it.
std::vector<Tensor> by_onednn(const Products& p) {
  const Geometry g = geometry("conv", p.x.shape(), p.w.shape(), p.s.how);
  const float *const x = readable<float>(p.x), *const w = readable<float>(p.w),
                     *const dy = readable<float>(p.dy), *const bias = readable<float>(p.bias);
  Tensor y = full(p.dy.shape(), 7), dx = full(p.x.shape(), 7), dw = full(p.w.shape(), 7);
  if (!onednn_convolve("conv", g, x, w, bias, writable<float>(y))) y = Tensor();
  if (!onednn_convolve_input("conv", g, dy, w, writable<float>(dx))) dx = Tensor();
  if (!onednn_convolve_weight("conv", g, dy, x, writable<float>(dw))) dw = Tensor();
  return {y, dx, dw};
}

bool has_onednn() {
#ifdef ELK_HAS_ONEDNN
  return instruction_set() != InstructionSet::baseline;
#else
  return false;
#endif
}

TEST(Convolution, ByOnednnIsThatByProducts) {
  Rng rng(3);
  int computed = 0;
  for (const Sizes& s : forms()) {
    if (s.batch == 0) continue;
    const Products p = draw(s, rng), f64_ = p.of([](const Tensor&x) { return cast(x, f64); });
    const std::string what = to_string(p.x.shape()) + " * " + to_string(p.w.shape());
    const std::vector<Tensor> exact = f64_.all(), bounds = f64_.of(abs).all(), got = by_onednn(p),
                              chosen = p.all();
    const Geometry g = geometry("conv", p.x.shape(), p.w.shape(), s.how);
    for (std::size_t i = 0; i < 3; ++i) {
      if (!got[i].defined()) continue;
      ++computed;
      expect_rounded(got[i], exact[i], bounds[i], what + ", product " + std::to_string(i));
      if (onednn_pays(static_cast<Pass>(i), g)) {
        EXPECT_TRUE(same_bits(got[i], chosen[i])) << what << ", product " << i;
      }
    }
    for (const int count : thread_counts()) {
      set_threads(count);
      const std::vector<Tensor> again = by_onednn(p);
      set_threads(1);
      for (std::size_t i = 0; i < 3; ++i)
        if (got[i].defined()) {
          EXPECT_TRUE(same_bits(got[i], again[i]))
              << what << ", product " << i << ", " << count << " threads";
        }
    }
  }
  if (has_onednn())
    EXPECT_GT(computed, 25);
  else
    EXPECT_EQ(computed, 0);
}

// A job has the threads that it was given. (Those of OpenMP would stay.)
TEST(Convolution, ByOnednnStartsNoThread) {
  const auto threads_here = [] {
    using Iterator = std::filesystem::directory_iterator;
    return std::distance(Iterator("/proc/self/task"), Iterator());
  };
  Rng rng(4);
  const auto before = threads_here();
  for (const Sizes& s : forms()) {
    if (s.batch > 0) (void)by_onednn(draw(s, rng));
  }
  EXPECT_EQ(threads_here(), before);
}

TEST(Convolution, OnednnIsChosenWhereItIsFaster) {
  const auto pays = [](const Sizes& s) {
    const Geometry g =
        geometry("conv", {s.batch, s.channels, s.height, s.width},
                 {s.outputs, s.channels / s.how.groups, s.kernel_height, s.kernel_width}, s.how);
    std::string passes;
    for (const Pass pass : {Pass::forward, Pass::input, Pass::weight})
      passes += onednn_pays(pass, g) ? "yes " : "no ";
    return passes;
  };
  const Convolution one{{1, 1}, {1, 1}, {1, 1}, 1};
  const std::string all = has_onednn() ? "yes yes yes " : "no no no ";
  EXPECT_EQ(pays({50, 64, 64, 16, 16, 3, 3, one}), all);
  EXPECT_EQ(pays({50, 64, 64, 16, 16, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 64}}), all);
  EXPECT_EQ(pays({50, 3, 32, 32, 32, 3, 3, one}), has_onednn() ? "yes no yes " : "no no no ");
  EXPECT_EQ(pays({1, 16, 16, 32, 32, 3, 3, one}), has_onednn() ? "no yes yes " : "no no no ");
  EXPECT_EQ(pays({50, 1, 6, 28, 28, 5, 5, one}), "no no no ");
  EXPECT_EQ(pays({50, 64, 64, 16, 16, 1, 1, {{1, 1}, {0, 0}, {1, 1}, 1}}), "no no no ");
  EXPECT_EQ(pays({0, 64, 64, 16, 16, 3, 3, one}), "no no no ");
  // The rules' edges.
  const bool avx2 = instruction_set() == InstructionSet::avx2;
  EXPECT_EQ(pays({50, 8, 8, 28, 28, 3, 3, one}), !has_onednn() ? "no no no "
                                                 : avx2        ? "yes yes yes "
                                                               : "yes no yes ");
  EXPECT_EQ(pays({50, 4, 16, 28, 28, 3, 3, one}), has_onednn() ? "yes no no " : "no no no ");
  EXPECT_EQ(pays({50, 6, 16, 28, 28, 3, 3, one}), has_onednn() ? "yes no yes " : "no no no ");
  EXPECT_EQ(pays({7, 16, 16, 32, 32, 3, 3, one}), has_onednn() ? "no yes yes " : "no no no ");
  EXPECT_EQ(pays({8, 16, 16, 32, 32, 3, 3, one}), all);
}

// Batches that are cut into other parts may end in the same number of images.
TEST(Convolution, OfBatchesThatEndAlike) {
  for (const Index batch : {100, 65, 98, 67}) {
    Rng rng(5);
    const Products p = draw({batch, 16, 16, 6, 6, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 1}}, rng),
                   f64_ = p.of([](const Tensor&x) { return cast(x, f64); });
    const std::vector<Tensor> got = p.all(), exact = f64_.all(), bounds = f64_.of(abs).all();
    for (std::size_t i = 0; i < 3; ++i)
      expect_rounded(got[i], exact[i], bounds[i],
                     std::to_string(batch) + " images, product " + std::to_string(i));
  }
}

// More forms than are kept, by several threads at once.
TEST(Convolution, ManyFormsAtOnce) {
  const Index widths = test::slow() ? 8 : 100;
  const auto all = [&](int shift) {
    std::vector<Tensor> results;
    for (Index i = 0; i < widths; ++i) {
      const Index width = 3 + (i + 31 * shift) % widths;
      Rng rng(static_cast<std::uint32_t>(width));
      for (const Tensor& result : draw({2, 16, 16, 3, width, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 1}}, rng).all())
        results.push_back(result);
    }
    return results;
  };
  const std::vector<Tensor> alone = all(0);
  std::vector<std::vector<Tensor>> together(4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { together[static_cast<std::size_t>(i)] = all(i); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < alone.size(); ++j) {
      const std::size_t same = (j + i * 31 * 3) % alone.size();
      EXPECT_TRUE(same_bits(together[i][j], alone[same])) << "thread " << i << ", product " << j;
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
