// By matrix products: the windows of a part of the batch are laid out as the columns of a matrix ("im2col";
// K. Chellapilla, S. Puri, P. Simard, "High performance convolutional neural networks for document
// processing", 2006). Parts depend on the shapes alone, each is done by one thread, and sums over parts have
// a fixed order.
#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include <elk/base/parallel.hpp>
#include <elk/kernels/convolution.hpp>
#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/multiply.hpp>
#include <elk/kernels/onednn.hpp>
#include <elk/kernels/scratch.hpp>

namespace elk::kernels {

Geometry geometry(const char* operation, const Shape& x, const Shape& weight, const Convolution& how) {
  if (x.rank() != 4 || weight.rank() != 4)
    fail<ShapeError>("[{}] expected x (N, C, H, W) and a weight (out, C / groups, h, w), got {} and {}",
                     operation, x, weight);
  constexpr Index limit = std::numeric_limits<std::int32_t>::max();
  for (const std::size_t axis : {0u, 1u})
    if (how.stride[axis] < 1 || how.dilation[axis] < 1 || how.padding[axis] < 0 ||
        std::max({how.stride[axis], how.dilation[axis], how.padding[axis]}) > limit)
      fail<ValueError>(
          "[{}] expected strides and dilations above 0 and paddings of at least 0, got stride ({}), padding "
          "({}) and dilation ({})",
          operation, fmt::join(how.stride, ", "), fmt::join(how.padding, ", "),
          fmt::join(how.dilation, ", "));
  if (how.groups < 1 || weight[1] < 1 || weight[0] < 1 || x[1] % how.groups != 0 ||
      weight[0] % how.groups != 0)
    fail<ShapeError>(
        "[{}] expected groups that divide the channels of x and the outputs, got {} for {} and {}", operation,
        how.groups, x, weight);
  if (x[1] / how.groups != weight[1])
    fail<ShapeError>("[{}] expected a weight (out, {}, h, w) for x {} in {} group{}, got {}", operation,
                     x[1] / how.groups, x, how.groups, how.groups == 1 ? "" : "s", weight);
  Geometry g{x[0], weight[1], weight[0] / how.groups, {x[2], x[3]}, {weight[2], weight[3]}, {}, how};
  for (const std::size_t axis : {0u, 1u}) {
    const Index reach = (g.kernel[axis] - 1) * how.dilation[axis] + 1,
                room = g.image[axis] + 2 * how.padding[axis];
    if (g.kernel[axis] < 1 || g.kernel[axis] > limit || g.image[axis] > limit || reach > room)
      fail<ShapeError>("[{}] the kernel ({}) reaches over more than the image ({}) with padding ({})",
                       operation, fmt::join(g.kernel, ", "), fmt::join(g.image, ", "),
                       fmt::join(how.padding, ", "));
    g.out[axis] = (room - reach) / how.stride[axis] + 1;
  }
  if (g.taps() > limit || g.pixels() > limit)
    fail<ShapeError>("[{}] BLAS takes sizes below 2^31, got {} and {}", operation, x, weight);
  return g;
}

Runs::Runs(Index parts, Index size) : parts_(parts), size_(size) {
  constexpr Index most_runs = 8, most_sums = Index{1} << 24;
  const Index most = std::clamp<Index>(most_sums / size, 1, most_runs);
  length_ = std::max<Index>((parts + most - 1) / most, 2);
  count_ = std::max<Index>((parts + length_ - 1) / length_, 1);  // an empty batch's sum is 0
}

namespace {

// What of the batch is laid out at once: some rows of the output of one image, or some whole images.
struct Tile {
  Index image, images, row, rows;
};

// Parts are images that one block does, bands the tiles of an image.
class Tiling {
 public:
  // Of about so many columns: products of fewer are slow, as BLAS lays out the other factor anew for each.
  Tiling(const Geometry& g, Index columns) : g_(g) {
    rows_ = std::clamp<Index>(columns / g.out[1], 1, g.out[0]);
    if (g.pixels() < columns)
      images_ = std::clamp<Index>(columns / g.pixels(), 1, std::max<Index>(g.batch, 1));
  }
  Index parts() const { return (g_.batch + images_ - 1) / images_; }
  Index bands() const { return (g_.out[0] + rows_ - 1) / rows_; }
  Tile tile(Index part, Index band) const {
    const Index image = part * images_, row = band * rows_;
    return {image, std::min(images_, g_.batch - image), row, std::min(rows_, g_.out[0] - row)};
  }

