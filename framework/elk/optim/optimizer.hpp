// Optimizers: step() is given the gradients, so there is nothing to reset between steps.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/nn/module.hpp>

namespace elk::kernels {
struct Gradient;
}

/// Optimizers, schedules and changes of gradients before a step.
namespace elk::optim {

/// What Optimizer and LBFGS have in common: a learning rate, and a state to resume from. Schedules,
/// checkpoints, train::save and train::fit take any.
class AnyOptimizer {
 public:
  virtual ~AnyOptimizer() = default;

  virtual double lr() const = 0;  ///< the learning rate
  /// ValueError unless it is finite and not negative.
  virtual void set_lr(double lr) = 0;

  /// What is needed to resume, besides the parameters.
  virtual State state() const = 0;
  /// Takes over what state() gave for the same parameters; for anything else it throws and changes nothing.
  virtual void load_state(const State& state) = 0;

 protected:
  AnyOptimizer() = default;
  AnyOptimizer(const AnyOptimizer&) = default;
  AnyOptimizer(AnyOptimizer&&) = default;
  AnyOptimizer& operator=(const AnyOptimizer&) = default;
  AnyOptimizer& operator=(AnyOptimizer&&) = default;
};

/// The base of optimizers that take a step from gradients, for every parameter of a module. Your own
/// optimizer defines how a weight changes:
///
///   class SignSGD : public elk::optim::Optimizer {
///    public:
///     SignSGD(const elk::nn::Module& net, double lr) : Optimizer(net, lr) {}
///     Tensor update(const Tensor& weight, std::vector<Tensor>&, const Tensor& gradient,
///                   const Step& step) override {
///       return weight - step.lr * elk::sign(gradient);
///     }
///   };
class Optimizer : public AnyOptimizer {
 public:
  Optimizer(const Optimizer&) = default;
  Optimizer& operator=(const Optimizer&) = default;
  ~Optimizer() override = default;

  /// Updates every parameter that is not frozen. Throws TapeError naming a parameter without a gradient or,
  /// at the first step, the layer of a parameter that the module used but does not list in fields(). Throws
  /// DTypeError or ShapeError naming a parameter that its gradient or its moments do not fit, as after
  /// Module::to. If it throws, nothing has changed: no parameter, no moment, no count.
  void step(const Gradients& gradients);

  double lr() const final { return lr_; }  ///< the learning rate
  void set_lr(double lr) final;

  /// The settings of a group of parameters.
  struct Group {
    double lr_factor = 1;                     ///< the learning rate is multiplied by it
    std::optional<double> weight_decay = {};  ///< in place of the optimizer's
  };
  /// Makes a group of the parameters that `belongs` picks; for example, no weight decay for biases and for
  /// the scales of a LayerNorm:
  ///
  ///   adamw.group([](const nn::NamedSlot& p) { return p.slot->value().rank() < 2; }, {.weight_decay = 0});
  ///
  /// A parameter that is picked again changes its group. Groups are not part of state(). ValueError when
  /// none is picked, or for a negative rate.
  void group(const std::function<bool(const nn::NamedSlot&)>& belongs, const Group& group);

  /// Everything that is needed to resume, besides the parameters: for each parameter updated so far, its
  /// number of steps as "<parameter>.steps" and its moments as "<parameter>.<moment>".
  State state() const final;
  /// Names, shapes and dtypes must match; otherwise throws and changes nothing.
  void load_state(const State& state) final;

 protected:
  /// ValueError for a module that lists no parameters. `moments` names the tensors kept for each parameter,
  /// such as "velocity"; they start at 0.
  Optimizer(const nn::Module& module, double lr, double weight_decay = 0,
            std::vector<const char*> moments = {});

  /// The step, as update() gets it.
  struct Step {
    double lr;            ///< of this parameter in this step
    double weight_decay;  ///< likewise
    std::int64_t number;  ///< counts this parameter's own steps from 1; none while it is frozen
  };
  /// Returns the weight after the step, and replaces `moments`, in the order of the constructor's names, by
  /// the new ones. All have the weight's shape and dtype. Nothing is recorded. If it throws, no parameter has
  /// changed.
  virtual Tensor update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                        const Step& step) = 0;

