// Includes xtensor with its C++20 repair: everything that uses xtensor includes this header first.
//
// xtensor 0.24 picks the temporary type of an xarray expression by a template template parameter, and in
// C++20 GCC matches xtensor<T, 4> to it: xt::eval(a + b) comes back four-dimensional (xtensor issue 1970).
// These full specialisations name the right type.
#pragma once

#ifdef XTENSOR_EXPRESSION_TRAITS_HPP
#error "include <elk/xtensor.hpp> before any xtensor header: it repairs xtensor's temporaries in C++20"
#endif

#include <xtensor/xexpression_traits.hpp>
#include <xtensor/xstorage.hpp>

namespace xt::detail {
template <>
struct xtype_for_shape<svector<std::size_t, 4, std::allocator<std::size_t>, true>> {
  template <class T, layout_type L>
  using type = xarray<T, L>;
};
template <>
struct xtype_for_shape<svector<std::ptrdiff_t, 4, std::allocator<std::ptrdiff_t>, true>> {
  template <class T, layout_type L>
  using type = xarray<T, L>;
};
}  // namespace xt::detail

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>

namespace elk::detail {
using XArray = xt::xarray<float>;
static_assert(std::is_same_v<
              xt::temporary_type_t<decltype(std::declval<XArray&>() + std::declval<XArray&>())>, XArray>);
}  // namespace elk::detail
