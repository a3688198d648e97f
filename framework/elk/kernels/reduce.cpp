#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/extent.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>

namespace elk::kernels {

namespace {

std::vector<std::size_t> axis_list(const char* operation, const Shape& shape, const Axes& axes) {
  const auto reduced = axes.of(operation, shape);
  std::vector<std::size_t> list;
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.rank()); ++i)
    if (reduced[i]) list.push_back(i);
  return list;
}

// A shape seen as (outer, n, inner), where the middle is reduced. Any reduction over neighbouring axes is one
// of these.
struct Split {
  Index outer = 1, n = 1, inner = 1;
  bool exists = true;
};

Split split(const Shape& shape, const std::vector<std::size_t>& axes) {
  Split s;
  if (axes.empty()) return {shape.size(), 1, 1, true};
  const auto first = static_cast<int>(axes.front()), last = static_cast<int>(axes.back());
  s.exists = last - first + 1 == static_cast<int>(axes.size());
  for (int i = 0; i < shape.rank(); ++i) (i < first ? s.outer : i <= last ? s.n : s.inner) *= shape[i];
  return s;
}

// x with the axes of the list behind all others: each run of elements along them is reduced to one.
Tensor reduced_last(const Tensor& x, const std::vector<std::size_t>& list) {
  std::vector<int> order;
  for (int i = 0; i < x.rank(); ++i)
    if (std::find(list.begin(), list.end(), static_cast<std::size_t>(i)) == list.end()) order.push_back(i);
  order.insert(order.end(), list.begin(), list.end());
  return permute(x, order);
}

// The general form: y = the elements of each run, put together one by one from `begin` on.
template <class Out, class T, class Value, class F>
void fold(const Tensor& x, const std::vector<std::size_t>& list, Tensor& y, Value begin, F f) {
  const Tensor runs = reduced_last(x, list);
  const Index n = y.size() == 0 ? 0 : x.size() / y.size();
  const T* in = readable<T>(runs);
  for (Index i = 0; i < y.size(); ++i, in += n)
    writable<Out>(y)[i] = static_cast<Out>(std::accumulate(in, in + n, begin, f));
}

// A contiguous sum of f(element) in a fixed order: eight running sums side by side, so that the compiler can
// use vectors.
template <class Sum, class T, class F = std::identity>
Sum sum_of(const T* x, Index n, F f = {}) {
  constexpr Index lanes = 8;
  Sum part[lanes] = {};
  Index i = 0;
  for (; i + lanes <= n; i += lanes)
    for (Index lane = 0; lane < lanes; ++lane) part[lane] += f(static_cast<Sum>(x[i + lane]));
  for (; i < n; ++i) part[i % lanes] += f(static_cast<Sum>(x[i]));
  return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

template <class Out, class Sum, class T>
void sum_split(const T* x, Out* y, const Split& s) {
  if (s.inner == 1) {
    if constexpr (std::is_same_v<T, float>) {  // rounded, so that the order of an f64's sum is not seen
      for (Index i = 0; i < s.outer; ++i) y[i] = static_cast<Out>(loops<T>().sum(s.n, x + i * s.n));
      return;
    }
    for (Index i = 0; i < s.outer; ++i) y[i] = static_cast<Out>(sum_of<Sum>(x + i * s.n, s.n));
    return;
  }
  std::vector<Sum> total(static_cast<std::size_t>(s.inner));
  for (Index i = 0; i < s.outer; ++i) {
    std::fill(total.begin(), total.end(), Sum(0));
    for (Index k = 0; k < s.n; ++k) {
      const T* row = x + (i * s.n + k) * s.inner;
      Sum* t = total.data();
      if constexpr (std::is_floating_point_v<T>)
        loops<T>().add_to(s.inner, row, t);
      else
        for (Index j = 0; j < s.inner; ++j) t[j] += static_cast<Sum>(row[j]);
    }
    for (Index j = 0; j < s.inner; ++j)
      y[i * s.inner + j] = static_cast<Out>(total[static_cast<std::size_t>(j)]);
  }
}

struct LargerOrNaN {
  template <class T>
  T operator()(T a, T b) const {
    return (a > b || a != a) ? a : b;
  }
};

}  // namespace

Shape reduced_shape(const char* operation, const Shape& shape, const Axes& axes, bool keep_dims) {
  const auto reduced = axes.of(operation, shape);
  Shape result;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!reduced[static_cast<std::size_t>(i)])
      result.push_back(shape[i]);
    else if (keep_dims)
      result.push_back(1);
  }
  return result;
}

