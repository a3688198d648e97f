// The exponential moving average of a network's weights, which often predicts better than the last ones.
#pragma once

#include <vector>

#include <elk/nn/module.hpp>

namespace elk::optim {

/// Follows the parameters of a module: average = decay * average + (1 - decay) * weight, beginning with the
/// weights at hand. (B. Polyak, A. Juditsky, 1992, with PyTorch's form of the average.)
///
///   MovingAverage average(net, 0.999);
///   ... after each step: average.update();
///   average.swap();  // the net predicts with the averages
///   average.swap();  // and is trained on
class MovingAverage {
 public:
  /// ValueError unless 0 <= decay < 1. The module's slots are followed wherever it moves.
  MovingAverage(const nn::Module& module, double decay);

  /// Takes the weights of now into the average.
  void update();
  /// Exchanges weights and averages. DTypeError when the module was converted meanwhile.
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
  double decay_;
  std::vector<Item> items_;
};

}  // namespace elk::optim