 private:
  const Geometry& g_;
  Index rows_, images_ = 1;
};

// What memory is for: see scratch.
struct Gathered;
struct Outputs;
struct Weights;

// One group of one tile, and its matrices.
template <class T>
class Block {
 public:
  Block(const Geometry& g, const Tile& tile, Index group)
      : g_(g), t_(tile), group_(group), columns_(tile.images * tile.rows * g.out[1]) {}

  Index columns() const { return columns_; }

  // The windows on x: (taps, columns).
  void lay_out(const T* x) {
    if (direct()) {
      matrix_ = x + image(0) + t_.row * g_.image[1];
      ld_ = g_.image_size();
      return;
    }
    T* to = scratch<T, Gathered>(g_.taps() * columns_);
    matrix_ = to;
    ld_ = columns_;
    each_run([&](Index at, Index from, Index low, Index high) {
      T* row = to + at;
      std::fill_n(row, low, T(0));
      const Index step = g_.how.stride[1];
      const T* in = x + from;
      if (step == 1)
        std::copy_n(in, high - low, row + low);
      else
        for (Index i = low; i < high; ++i) row[i] = in[(i - low) * step];
      std::fill(row + high, row + g_.out[1], T(0));
    });
  }
  // The reverse, which adds columns to dx: first `columns` gives where they are to be written.
  T* columns_of(T* dx) {
    if (direct()) {
      ld_ = g_.image_size();
      return dx + image(0) + t_.row * g_.image[1];
    }
    ld_ = columns_;
    return scratch<T, Gathered>(g_.taps() * columns_);
  }
  void add_to(T* dx) {
    if (direct()) return;
    const T* matrix = scratch<T, Gathered>(0);
    each_run([&](Index at, Index to, Index low, Index high) {
      const Index step = g_.how.stride[1];
      const T* row = matrix + at + low;
      T* out = dx + to;
      if (step == 1)
        for (Index i = 0; i < high - low; ++i) out[i] += row[i];
      else
        for (Index i = 0; i < high - low; ++i) out[i * step] += row[i];
    });
  }
  const T* matrix() const { return matrix_; }
  Index ld() const { return ld_; }

  // The outputs y as a matrix (outputs, columns): where they lie, or, of several images, in between.
  Index y_ld() const { return t_.images == 1 ? g_.pixels() : columns_; }
  T* y_matrix(T* y) const {
    return t_.images == 1 ? y + output(0, 0) + t_.row * g_.out[1]
                          : scratch<T, Outputs>(g_.outputs * columns_);
  }
  void scatter(T* y) const {
    if (t_.images > 1) each_output([&](T* part, Index at) { std::copy_n(part, g_.pixels(), y + at); });
  }
  const T* gather(const T* y) const {
    if (t_.images == 1) return y + output(0, 0) + t_.row * g_.out[1];
    (void)scratch<T, Outputs>(g_.outputs * columns_);
    each_output([&](T* part, Index at) { std::copy_n(y + at, g_.pixels(), part); });
    return scratch<T, Outputs>(0);
  }

