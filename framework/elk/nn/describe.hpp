// How layers tell their options. Private.
#pragma once

#include <elk/base/format.hpp>
#include <elk/ops/convolution.hpp>

namespace elk::nn {

/// "3", or "(3, 5)".
inline std::string text(const Pair& pair) {
  return pair.rows == pair.columns ? std::to_string(pair.rows)
                                   : fmt::format("({}, {})", pair.rows, pair.columns);
}

/// ", stride 2", or nothing where the option is as usual.
inline std::string changed(const Pair& usual, const char* name, const Pair& option) {
  return option == usual ? "" : fmt::format(", {} {}", name, text(option));
}

}  // namespace elk::nn