Tensor sum(const Tensor& x, const Axes& axes, bool keep_dims) {
  const auto list = axis_list("sum", x.shape(), axes);
  const Shape shape = reduced_shape("sum", x.shape(), axes, keep_dims);
  return for_any(x.dtype(), [&]<class T>() {
    using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
    using Out = std::conditional_t<std::is_floating_point_v<T>, T, std::int64_t>;
    if (x.size() == 0) return zeros(shape, dtype_of<Out>);
    Tensor y = empty(shape, dtype_of<Out>);
    const Split s = split(x.shape(), list);
    if (s.exists && !reference())
      sum_split<Out, Sum>(readable<T>(x), writable<Out>(y), s);
    else
      fold<Out, T>(x, list, y, Sum(0), [](Sum total, T v) { return total + static_cast<Sum>(v); });
    count_flops(x.size());
    return y;
  });
}

Tensor max(const Tensor& x, const Axes& axes, bool keep_dims) {
  const auto list = axis_list("max", x.shape(), axes);
  const Shape shape = reduced_shape("max", x.shape(), axes, keep_dims);
  if (x.size() == 0 && shape.size() > 0)
    fail<ShapeError>("[max] shape {} has no elements to choose from", x.shape());
  return for_any(x.dtype(), [&]<class T>() {
    Tensor y = empty(shape, x.dtype());
    const Split s = split(x.shape(), list);
    if (s.exists && !reference()) {
      const T* in = readable<T>(x);
      T* out = writable<T>(y);
      for (Index i = 0; i < s.outer; ++i)
        for (Index j = 0; j < s.inner; ++j) {
          const T* column = in + i * s.n * s.inner + j;
          T top = column[0];
          for (Index k = 1; k < s.n; ++k) top = LargerOrNaN()(top, column[k * s.inner]);
          out[i * s.inner + j] = top;
        }
    } else {
      constexpr T least =
          std::is_integral_v<T> ? std::numeric_limits<T>::lowest() : -std::numeric_limits<T>::infinity();
      fold<T, T>(x, list, y, least, LargerOrNaN());
    }
    count_flops(x.size());
    return y;
  });
}

Tensor cumsum(const Tensor& x, int axis) {
  const Extent e = extent("cumsum", x.shape(), axis);
  return for_any(x.dtype(), [&]<class T>() {
    using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
    using Out = std::conditional_t<std::is_floating_point_v<T>, T, std::int64_t>;
    Tensor y = empty(x.shape(), dtype_of<Out>);
    std::vector<Sum> total(static_cast<std::size_t>(e.inner));
    for (Index i = 0; i < e.outer; ++i) {
      std::fill(total.begin(), total.end(), Sum(0));
      for (Index k = 0; k < e.n; ++k) {
        const Index row = (i * e.n + k) * e.inner;
        for (Index j = 0; j < e.inner; ++j)
          writable<Out>(y)[row + j] = static_cast<Out>(total[static_cast<std::size_t>(j)] +=
                                                       static_cast<Sum>(readable<T>(x)[row + j]));
      }
    }
    count_flops(x.size());
    return y;
  });
}

namespace {

// The first that is `better` than all before it, or NaN. A loop and not xt::argmax, which returns the argmin
// of a 1-D tensor before xtensor 0.25.
template <class F>
Tensor first_best(const char* operation, const Tensor& x, int axis, F better) {
  const auto list = axis_list(operation, x.shape(), axis);
  const Shape shape = reduced_shape(operation, x.shape(), axis, false);
  if (x.size() == 0 && shape.size() > 0)
    fail<ShapeError>("[{}] shape {} has no elements to choose from", operation, x.shape());
  return for_any(x.dtype(), [&]<class T>() {
    Tensor y = empty(shape, i64);
    const Split s = split(x.shape(), list);
    const T* in = readable<T>(x);
    auto* out = writable<std::int64_t>(y);
    for (Index i = 0; i < s.outer; ++i)
      for (Index j = 0; j < s.inner; ++j) {
        const T* column = in + i * s.n * s.inner + j;
        Index best = 0;
        T top = column[0];
        for (Index k = 1; k < s.n && top == top; ++k) {
          const T value = column[k * s.inner];
          if (better(value, top) || value != value) {
            top = value;
            best = k;
          }
        }
        out[i * s.inner + j] = best;
      }
    count_flops(x.size());
    return y;
  });
}

}  // namespace

Tensor argmax(const Tensor& x, int axis) {
  return first_best("argmax", x, axis, [](auto a, auto b) { return a > b; });
}
Tensor argmin(const Tensor& x, int axis) {
  return first_best("argmin", x, axis, [](auto a, auto b) { return a < b; });
}

double sum_of_squares(const Tensor& x) {
  return for_float("sum_of_squares", x.dtype(), [&]<class T>() {
    count_flops(2 * x.size());
    return sum_of<double>(readable<T>(x), x.size(), [](double v) { return v * v; });
  });
}

}  // namespace elk::kernels
