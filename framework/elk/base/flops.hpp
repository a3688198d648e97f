// Floating-point operations, counted from what ran: 2mnk for a matrix product, 1 an element of an
// element-wise operation, n for a reduction over n elements. Moving data counts nothing.
#pragma once

#include <cstdint>

namespace elk {

namespace detail {
// Visible: a program that hides its symbols has to share it with a shared library.
[[gnu::visibility("default")]] inline thread_local std::uint64_t flop_count = 0;
}  // namespace detail

/// Operations done by this thread's calls so far (work handed to helper threads included).
inline std::uint64_t flops() { return detail::flop_count; }

namespace detail {
inline void count_flops(std::int64_t n) { flop_count += static_cast<std::uint64_t>(n); }
}  // namespace detail

}  // namespace elk
