// Where a NaN or an infinity came from.
#pragma once

#include <functional>
#include <string>

#include <elk/nn/module.hpp>

namespace elk {

/// Runs `loss(x)`, which uses `net`, again on a tape and names the first value that is not finite, in the
/// order of computation: "the input", "parameter fc1.weight", or "matmul in fc1" (an operation and the layer
/// it ran in). "" when everything is finite. Give the training Rng as it was before the step, so that dropout
/// is the same.
std::string first_non_finite(const nn::Module& net, const Tensor& x, Rng rng,
                             const std::function<Tensor(const Tensor& x)>& loss);

}  // namespace elk
