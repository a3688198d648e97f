// The optional bridge between xtensor and elkgrad: include it before any xtensor header.
//
//   // any dtype of x
//   elk::Tensor y = elk::compute([](const auto& v) { return v / (1 + xt::abs(v)); }, x);
//   // evaluated at once
//   elk::Tensor t = elk::from(xt::linspace<float>(0, 1, 11));
//   // t's elements, read-only
//   auto view = elk::view<float>(t);
#pragma once

#include <elk/kernels/xtensor.hpp>
// (the line above must come first)
#include <tuple>
#include <type_traits>

#include <elk/base/error.hpp>
#include <elk/tensor/storage.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk {

/// The elements of `x` as an xtensor adaptor of its shape. The view does not keep the elements alive, so keep
/// `x`. T must be x's element type (DTypeError).
template <class T>
auto view(const Tensor& x) {
  const std::vector<std::size_t> shape(x.shape().begin(), x.shape().end());
  const std::span<const T> data = x.data<T>();
  return xt::adapt(data.data(), data.size(), xt::no_ownership(), shape);
}
template <class T>
auto view(const Tensor&& x) = delete;  // would outlive its tensor

/// A tensor of the expression's values, computed now. Its elements must be float, double, bool or an integer
/// (i64, or u8 for bool and unsigned char).
template <class E>
Tensor from(const xt::xexpression<E>& expression) {
  using V = typename E::value_type;
  using T = std::conditional_t<std::is_same_v<V, bool> || std::is_same_v<V, unsigned char>, std::uint8_t,
                               std::conditional_t<std::is_integral_v<V>, std::int64_t, V>>;
  static_assert(std::is_same_v<T, float> || !std::is_floating_point_v<T> || std::is_same_v<T, double>,
                "elk::from takes expressions of float, double, bool or integers");
  const E& e = expression.derived_cast();
  Shape shape;
  for (const auto size : e.shape()) shape.push_back(static_cast<Index>(size));
  Tensor x = empty(shape, dtype_of<T>);
  const std::vector<std::size_t> sizes(shape.begin(), shape.end());
  auto out = xt::adapt(detail::writable<T>(x), static_cast<std::size_t>(x.size()), xt::no_ownership(), sizes);
  xt::noalias(out) = xt::cast<T>(e);
  return x;
}

/// f applied to the xtensor views of float tensors, evaluated at once: the value of an operation of your own.
/// All inputs must have one dtype, f32 or f64; write `f` as a generic lambda, since it is compiled for both.
/// Records nothing: pass the result to record().
template <class F, class... More>
Tensor compute(F f, const Tensor& x, const More&... more) {
  if (((more.dtype() != x.dtype()) || ...)) throw DTypeError("[compute] the inputs have different dtypes");
  const auto evaluate =
      [&](const auto&... views) {  // named views: f's expression refers to them until evaluated
        const auto result = f(views...);
        using Out = typename std::remove_cvref_t<decltype(result)>::value_type;
        using T = typename std::remove_cvref_t<decltype(std::get<0>(std::tie(views...)))>::value_type;
        if constexpr (std::is_floating_point_v<Out>)
          return from(xt::cast<T>(result));  // a double literal in f must not change the dtype
        else
          return from(result);
      };
  if (x.dtype() == f32) return evaluate(view<float>(x), view<float>(more)...);
  if (x.dtype() == f64) return evaluate(view<double>(x), view<double>(more)...);
  throw DTypeError("[compute] expected f32 or f64");
}

}  // namespace elk
