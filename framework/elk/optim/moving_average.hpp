// The exponential moving average of a network's weights, which often predicts better than the last ones.
#pragma once

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
