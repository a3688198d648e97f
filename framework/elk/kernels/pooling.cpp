#include <algorithm>
#include <limits>
#include <vector>

#include <elk/base/parallel.hpp>
#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/pooling.hpp>

namespace elk::kernels {

Taps Taps::transposed() const {
  Taps result{static_cast<Index>(outputs.size()), std::vector<Output>(static_cast<std::size_t>(inputs))};
  for (std::size_t i = 0; i < outputs.size(); ++i)
    for (std::size_t k = 0; k < outputs[i].weights.size(); ++k) {
      Output& to = result.outputs[static_cast<std::size_t>(outputs[i].begin) + k];
      if (to.weights.empty()) to.begin = static_cast<Index>(i);
      // Outputs in between that do not read this input have weight 0.
      to.weights.resize(i - static_cast<std::size_t>(to.begin) + 1);
      to.weights.back() = outputs[i].weights[k];
    }
  return result;
}

Tensor resample(const char* operation, const Tensor& x, int axis, const Taps& taps) {
  Shape shape = x.shape();
  Index outer = 1, inner = 1;
  const int at = axis < 0 ? axis + shape.rank() : axis;
  for (int i = 0; i < shape.rank(); ++i)
    if (i != at) (i < at ? outer : inner) *= shape[i];
  shape[at] = static_cast<Index>(taps.outputs.size());
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor y = empty(shape, x.dtype());
    const T* in = readable<T>(x);
    T* out = writable<T>(y);
    std::vector<double> sums(static_cast<std::size_t>(inner));
    Index terms = 0;
    for (const Taps::Output& output : taps.outputs) terms += static_cast<Index>(output.weights.size());
    for (Index o = 0; o < outer; ++o, in += taps.inputs * inner)
      for (const Taps::Output& output : taps.outputs) {
        std::fill(sums.begin(), sums.end(), 0.0);
        const T* row = in + output.begin * inner;
        for (const double weight : output.weights) {
          for (Index j = 0; j < inner; ++j)
            sums[static_cast<std::size_t>(j)] += weight * static_cast<double>(row[j]);
          row += inner;
        }
        for (Index j = 0; j < inner; ++j) *out++ = static_cast<T>(sums[static_cast<std::size_t>(j)]);
      }
    count_flops(2 * outer * terms * inner);
    return y;
  });
}

namespace {

// Room for the windows of a row: of each the largest so far, its tap, and the number to compare it with.
// Where a Tap has as many bits as a T, vectors of both go together.
template <class T, class Tap>
struct Row {
  explicit Row(std::size_t windows) : value(windows), now(windows), tap(windows) {}

  std::vector<T> value, now;
  std::vector<Tap> tap;
};

// Where in its image the largest of each window is, for the windows of a row, whose first taps lie in the row
// `top`. Goes from tap to tap, for all windows at once; `reach` tells how far in memory each is from the
// first.
template <class T, class Tap>
void largest(const T* image, Index height, Index width, Index top, const Windows& w, Row<T, Tap>& of,
             const std::vector<Index>& reach, std::int64_t* place) {
  const Index count = w.out[1], stride = w.stride[1];
  T* __restrict const value = of.value.data();
  T* __restrict const now = of.now.data();
  Tap* __restrict const tap = of.tap.data();
  const Index skipped = w.before(0, top);
  for (Index k = 0; k < count; ++k) {  // the first tap inside
    const Index x = k * stride - w.padding[1], left = w.before(1, x);
    value[k] = image[(top + skipped * w.dilation[0]) * width + x + left * w.dilation[1]];
    tap[k] = static_cast<Tap>(skipped * w.size[1] + left);
  }
  for (Index i = skipped; i < w.size[0] && top + i * w.dilation[0] < height; ++i)
    for (Index j = 0; j < w.size[1]; ++j) {
      const Index x =
          j * w.dilation[1] - w.padding[1];  // of the first window; those from low to high read it
      const Index low = x < 0 ? std::min((stride - 1 - x) / stride, count) : 0,
                  high = std::clamp<Index>((width - x + stride - 1) / stride, low, count);
      const T* const in = image + (top + i * w.dilation[0]) * width;
      for (Index k = low; k < high; ++k) now[k] = in[x + k * stride];
      const auto here = static_cast<Tap>(i * w.size[1] + j);
      for (Index k = low; k < high; ++k) {
        const T best = value[k];
        const bool larger = !(now[k] <= best) & (best == best);  // NaN is, and stays
        value[k] = larger ? now[k] : best;
        tap[k] = larger ? here : tap[k];
      }
    }
  for (Index k = 0; k < count; ++k)
    place[k] = top * width + k * stride - w.padding[1] + reach[static_cast<std::size_t>(tap[k])];
}

}  // namespace

Tensor max_pool_places(const char* operation, const Tensor& x, const Windows& windows) {
  return for_float(operation, x.dtype(), [&]<class T>() {
    const Index rows = windows.out[0], columns = windows.out[1];
    Tensor places = empty({x.size(0), x.size(1), rows * columns}, i64);
    const Index height = x.size(2), width = x.size(3), planes = x.size(0) * x.size(1);
    auto* const place = writable<std::int64_t>(places);
    const T* const images = readable<T>(x);
    const Index taps = windows.size[0] * windows.size[1];
    constexpr Index enough = Index{1} << 16;  // comparisons, for a block
    const Index together = std::max<Index>(enough / std::max<Index>(rows * columns * taps, 1), 1);
    std::vector<Index> reach;
    for (Index i = 0; i < windows.size[0]; ++i)
      for (Index j = 0; j < windows.size[1]; ++j)
        reach.push_back(i * windows.dilation[0] * width + j * windows.dilation[1]);
    const auto search = [&]<class Tap>() {
      parallel_for((planes + together - 1) / together, [&](Index block) {
        Row<T, Tap> of(static_cast<std::size_t>(columns));
        for (Index plane = block * together; plane < std::min(planes, (block + 1) * together); ++plane)
          for (Index row = 0; row < rows; ++row)
            largest(images + plane * height * width, height, width,
                    row * windows.stride[0] - windows.padding[0], windows, of, reach,
                    place + (plane * rows + row) * columns);
      });
    };
    if (sizeof(T) == 4 && taps <= std::numeric_limits<std::int32_t>::max())
      search.template operator()<std::int32_t>();
    else
      search.template operator()<std::int64_t>();
    count_flops(places.size() * taps);
    return places;
  });
}

}  // namespace elk::kernels
