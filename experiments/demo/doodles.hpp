// Drawings that are no digits, to find out what a network would say of such.
#pragma once

#include <cstdint>

#include <elk/tensor/tensor.hpp>

namespace elk::demo {

/// How many kinds there are: scribble, zigzag, star, fence, crossed box, triangle, spiral, dashes, waves.
constexpr std::uint64_t doodle_kinds = 9;

/// Drawing `i` of an endless series, prepared as drawn digits are: u8 (28, 28). Its kind is i % doodle_kinds.
Tensor doodle(std::uint64_t i);

}  // namespace elk::demo
