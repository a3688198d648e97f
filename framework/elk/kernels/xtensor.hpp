// Includes xtensor with its C++20 repair: everything that uses xtensor includes this header first, and none
// of xtensor's own, whose places changed with 0.26.
//
// xtensor picks the temporary type of an xarray expression by a template template parameter, and in C++20 GCC
// matches xtensor<T, 4> to it: xt::eval(a + b) comes back four-dimensional (xtensor issue 1970). These full
// specialisations name the right type.
#pragma once

#ifdef XTENSOR_EXPRESSION_TRAITS_HPP
#error "include <elk/xtensor.hpp> before any xtensor header: it repairs xtensor's temporaries in C++20"
#endif

#if __has_include(<xtensor/containers/xstorage.hpp>)
#define ELK_XTENSOR_IN_FOLDERS 1
#else
#define ELK_XTENSOR_IN_FOLDERS 0
#endif

#if ELK_XTENSOR_IN_FOLDERS  // xtensor 0.26 and later
#include <xtensor/containers/xstorage.hpp>
#include <xtensor/core/xexpression_traits.hpp>
#else
#include <xtensor/xexpression_traits.hpp>
#include <xtensor/xstorage.hpp>
#endif

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

#if ELK_XTENSOR_IN_FOLDERS
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/core/xnoalias.hpp>
#include <xtensor/generators/xbuilder.hpp>
#include <xtensor/misc/xmanipulation.hpp>
#include <xtensor/reducers/xreducer.hpp>
#include <xtensor/views/xbroadcast.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xbroadcast.hpp>
#include <xtensor/xbuilder.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xreducer.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif
#undef ELK_XTENSOR_IN_FOLDERS

namespace elk::detail {
using XArray = xt::xarray<float>;
static_assert(std::is_same_v<
              xt::temporary_type_t<decltype(std::declval<XArray&>() + std::declval<XArray&>())>, XArray>);
}  // namespace elk::detail