 private:
  friend class InPlaceOptimizer;
  struct Item {
    nn::NamedSlot parameter;
    Group group = {};
    std::int64_t steps = 0;
    std::vector<Tensor> moments = {};  // made at the first step
  };
  void check_step(const Item& item, const Gradients& gradients) const;
  void check_listed(const Gradients& gradients);
  Step next_step(const Item& item) const;
  std::vector<Tensor> moments_of(const Item& item) const;
  virtual void apply(const std::vector<Item*>& trained, const Gradients& gradients);

  double lr_ = 0, weight_decay_ = 0;
  std::vector<const char*> moment_names_;
  std::vector<Item> items_;
  std::shared_ptr<detail::Uses> uses_;  // until the first step
};

/// An optimizer whose kernel writes to the elements: it needs no second copy of the weights during a step.
class InPlaceOptimizer : public Optimizer {
 protected:
  using Optimizer::Optimizer;

  /// Updates one parameter; see update(). Must not throw: other parameters are updated already.
  virtual void update_in_place(Tensor& weight, std::vector<Tensor>& moments,
                               const kernels::Gradient& gradient, const Step& step) = 0;

 private:
  Tensor update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                const Step& step) final;
  void apply(const std::vector<Item*>& trained, const Gradients& gradients) final;
};

/// w -= lr (g + weight_decay w), with momentum: v = momentum v + g, w -= lr v; with Nesterov's: w -= lr (g +
/// momentum v). (As PyTorch's SGD without dampening.)
class SGD : public InPlaceOptimizer {
 public:
  /// Its numbers.
  struct Options {
    double lr = 0.1;
    double momentum = 0;
    bool nesterov = false;  ///< needs momentum
    double weight_decay = 0;
  };
  SGD(const nn::Module& module, const Options& options);

 private:
  void update_in_place(Tensor& weight, std::vector<Tensor>& moments, const kernels::Gradient& gradient,
                       const Step& step) override;
  Options options_;
};

/// w -= lr m / (sqrt(v) + epsilon), with moving means m of the gradient and v of its square, corrected for
/// their beginning at 0. Weight decay is added to the gradient. (D. Kingma, J. Ba, "Adam: a method for
/// stochastic optimization", 2015, algorithm 1.)
class Adam : public InPlaceOptimizer {
 public:
  /// Its numbers.
  struct Options {
    double lr = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0;
    bool amsgrad = false;  ///< uses the largest v so far (S. Reddi et al., 2018)
  };
  Adam(const nn::Module& module, const Options& options);

 protected:
  Adam(const nn::Module& module, const Options& options, bool decoupled);

 private:
  void update_in_place(Tensor& weight, std::vector<Tensor>& moments, const kernels::Gradient& gradient,
                       const Step& step) override;
  Options options_;
  bool decoupled_;
};

/// Adam with decoupled weight decay: w -= lr weight_decay w, separate from the gradient's moments. (I.
/// Loshchilov, F. Hutter, 2019.)
class AdamW : public Adam {
 public:
  /// Its numbers.
  struct Options {
    double lr = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.01;
    bool amsgrad = false;
  };
  AdamW(const nn::Module& module, const Options& options);
};

/// w -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay w), then m = beta2 m + (1 - beta2) g. (X. Chen et
/// al., "Symbolic discovery of optimization algorithms", 2023, algorithm 2.)
class Lion : public InPlaceOptimizer {
 public:
  /// Its numbers.
  struct Options {
    double lr = 1e-4;
    double beta1 = 0.9;
    double beta2 = 0.99;
    double weight_decay = 0;
  };
  Lion(const nn::Module& module, const Options& options);

 private:
  void update_in_place(Tensor& weight, std::vector<Tensor>& moments, const kernels::Gradient& gradient,
                       const Step& step) override;
  Options options_;
};

}  // namespace elk::optim