 private:
  bool direct() const { return t_.images == 1 && g_.pointwise(); }
  Index image(Index i) const {  // where its channels of this group begin
    return ((t_.image + i) * g_.how.groups + group_) * g_.channels * g_.image_size();
  }
  Index output(Index i, Index o) const {
    return (((t_.image + i) * g_.how.groups + group_) * g_.outputs + o) * g_.pixels();
  }
  template <class F>
  void each_output(F f) const {
    T* part = scratch<T, Outputs>(0);
    for (Index o = 0; o < g_.outputs; ++o)
      for (Index i = 0; i < t_.images; ++i, part += g_.pixels()) f(part, output(i, o));
  }
  // Calls f(place in the columns, place in the images, low, high) for each row of outputs and each tap: of
  // these outputs those from low up to high read the image, from that place on; the others read padding.
  template <class F>
  void each_run(F f) const {
    const Index step = g_.how.stride[1], width = g_.out[1];
    Index at = 0;
    for (Index channel = 0; channel < g_.channels; ++channel)
      for (Index i = 0; i < g_.kernel[0]; ++i)
        for (Index j = 0; j < g_.kernel[1]; ++j) {
          const Index first = g_.place(1, 0, j),  // may be outside
              low = std::clamp<Index>(first < 0 ? (step - 1 - first) / step : 0, 0, width),
                      high = std::clamp<Index>((g_.image[1] - first + step - 1) / step, low, width);
          for (Index n = 0; n < t_.images; ++n)
            for (Index row = t_.row; row < t_.row + t_.rows; ++row, at += width) {
              const Index y = g_.place(0, row, i);
              if (y < 0 || y >= g_.image[0])
                f(at, 0, width, width);
              else
                f(at, image(n) + channel * g_.image_size() + y * g_.image[1] + first + low * step, low, high);
            }
        }
  }

  const Geometry& g_;
  Tile t_;
  Index group_, columns_, ld_ = 0;
  const T* matrix_ = nullptr;
};

Index flops_of(const Geometry& g) { return 2 * g.batch * g.how.groups * g.outputs * g.taps() * g.pixels(); }

void check_result(const char* operation, const Geometry& g, const Tensor& dy) {
  const Shape expected{g.batch, g.how.groups * g.outputs, g.out[0], g.out[1]};
  if (dy.shape() != expected)
    fail<ShapeError>("[{}] expected a gradient {}, got {}", operation, expected, dy.shape());
}

}  // namespace

Tensor convolve(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias,
                const Convolution& convolution) {
  check_same_dtype(operation, x, weight);
  const Geometry g = geometry(operation, x.shape(), weight.shape(), convolution);
  if (bias.defined()) {
    check_same_dtype(operation, x, bias);
    if (bias.shape() != Shape{weight.size(0)})
      fail<ShapeError>("[{}] expected a bias ({}), got {}", operation, weight.size(0), bias.shape());
  }
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor y = empty({g.batch, weight.size(0), g.out[0], g.out[1]}, x.dtype());
    count_flops(flops_of(g) + (bias.defined() ? y.size() : 0));
    T* const out = writable<T>(y);
    if constexpr (std::is_same_v<T, float>)
      if (onednn_pays(Pass::forward, g) && onednn_convolve(operation, g, readable<T>(x), readable<T>(weight),
                                                           bias.defined() ? readable<T>(bias) : nullptr, out))
        return y;
    const Tiling tiling(g, 512);
    parallel_for(tiling.parts() * tiling.bands() * g.how.groups, [&](Index i) {
      const Index group = i % g.how.groups, tile = i / g.how.groups;
      Block<T> block(g, tiling.tile(tile / tiling.bands(), tile % tiling.bands()), group);
      block.lay_out(readable<T>(x));
      T* const result = block.y_matrix(out);
      multiply_here(Product<T>{.m = g.outputs,
                               .n = block.columns(),
                               .k = g.taps(),
                               .a = readable<T>(weight) + group * g.outputs * g.taps(),
                               .lda = g.taps(),
                               .ta = false,
                               .b = block.matrix(),
                               .ldb = block.ld(),
                               .tb = false,
                               .bias = nullptr,
                               .update = nullptr,
                               .c = result,
                               .ldc = block.y_ld()});
      if (bias.defined())
        for (Index o = 0; o < g.outputs; ++o) {
          const T shift = readable<T>(bias)[group * g.outputs + o];
          T* const row = result + o * block.y_ld();
          for (Index j = 0; j < block.columns(); ++j) row[j] += shift;
        }
      block.scatter(out);
    });
    return y;
  });
}

