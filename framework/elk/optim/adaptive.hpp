// Optimizers whose rate adapts to each weight: the relatives of Adam in PyTorch.
#pragma once

#include <elk/optim/optimizer.hpp>

namespace elk::optim {

/// w -= lr g / (sqrt(v) + epsilon) with a moving mean v of the squared gradient (centred: of its squared
/// distance from the mean). With momentum: b = momentum b + the quotient, w -= lr b. (T. Tieleman, G. Hinton,
/// lecture 6.5, 2012; A. Graves, 2013.)
class RMSprop : public InPlaceOptimizer {
 public:
  /// Its numbers.
  struct Options {
    double lr = 1e-2;
    double alpha = 0.99;  ///< the share of the old mean that is kept
    double epsilon = 1e-8;
    double weight_decay = 0;
    double momentum = 0;
    bool centered = false;
  };
  RMSprop(const nn::Module& module, const Options& options);

 private:
  void update_in_place(Tensor& weight, std::vector<Tensor>& moments, const kernels::Gradient& gradient,
                       const Step& step) override;
  Options options_;
};

/// w -= lr g / (sqrt(s) + epsilon) with the sum s of all squares so far. (J. Duchi et al., 2011.)
class Adagrad : public Optimizer {
 public:
  /// Its numbers.
  struct Options {
    double lr = 1e-2;
    double lr_decay = 0;  ///< the rate of step t is lr / (1 + (t - 1) lr_decay)
    double weight_decay = 0;
    double initial_sum = 0;
    double epsilon = 1e-10;
  };
  Adagrad(const nn::Module& module, const Options& options);

 private:
  Tensor update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                const Step& step) override;
  Options options_;
};

/// Adam with a decaying maximum of the gradient in place of the root of the mean square: u = max(beta2 u, |g|
/// + epsilon), w -= lr m / u. (D. Kingma, J. Ba, 2015, algorithm 2.)
class Adamax : public Optimizer {
 public:
  /// Its numbers.
  struct Options {
    double lr = 2e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0;
  };
  Adamax(const nn::Module& module, const Options& options);

 private:
  Tensor update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                const Step& step) override;
  Options options_;
};

/// Adam with Nesterov's momentum. (T. Dozat, "Incorporating Nesterov momentum into Adam", 2016.)
class NAdam : public Optimizer {
 public:
  /// Its numbers.
  struct Options {
    double lr = 2e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0;
    double momentum_decay = 4e-3;
  };
  NAdam(const nn::Module& module, const Options& options);

 private:
  Tensor update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                const Step& step) override;
  double momentum(std::int64_t step) const;
  Options options_;
  std::vector<double> products_{1};  // of the momenta of the first steps
};

}  // namespace elk::optim
