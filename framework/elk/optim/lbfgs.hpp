// L-BFGS: few, large steps for losses that are computed on all data, such as those of physics-informed
// networks.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include <elk/nn/module.hpp>
#include <elk/optim/optimizer.hpp>

namespace elk::optim {

/// Steps along the gradient times an approximation of the inverse Hessian, built from the last steps and the
/// changes of the gradient in them. It computes the loss itself, several times a step:
///
///   LBFGS lbfgs(net, {.line_search = true});
///   for (int i = 0; i < 10; ++i) loss = lbfgs.step([&] { return mse(net(x), y); });
///
/// In train::fit, all data must be one batch. All in f64, whatever the parameters are. (J. Nocedal, "Updating
/// quasi-Newton matrices with limited storage", 1980; steps, tests and line search are those of PyTorch's
/// LBFGS, after M. Schmidt's minFunc.)
class LBFGS : public AnyOptimizer {
 public:
  /// Its numbers.
  struct Options {
    double lr = 1;
    int max_iterations = 20;           ///< in a step
    int max_evaluations = 0;           ///< of the loss in a step; 0: 1.25 times max_iterations
    double gradient_tolerance = 1e-7;  ///< below it every element of a gradient counts as 0
    double change_tolerance = 1e-9;    ///< a step or a change of the loss below it ends the iterations
    int history = 100;                 ///< how many steps are remembered
    bool line_search = false;          ///< searches a length that meets the strong Wolfe conditions; else lr
  };
  /// ValueError for a module that lists no parameters.
  LBFGS(const nn::Module& module, const Options& options);
  explicit LBFGS(const nn::Module& module) : LBFGS(module, Options()) {}

  /// Makes up to max_iterations iterations. `loss` computes the loss, one element, again with the current
  /// parameters, in evaluation mode: without dropout. Returns the loss at the beginning; if that is not
  /// finite, nothing changes. A frozen parameter does not change. TapeError names a parameter without a
  /// gradient or, at the first step, the layer of a parameter that the module used but does not list in
  /// fields(). If it or `loss` throws, the parameters and the history are as before the step.
  double step(const std::function<Tensor()>& loss);
  /// The same in training mode. What `loss` draws from `rng`, as dropout does, is the same each time that a
  /// step computes it: a step needs one function. Afterwards `rng` is where one computation leaves it.
  double step(const std::function<Tensor()>& loss, Rng& rng);

  double lr() const final { return options_.lr; }  ///< the learning rate
  void set_lr(double lr) final;

  State state() const final;
  /// ValueError or ShapeError for a state of other parameters.
  void load_state(const State& state) final;

 private:
  using Vector = std::vector<double>;
  struct Pair {
    Vector change, step;  // of the gradient, of the parameters
    double inverse;       // 1 / (change · step)
  };
  struct Point {  // the loss at a distance along the direction
    double at = 0, loss = 0;
    Vector gradient = {};
    double slope = 0;
  };
  using Evaluate = std::function<Point()>;  // the loss here
  double step_by(const Evaluate& evaluate);
  double take_steps(const Evaluate& evaluate);
  std::vector<nn::NamedSlot> trained() const;
  Vector position() const;
  void move_to(const Vector& from, double distance);
  Point differentiate(Tape& tape, const Tensor& loss);
  Point probe(const Evaluate& evaluate, const Vector& from, double distance);
  Point search(const Evaluate& evaluate, const Vector& from, const Point& start, double distance,
               int& evaluations);
  void remember(const Vector& gradient);
  Vector newton_direction(const Vector& gradient) const;

  detail::Moved moved_;
  Options options_;
  std::vector<nn::NamedSlot> parameters_;
  std::shared_ptr<detail::Uses> uses_;  // until the first step
  std::deque<Pair> pairs_;
  Vector direction_, gradient_;  // of the last iteration; empty before
  double distance_ = 0, scale_ = 1;
};

}  // namespace elk::optim
