// The exponential moving average of a network's weights, which often predicts better than the last ones.
#pragma once

#include <cstdint>
#include <vector>

#include <elk/base/moved.hpp>
#include <elk/nn/module.hpp>

namespace elk::optim {

/// Follows the parameters of a module: average = decay * average + (1 - decay) * weight, beginning with the
/// current weights. (B. Polyak, A. Juditsky, 1992, with PyTorch's form of the average.)
///
///   MovingAverage average(net, 0.999);
///   ... after each step: average.update();
///   average.swap();  // the net predicts with the averages
///   average.swap();  // and is trained on
///
/// An object that was moved from throws ValueError.
class MovingAverage {
 public:
  /// ValueError unless 0 <= decay < 1. The module's slots are followed wherever it moves.
  MovingAverage(const nn::Module& module, double decay);

  /// Adds the current weights to the average. DTypeError if the module was converted meanwhile; then nothing
  /// has changed.
  void update();
  /// The same with another decay this once, from 0 to below 1. In update t, counted from 1,
  /// corrected_decay(t) forgets the weights with which the average began.
  void update(double decay);
  /// decay (1 - decay^(t-1)) / (1 - decay^t): with it the average of t weights is that of all since the first
  /// update, sum(decay^(t-s) weight_s) / sum(decay^(t-s)), the average with Adam's correction of the bias.
  /// (D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2015, section 7.2.) ValueError
  /// unless t is at least 1.
  double corrected_decay(std::int64_t t) const;
  /// Exchanges weights and averages. DTypeError likewise.
  void swap();

  /// The averages under the parameters' names.
  State state() const;
  /// Names, shapes and dtypes must match; otherwise throws and changes nothing.
  void load_state(const State& state);

 private:
  struct Item {
    nn::NamedSlot parameter;
    Tensor average;
  };
  void check_parameters() const;
  double decay_;
  std::vector<Item> items_;
  detail::Moved moved_;
};

}  // namespace elk::optim
