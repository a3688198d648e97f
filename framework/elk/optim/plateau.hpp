// A learning rate that follows what is measured.
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
    bool larger_is_better = false;  ///< an accuracy, say
    double factor = 0.1;            ///< that the rate is multiplied by
    int patience = 10;              ///< epochs without an improvement that are let pass
    double threshold = 1e-4;        ///< an improvement is one by more than this share of the best
    bool absolute = false;          ///< not a share but a difference
    int cooldown = 0;               ///< epochs after a reduction that are not counted
    double least_lr = 0;
    double epsilon = 1e-8;  ///< a smaller change of the rate is not made
  };
  /// ValueError for numbers without sense: a factor that is not below 1, for one.
  ReduceLROnPlateau(Optimizer& optimizer, const Options& options);

  /// Takes in a measure, and returns whether the rate was lowered. NaN is no improvement.
  bool step(double measure);

  double best() const { return best_; }
  const Options& options() const { return options_; }

  /// What resuming needs: the optimizer's rate, too.
  State state() const;
  /// Sets the rate as well. ValueError for what is no such state; then nothing has changed.
  void load_state(const State& state);

 private:
  bool is_better(double measure) const;

  Optimizer* optimizer_;
  Options options_;
  double best_;
  int bad_ = 0, cooling_ = 0;
};

}  // namespace elk::optim
