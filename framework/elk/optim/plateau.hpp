// A learning rate that depends on a measurement.
#pragma once

#include <elk/optim/optimizer.hpp>

namespace elk::optim {

/// Lowers an optimizer's rate when a measure stops improving, once an epoch:
///
///   ReduceLROnPlateau plateau(adam, {.patience = 3});
///   ... after each epoch: plateau.step(validation_loss);
///
/// (As PyTorch's.) The optimizer must outlive it. For train::fit there is train::ReduceLROnPlateau.
class ReduceLROnPlateau {
 public:
  /// Its numbers.
  struct Options {
    bool larger_is_better = false;  ///< for an accuracy, for example
    double factor = 0.1;            ///< the rate is multiplied by it
    int patience = 10;              ///< allowed epochs without an improvement
    double threshold = 1e-4;        ///< an improvement must be more than this share of the best
    bool absolute = false;          ///< threshold is a difference, not a share
    int cooldown = 0;               ///< epochs after a reduction that are not counted
    double least_lr = 0;
    double epsilon = 1e-8;  ///< a smaller change of the rate is not made
  };
  /// ValueError for invalid numbers, such as a factor that is not below 1.
  ReduceLROnPlateau(AnyOptimizer& optimizer, const Options& options);

  /// Takes a measurement, and returns whether the rate was lowered. NaN is no improvement.
  bool step(double measure);

  double best() const { return best_; }
  const Options& options() const { return options_; }

  /// What is needed to resume, including the optimizer's rate.
  State state() const;
  /// Also sets the rate. ValueError for an invalid state; then nothing has changed.
  void load_state(const State& state);

 private:
  bool is_better(double measure) const;

  AnyOptimizer* optimizer_;
  Options options_;
  double best_;
  int bad_ = 0, cooling_ = 0;
};

}  // namespace elk::optim
