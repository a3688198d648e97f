#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <elk/base/parallel.hpp>
#include <elk/base/rng.hpp>
#include <elk/kernels/pooling.hpp>

namespace elk::kernels {
namespace {

// By the definition: window by window.
template <class T>
std::vector<std::int64_t> places(const Tensor& x, const Windows& w) {
  const Index height = x.size(2), width = x.size(3);
  std::vector<std::int64_t> all;
  for (Index plane = 0; plane < x.size(0) * x.size(1); ++plane) {
    const T* image = x.data<T>().data() + plane * height * width;
    for (Index row = 0; row < w.out[0]; ++row)
      for (Index column = 0; column < w.out[1]; ++column) {
        Index best = -1;
        for (Index i = 0; i < w.size[0]; ++i)
          for (Index j = 0; j < w.size[1]; ++j) {
            const Index at_row = row * w.stride[0] - w.padding[0] + i * w.dilation[0],
                        at_column = column * w.stride[1] - w.padding[1] + j * w.dilation[1];
            if (at_row < 0 || at_row >= height || at_column < 0 || at_column >= width) continue;
            const Index here = at_row * width + at_column;
            if (best < 0 || image[here] > image[best] ||
                (std::isnan(image[here]) && !std::isnan(image[best])))
              best = here;
          }
        all.push_back(best);
      }
  }
  return all;
}

// Few different numbers, so that many are equal, and some that compare in their own ways.
template <class T>
Tensor images(Index height, Index width, Rng& rng) {
  constexpr T limit = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> kinds{-limit, -limit, limit, nan, -1, -1, 0, 0, 1, 1, 2};
  std::vector<T> values;
  for (Index i = 0; i < 6 * height * width; ++i)
    values.push_back(kinds[static_cast<std::size_t>(rng.integer(0, static_cast<Index>(kinds.size())))]);
  return from(values, {3, 2, height, width});
}

template <class T>
void check(Rng& rng) {
  int compared = 0;
  while (compared < 300) {
    Windows w{};
    Index image[2];
    for (const std::size_t axis : {0u, 1u}) {
      w.size[axis] = rng.integer(1, 5);
      w.stride[axis] = rng.integer(1, 4);
      w.padding[axis] = rng.integer(0, w.size[axis] / 2 + 1);
      w.dilation[axis] = rng.integer(1, 4);
      const Index reach = (w.size[axis] - 1) * w.dilation[axis] + 1;
      image[axis] = std::max<Index>(reach - 2 * w.padding[axis], 1) + rng.integer(0, 20);
      w.out[axis] = (image[axis] + 2 * w.padding[axis] - reach) / w.stride[axis] + 1;
    }
    const Tensor x = images<T>(image[0], image[1], rng);
    const std::vector<std::int64_t> expected = places<T>(x, w);
    // A window between whose taps the image lies reads nothing: max_pool2d's checks leave none such.
    if (std::find(expected.begin(), expected.end(), -1) != expected.end()) continue;
    ++compared;
    for (const int count : {1, 2}) {
      set_threads(count);
      const Tensor found = max_pool_places("max_pool2d", x, w);
      ASSERT_EQ(
          std::vector<std::int64_t>(found.data<std::int64_t>().begin(), found.data<std::int64_t>().end()),
          expected)
          << w.size[0] << " x " << w.size[1] << ", comparison " << compared;
    }
    set_threads(1);
  }
}

TEST(MaxPool, FindsThePlacesThatTheDefinitionNames) {
  Rng rng(7);
  check<float>(rng);
  check<double>(rng);
}

}  // namespace
}  // namespace elk::kernels
