#include <algorithm>

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

// Where in its image the largest of one window is, whose first taps are at `row` and `column`.
template <class T>
Index largest(const T* image, Index height, Index width, Index row, Index column, const Windows& w) {
  Index best = -1;
  for (Index i = 0; i < w.size[0]; ++i) {
    const Index y = row + i * w.dilation[0];
    if (y < 0 || y >= height) continue;
    for (Index j = 0; j < w.size[1]; ++j) {
      const Index x = column + j * w.dilation[1];
      if (x < 0 || x >= width) continue;
      const Index here = y * width + x;
      if (best < 0 || image[here] > image[best] || (image[here] != image[here] && image[best] == image[best]))
        best = here;
    }
  }
  return best;
}

}  // namespace

Tensor max_pool_places(const char* operation, const Tensor& x, const Windows& windows) {
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor places = empty({x.size(0), x.size(1), windows.out[0] * windows.out[1]}, i64);
    const Index height = x.size(2), width = x.size(3);
    auto* place = writable<std::int64_t>(places);
    const T* image = readable<T>(x);
    for (Index i = 0; i < x.size(0) * x.size(1); ++i, image += height * width)
      for (Index row = 0; row < windows.out[0]; ++row)
        for (Index column = 0; column < windows.out[1]; ++column)
          *place++ = largest(image, height, width, row * windows.stride[0] - windows.padding[0],
                             column * windows.stride[1] - windows.padding[1], windows);
    count_flops(places.size() * windows.size[0] * windows.size[1]);
    return places;
  });
}

}  // namespace elk::kernels