Tensor convolve_input(const char* operation, const Tensor& dy, const Tensor& weight,
                      const Convolution& convolution, Index height, Index width) {
  check_same_dtype(operation, dy, weight);
  if (dy.rank() != 4 || weight.rank() != 4)
    fail<ShapeError>("[{}] expected x (N, C, H, W) and a weight (C, out / groups, h, w), got {} and {}",
                     operation, dy.shape(), weight.shape());
  const Shape shape{dy.size(0), weight.size(1) * convolution.groups, height, width};
  const Geometry g = geometry(operation, shape, weight.shape(), convolution);
  check_result(operation, g, dy);
  return for_float(operation, dy.dtype(), [&]<class T>() {
    count_flops(flops_of(g));
    if constexpr (std::is_same_v<T, float>)
      if (onednn_pays(Pass::input, g))
        if (Tensor dx = empty(shape, dy.dtype());
            onednn_convolve_input(operation, g, readable<T>(dy), readable<T>(weight), writable<T>(dx)))
          return dx;
    Tensor dx = zeros(shape, dy.dtype());
    T* const out = writable<T>(dx);
    const Tiling tiling(g, 512);
    // The bands of an image overlap in it, so one block does them all, one after another.
    parallel_for(tiling.parts() * g.how.groups, [&](Index i) {
      const Index group = i % g.how.groups;
      for (Index band = 0; band < tiling.bands(); ++band) {
        Block<T> block(g, tiling.tile(i / g.how.groups, band), group);
        const T* const gradient = block.gather(readable<T>(dy));
        T* const columns = block.columns_of(out);
        multiply_here(Product<T>{.m = g.taps(),
                                 .n = block.columns(),
                                 .k = g.outputs,
                                 .a = readable<T>(weight) + group * g.outputs * g.taps(),
                                 .lda = g.taps(),
                                 .ta = true,
                                 .b = gradient,
                                 .ldb = block.y_ld(),
                                 .tb = false,
                                 .bias = nullptr,
                                 .update = nullptr,
                                 .c = columns,
                                 .ldc = block.ld()});
        block.add_to(out);
      }
    });
    return dx;
  });
}

Tensor convolve_weight(const char* operation, const Tensor& dy, const Tensor& x,
                       const Convolution& convolution, Index height, Index width) {
  check_same_dtype(operation, dy, x);
  if (dy.rank() != 4 || x.rank() != 4)
    fail<ShapeError>("[{}] expected a gradient and x of four axes, got {} and {}", operation, dy.shape(),
                     x.shape());
  const Shape shape{dy.size(1), x.size(1) / std::max<Index>(convolution.groups, 1), height, width};
  const Geometry g = geometry(operation, x.shape(), shape, convolution);
  check_result(operation, g, dy);
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor dweight = empty(shape, x.dtype());
    count_flops(flops_of(g));
    if constexpr (std::is_same_v<T, float>)
      if (onednn_pays(Pass::weight, g) &&
          onednn_convolve_weight(operation, g, readable<T>(dy), readable<T>(x), writable<T>(dweight)))
        return dweight;
    const Tiling tiling(g, 1024);  // each ends in a pass over the weights
    const Index size = g.outputs * g.taps(), all = size * g.how.groups;
    const Runs runs(tiling.parts(), all);
    std::vector<double> sums(static_cast<std::size_t>(runs.count() * all));
    parallel_for(runs.count() * g.how.groups, [&](Index i) {
      const Index group = i % g.how.groups, run = i / g.how.groups;
      T* const product = scratch<T, Weights>(size);
      for (Index part = runs.begin(run); part < runs.end(run); ++part)
        for (Index band = 0; band < tiling.bands(); ++band) {
          Block<T> block(g, tiling.tile(part, band), group);
          block.lay_out(readable<T>(x));
          multiply_here(Product<T>{.m = g.outputs,
                                   .n = g.taps(),
                                   .k = block.columns(),
                                   .a = block.gather(readable<T>(dy)),
                                   .lda = block.y_ld(),
                                   .ta = false,
                                   .b = block.matrix(),
                                   .ldb = block.ld(),
                                   .tb = true,
                                   .bias = nullptr,
                                   .update = nullptr,
                                   .c = product,
                                   .ldc = g.taps()});
          loops<T>().add_to(size, product, sums.data() + i * size);
        }
    });
    runs.add(sums, writable<T>(dweight));
    return dweight;
  });
}

}  // namespace elk::kernels
