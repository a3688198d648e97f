// Initial weights by PyTorch's names: init::xavier_uniform_(layer.weight(), rng). Each replaces the
// parameter's value by one of its shape and dtype.
#pragma once

#include <elk/base/rng.hpp>
#include <elk/nn/parameter.hpp>

namespace elk::nn {

/// Which number of connections of a weight (out, in, ...) is used: in or out, times the sizes of the other
/// axes.
enum class Fan { in, out };

/// The nonlinearity that follows the weight, for calculate_gain.
enum class Nonlinearity { linear, sigmoid, tanh, relu, leaky_relu, selu };

/// Options of kaiming_uniform_ and kaiming_normal_.
struct KaimingOptions {
  double slope = 0;  ///< of leaky_relu below 0
  Fan mode = Fan::in;
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};

/// Functions that give a parameter its initial value. ShapeError for a weight without the axes that they
/// need, ValueError for invalid numbers.
namespace init {

/// The factor that makes up for a nonlinearity: 1, 5/3 for tanh, √2 for relu, √(2 / (1 + slope²)) for
/// leaky_relu, 3/4 for selu.
double calculate_gain(Nonlinearity nonlinearity, double slope = 0.01);

/// Every element `value`.
void constant_(Parameter& p, double value);
void zeros_(Parameter& p);  ///< every element 0
void ones_(Parameter& p);   ///< every element 1
/// Uniform on [low, high).
void uniform_(Parameter& p, Rng& rng, double low = 0, double high = 1);
/// Normally distributed.
void normal_(Parameter& p, Rng& rng, double mean = 0, double std = 1);
/// A normal distribution truncated to [low, high]. ValueError for an interval that is more than 2 std from
/// the mean.
void trunc_normal_(Parameter& p, Rng& rng, double mean = 0, double std = 1, double low = -2, double high = 2);
/// Uniform between ±gain √(6 / (in + out)). (X. Glorot, Y. Bengio, 2010.)
void xavier_uniform_(Parameter& p, Rng& rng, double gain = 1);
/// Normal, with std gain √(2 / (in + out)).
void xavier_normal_(Parameter& p, Rng& rng, double gain = 1);
/// Uniform between ±gain √(3 / fan). (K. He et al., 2015.)
void kaiming_uniform_(Parameter& p, Rng& rng, const KaimingOptions& options = {});
/// Normal, with std gain / √fan.
void kaiming_normal_(Parameter& p, Rng& rng, const KaimingOptions& options = {});
/// Orthogonal rows (or columns, if there are fewer) of length `gain`; the axes after the first are taken
/// together. (A. Saxe et al., 2013.)
void orthogonal_(Parameter& p, Rng& rng, double gain = 1);
/// The identity, of a matrix: 1 on the diagonal, 0 elsewhere.
void eye_(Parameter& p);
/// The same for a convolution's weight (out, in / groups, ...), whose kernel has one to three axes: with a
/// padding of half the kernel each output channel is the input channel of its number, within its group; those
/// that have none are 0. ShapeError unless `groups` divide the output channels.
void dirac_(Parameter& p, Index groups = 1);
/// A matrix (out, in) in which a share `sparsity` of each column, rounded up, is 0, and the rest normal with
/// mean 0. (J. Martens, "Deep learning via Hessian-free optimization", 2010.)
void sparse_(Parameter& p, Rng& rng, double sparsity, double std = 0.01);

}  // namespace init

}  // namespace elk::nn
