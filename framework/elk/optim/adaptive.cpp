#include <cmath>

#include <elk/kernels/update.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/optim/adaptive.hpp>
#include <elk/optim/check.hpp>

namespace elk::optim {

namespace {

// The gradient with the weight decay added to it.
Tensor decayed(const Tensor& gradient, const Tensor& weight, double weight_decay) {
  return weight_decay == 0 ? gradient : gradient + weight_decay * weight;
}

// A moving mean that takes in x.
Tensor moved(const Tensor& mean, const Tensor& x, double keep) { return keep * mean + (1 - keep) * x; }

std::vector<const char*> rmsprop_moments(const RMSprop::Options& options) {
  std::vector<const char*> names{"square"};
  if (options.centered) names.push_back("mean_gradient");
  if (options.momentum > 0) names.push_back("velocity");
  return names;
}

}  // namespace

RMSprop::RMSprop(const nn::Module& module, const Options& options)
    : InPlaceOptimizer(module, options.lr, options.weight_decay, rmsprop_moments(options)),
      options_(options) {
  check("rmsprop", "alpha", options.alpha, 0, 1);
  check("rmsprop", "epsilon", options.epsilon, 0, INFINITY);
  check("rmsprop", "weight_decay", options.weight_decay, 0, INFINITY);
  check("rmsprop", "momentum", options.momentum, 0, 1);
}

void RMSprop::update_in_place(Tensor& weight, std::vector<Tensor>& moments, const kernels::Gradient& gradient,
                              const Step& step) {
  Tensor none;
  kernels::rmsprop_update(weight, moments[0], options_.centered ? moments[1] : none,
                          options_.momentum > 0 ? moments.back() : none, gradient, step.lr, options_.alpha,
                          options_.epsilon, step.weight_decay, options_.momentum);
}

Adagrad::Adagrad(const nn::Module& module, const Options& options)
    : Optimizer(module, options.lr, options.weight_decay, {"sum"}), options_(options) {
  check("adagrad", "lr_decay", options.lr_decay, 0, INFINITY);
  check("adagrad", "weight_decay", options.weight_decay, 0, INFINITY);
  check("adagrad", "initial_sum", options.initial_sum, 0, INFINITY);
  check("adagrad", "epsilon", options.epsilon, 0, INFINITY);
}

Tensor Adagrad::update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                       const Step& step) {
  const Tensor g = decayed(gradient, weight, step.weight_decay);
  const double rate = step.lr / (1 + static_cast<double>(step.number - 1) * options_.lr_decay);
  if (step.number == 1) moments[0] = full(weight.shape(), options_.initial_sum, weight.dtype());
  moments[0] = moments[0] + square(g);
  return weight - rate * (g / (sqrt(moments[0]) + options_.epsilon));
}

Adamax::Adamax(const nn::Module& module, const Options& options)
    : Optimizer(module, options.lr, options.weight_decay, {"mean", "largest"}), options_(options) {
  check("adamax", "beta1", options.beta1, 0, 1);
  check("adamax", "beta2", options.beta2, 0, 1);
  check("adamax", "epsilon", options.epsilon, 0, INFINITY);
  check("adamax", "weight_decay", options.weight_decay, 0, INFINITY);
}

Tensor Adamax::update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                      const Step& step) {
  const Tensor g = decayed(gradient, weight, step.weight_decay);
  moments[0] = moved(moments[0], g, options_.beta1);
  moments[1] = maximum(options_.beta2 * moments[1], abs(g) + options_.epsilon);
  const double rate = step.lr / (1 - std::pow(options_.beta1, static_cast<double>(step.number)));
  return weight - rate * (moments[0] / moments[1]);
}

NAdam::NAdam(const nn::Module& module, const Options& options)
    : Optimizer(module, options.lr, options.weight_decay, {"nesterov_mean", "square"}), options_(options) {
  check("nadam", "beta1", options.beta1, 0, 1);
  check("nadam", "beta2", options.beta2, 0, 1);
  check("nadam", "epsilon", options.epsilon, 0, INFINITY);
  check("nadam", "weight_decay", options.weight_decay, 0, INFINITY);
  check("nadam", "momentum_decay", options.momentum_decay, 0, INFINITY);
}

double NAdam::momentum(std::int64_t step) const {
  return options_.beta1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(step) * options_.momentum_decay));
}

Tensor NAdam::update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                     const Step& step) {
  const auto t = static_cast<std::size_t>(step.number);
  while (products_.size() <= t)
    products_.push_back(products_.back() * momentum(static_cast<std::int64_t>(products_.size())));
  const double now = momentum(step.number), next = momentum(step.number + 1);
  const Tensor g = decayed(gradient, weight, step.weight_decay);
  moments[0] = moved(moments[0], g, options_.beta1);
  moments[1] = moved(moments[1], square(g), options_.beta2);
  const double correction = 1 - std::pow(options_.beta2, static_cast<double>(step.number));
  const Tensor root = sqrt(moments[1] / correction) + options_.epsilon;
  const double of_gradient = step.lr * (1 - now) / (1 - products_[t]),
               of_mean = step.lr * next / (1 - products_[t] * next);
  return weight - (of_gradient * g + of_mean * moments[0]) / root;
}

}  // namespace elk::optim
