// Activations, softmax, dropout and noise.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// max(x, 0); derivative 0 at 0, and 1 at NaN, so that a NaN propagates.
Tensor relu(const Tensor& x);
/// x above 0, slope * x below; derivative `slope` at 0, and 1 at NaN.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// 1 / (1 + exp(-x)).
Tensor sigmoid(const Tensor& x);
/// The hyperbolic tangent.
Tensor tanh(const Tensor& x);

/// log(1 + exp(x)), a smooth relu that does not overflow.
Tensor softplus(const Tensor& x);
/// x times the share of a standard normal below x. (D. Hendrycks, K. Gimpel, "Gaussian error linear units",
/// 2016; the exact form.)
Tensor gelu(const Tensor& x);
/// x sigmoid(x), also called swish.
Tensor silu(const Tensor& x);
/// x where it is above 0, alpha (exp(x) - 1) elsewhere.
Tensor elu(const Tensor& x, double alpha = 1);
/// A scaled elu that keeps mean 0 and variance 1. (G. Klambauer et al., "Self-normalizing neural networks",
/// 2017.)
Tensor selu(const Tensor& x);
/// x / (1 + |x|), a tanh without exponentials.
Tensor softsign(const Tensor& x);
/// x limited to [low, high]; as in PyTorch, and unlike clamp, no gradient passes at the ends. ValueError
/// unless low is below high.
Tensor hardtanh(const Tensor& x, double low = -1, double high = 1);
/// log(sigmoid(x)), without overflow.
Tensor log_sigmoid(const Tensor& x);

/// exp(x) / sum(exp(x)) along an axis; the maximum is subtracted first, so that nothing overflows.
Tensor softmax(const Tensor& x, Axis axis = -1);
/// log(softmax(x)), exact where the softmax itself would round to 0.
Tensor log_softmax(const Tensor& x, Axis axis = -1);

/// Whether operations of this thread are on a training tape (one made with an Rng) that is neither paused nor
/// used up. Then dropout and noise are active, and BatchNorm uses the statistics of the batch.
bool training();

/// On a training tape (one made with an Rng): sets each element to 0 with probability p, from 0 up to but not
/// including 1, and divides the others by 1 - p. Otherwise x itself. (N. Srivastava et al., "Dropout", JMLR
/// 15, 2014.)
Tensor dropout(const Tensor& x, double p);

/// On a training tape (one made with an Rng): x plus `deviation` times a draw from the standard normal
/// distribution for each element, in their order. Otherwise x itself. ValueError unless `deviation` is finite
/// and at least 0.
Tensor gaussian_noise(const Tensor& x, double deviation);

}  // namespace elk
