// Initial weights.
#pragma once

#include <string>

#include <elk/tensor/tensor.hpp>

namespace elk::nn {

/// How weights are drawn; `in` is the number of inputs.
enum class Init {
  he,      ///< N(0, 2 / in): K. He et al., "Delving Deep into Rectifiers", 2015
  xavier,  ///< N(0, 1 / in): X. Glorot, Y. Bengio, 2010, in the form that keeps the forward variance
  normal,  ///< N(0, 1)
};

/// A weight (out, in). The draws fill (in, out) row by row, so that NumPy's
/// `RandomState(seed).randn(in, out) * std` gives its transpose.
Tensor initial_weight(Index in, Index out, Init init, Rng& rng, DType dtype = f32);

/// "he", "xavier" or "normal"; ValueError otherwise.
Init init_from(const std::string& name);

}  // namespace elk::nn
