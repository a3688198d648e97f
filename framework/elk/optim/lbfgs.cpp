#include <algorithm>
#include <cmath>

#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/check.hpp>
#include <elk/optim/lbfgs.hpp>

namespace elk::optim {

namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void add(Vector& to, double factor, const Vector& x) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * x[i];
}

double largest(const Vector& x) {
  double most = 0;
  for (const double v : x) most = std::abs(v) <= most ? most : std::abs(v);  // NaN goes on
  return most;
}

void append(Vector& to, const Tensor& x) {
  const Tensor numbers = cast(x, f64);
  to.insert(to.end(), numbers.data<double>().begin(), numbers.data<double>().end());
}

// Where the cubic through two points with their slopes has its minimum, within [low, high].
double cubic_minimum(double x1, double f1, double g1, double x2, double f2, double g2, double low,
                     double high) {
  const double d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2), square = d1 * d1 - g1 * g2;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const double at = x1 <= x2 ? x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
                             : x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2));
  return std::min(std::max(at, low), high);
}

}  // namespace

LBFGS::LBFGS(const nn::Module& module, const Options& options) : options_(options) {
  set_lr(options.lr);
  check("lbfgs", "max_iterations", options.max_iterations, 1, INFINITY);
  check("lbfgs", "max_evaluations", options.max_evaluations, 0, INFINITY);
  check("lbfgs", "gradient_tolerance", options.gradient_tolerance, 0, INFINITY);
  check("lbfgs", "change_tolerance", options.change_tolerance, 0, INFINITY);
  check("lbfgs", "history", options.history, 1, INFINITY);
  if (options.max_evaluations == 0) options_.max_evaluations = options.max_iterations * 5 / 4;
  parameters_ = parameters_of("lbfgs", module);
  uses_ = module.uses();
  uses_->listen();
}

void LBFGS::set_lr(double lr) {
  check("lbfgs", "lr", lr, 0, INFINITY);
  options_.lr = lr;
}

std::vector<nn::NamedSlot> LBFGS::trained() const {
  std::vector<nn::NamedSlot> list;
  for (const nn::NamedSlot& parameter : parameters_)
    if (!parameter.slot->frozen()) list.push_back(parameter);
  return list;
}

LBFGS::Vector LBFGS::position() const {
  Vector all;
  for (const nn::NamedSlot& parameter : trained()) append(all, parameter.slot->value());
  return all;
}

void LBFGS::move_to(const Vector& from, double distance) {
  std::size_t begin = 0;
  for (const nn::NamedSlot& parameter : trained()) {
    const Tensor& weight = parameter.slot->value();
    std::vector<double> values(static_cast<std::size_t>(weight.size()));
    for (std::size_t i = 0; i < values.size(); ++i, ++begin)
      values[i] = from[begin] + distance * direction_[begin];
    parameter.slot->set(cast(elk::from(values, weight.shape()), weight.dtype()));
  }
}

LBFGS::Point LBFGS::differentiate(Tape& tape, const Tensor& loss) {
  const double value = loss.item();
  const Gradients gradients = tape.backward(loss);
  if (uses_ != nullptr) {
    uses_->check("lbfgs", parameters_, &gradients);
    std::exchange(uses_, nullptr)->stop();
  }
  Point point{.loss = value};
  for (const nn::NamedSlot& parameter : trained()) {
    if (!gradients.has(parameter.slot->value()))
      fail<TapeError>(
          "[lbfgs] no gradient for parameter \"{}\": the loss does not depend on it; freeze it if that is "
          "meant",
          parameter.name);
    append(point.gradient, gradients[parameter.slot->value()]);
  }
  return point;
}

LBFGS::Point LBFGS::probe(const Evaluate& evaluate, const Vector& from, double distance) {
  move_to(from, distance);
  Point point = evaluate();
  point.at = distance;
  point.slope = dot(point.gradient, direction_);
  return point;
}

// A distance that meets the strong Wolfe conditions: the loss falls enough, and its slope too. First a
// bracket around one is looked for, then it is narrowed. (J. Nocedal, S. Wright, "Numerical optimization",
// algorithms 3.5 and 3.6.)
LBFGS::Point LBFGS::search(const Evaluate& evaluate, const Vector& from, const Point& start, double distance,
                           int& evaluations) {
  constexpr double enough = 1e-4, flat = 0.9;
  constexpr int most = 25;
  const auto too_high = [&](const Point& p) { return p.loss > start.loss + enough * p.at * start.slope; };
  const auto is_flat = [&](const Point& p) { return std::abs(p.slope) <= -flat * start.slope; };
  Point before = start, now = probe(evaluate, from, distance);
  evaluations = 1;
  int tries = 0;
  bool closed = false;
  for (; tries < most; ++tries) {
    if (too_high(now) || (tries > 1 && now.loss >= before.loss)) {
      closed = true;
      break;
    }
    if (is_flat(now)) return now;
    if (now.slope >= 0) {
      closed = true;
      break;
    }
    const double next = cubic_minimum(before.at, before.loss, before.slope, now.at, now.loss, now.slope,
                                      now.at + 0.01 * (now.at - before.at), 10 * now.at);
    before = std::move(now);
    now = probe(evaluate, from, next);
    ++evaluations;
  }
  Point low = closed ? std::move(before) : start, high = std::move(now);
  if (low.loss > high.loss) std::swap(low, high);
  for (bool stuck = false; tries < most; ++tries) {
    const double width = std::abs(high.at - low.at);
    if (width * largest(direction_) < options_.change_tolerance) break;
    const double left = std::min(low.at, high.at), right = std::max(low.at, high.at);
    const Point& first = low.at < high.at ? low : high;
    const Point& second = low.at < high.at ? high : low;
    double next =
        cubic_minimum(first.at, first.loss, first.slope, second.at, second.loss, second.slope, left, right);
    // Twice near an end: a tenth away from it.
    const bool near_end = std::min(right - next, next - left) < 0.1 * width;
    const bool leave = near_end && (stuck || next >= right || next <= left);
    if (leave) next = right - next < next - left ? right - 0.1 * width : left + 0.1 * width;
    stuck = near_end && !leave;
    Point point = probe(evaluate, from, next);
    ++evaluations;
    if (too_high(point) || point.loss >= low.loss) {
      high = std::move(point);
      if (high.loss < low.loss) std::swap(low, high);
      continue;
    }
    const bool done = is_flat(point);
    if (!done && point.slope * (high.at - low.at) >= 0) high = std::move(low);
    low = std::move(point);
    if (done) break;
  }
  return low;
}

// The last step, and how the gradient changed with it.
void LBFGS::remember(const Vector& gradient) {
  Pair pair{gradient, direction_, 0};
  add(pair.change, -1, gradient_);
  for (double& v : pair.step) v *= distance_;
  const double curvature = dot(pair.change, pair.step);
  if (!(curvature > 1e-10)) return;
  if (pairs_.size() == static_cast<std::size_t>(options_.history)) pairs_.pop_front();
  pair.inverse = 1 / curvature;
  scale_ = curvature / dot(pair.change, pair.change);
  pairs_.push_back(std::move(pair));
}

// -(the Hessian's inverse) gradient: the two loops of Nocedal's.
LBFGS::Vector LBFGS::newton_direction(const Vector& gradient) const {
  Vector q(gradient.size());
  add(q, -1, gradient);
  Vector factors(pairs_.size());
  for (std::size_t i = pairs_.size(); i-- > 0;) {
    factors[i] = dot(pairs_[i].step, q) * pairs_[i].inverse;
    add(q, -factors[i], pairs_[i].change);
  }
  for (double& v : q) v *= scale_;
  for (std::size_t i = 0; i < pairs_.size(); ++i)
    add(q, factors[i] - dot(pairs_[i].change, q) * pairs_[i].inverse, pairs_[i].step);
  return q;
}

double LBFGS::step(const std::function<Tensor()>& loss) {
  return step_by([&] {
    Tape tape;
    return differentiate(tape, loss());
  });
}

double LBFGS::step(const std::function<Tensor()>& loss, Rng& rng) {
  Rng after = rng;
  const double first = step_by([&] {
    after = rng;
    Tape tape(after);
    return differentiate(tape, loss());
  });
  rng = after;
  return first;
}

double LBFGS::step_by(const Evaluate& evaluate) {
  const Stage stage("update");
  moved_.check("optimizer");
  LBFGS before = *this;
  std::vector<Tensor> values;
  for (const nn::NamedSlot& parameter : parameters_) values.push_back(parameter.slot->value());
  try {
    return take_steps(evaluate);
  } catch (...) {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!parameters_[i].slot->frozen()) parameters_[i].slot->set(values[i]);
    *this = std::move(before);
    throw;
  }
}

double LBFGS::take_steps(const Evaluate& evaluate) {
  Point now = evaluate();
  const double first = now.loss;
  int evaluations = 1;
  if (!gradient_.empty() && gradient_.size() != now.gradient.size())
    fail<ValueError>("[lbfgs] {} numbers are trained, {} were: make a new optimizer after freezing",
                     now.gradient.size(), gradient_.size());
  if (!std::isfinite(first) || largest(now.gradient) <= options_.gradient_tolerance) return first;
  for (int i = 1; i <= options_.max_iterations; ++i) {
    const bool begins = gradient_.empty();
    if (!begins) remember(now.gradient);
    direction_ = newton_direction(now.gradient);
    double sum = 0;
    for (const double v : now.gradient) sum += std::abs(v);
    distance_ = begins ? std::min(1.0, 1 / sum) * options_.lr : options_.lr;
    gradient_ = now.gradient;
    const double loss_before = now.loss;
    now.slope = dot(now.gradient, direction_);
    now.at = 0;
    if (now.slope > -options_.change_tolerance) break;

    const Vector from = position();
    if (options_.line_search) {
      int more = 0;
      now = search(evaluate, from, now, distance_, more);
      distance_ = now.at;
      evaluations += more;
      move_to(from, distance_);
    } else {
      move_to(from, distance_);
      if (i == options_.max_iterations) break;  // the loss here is the next step's business
      now = evaluate();
      ++evaluations;
      if (!std::isfinite(now.loss)) break;
    }
    if (i == options_.max_iterations || evaluations >= options_.max_evaluations) break;
    if (largest(now.gradient) <= options_.gradient_tolerance) break;
    if (largest(direction_) * std::abs(distance_) <= options_.change_tolerance) break;
    if (std::abs(now.loss - loss_before) < options_.change_tolerance) break;
  }
  return first;
}

State LBFGS::state() const {
  moved_.check("optimizer");
  const auto n = static_cast<Index>(gradient_.size()), m = static_cast<Index>(pairs_.size());
  Vector changes, steps;
  for (const Pair& pair : pairs_) {
    changes.insert(changes.end(), pair.change.begin(), pair.change.end());
    steps.insert(steps.end(), pair.step.begin(), pair.step.end());
  }
  return {{"numbers", from({distance_, scale_}, f64)},
          {"direction", from(direction_)},
          {"gradient", from(gradient_)},
          {"changes", from(changes, {m, n})},
          {"steps", from(steps, {m, n})}};
}

void LBFGS::load_state(const State& state) {
  moved_.check("optimizer");
  const auto take = [&](const char* name) {
    for (const NamedTensor& item : state)
      if (item.name == name && item.value.dtype() == f64) return item.value;
    fail<ValueError>("[lbfgs] the state lacks \"{}\" of f64", name);
  };
  const Tensor numbers = take("numbers"), direction = take("direction"), gradient = take("gradient"),
               changes = take("changes"), steps = take("steps");
  const Index n = gradient.size(), m = changes.rank() == 2 ? changes.size(0) : -1;
  Index expected = 0;
  for (const nn::NamedSlot& parameter : trained()) expected += parameter.slot->value().size();
  if (numbers.size() != 2 || direction.size() != n || changes.shape() != Shape{m, n} ||
      steps.shape() != changes.shape() || (n != 0 && n != expected))
    fail<ShapeError>("[lbfgs] the state of {} numbers does not fit {} that are trained", n, expected);
  std::deque<Pair> pairs;
  for (Index i = 0; i < m; ++i) {
    Pair pair;
    append(pair.change, slice(changes, 0, i, i + 1));
    append(pair.step, slice(steps, 0, i, i + 1));
    pair.inverse = 1 / dot(pair.change, pair.step);
    pairs.push_back(std::move(pair));
  }
  pairs_ = std::move(pairs);
  direction_.assign(direction.data<double>().begin(), direction.data<double>().end());
  gradient_.assign(gradient.data<double>().begin(), gradient.data<double>().end());
  distance_ = numbers.at(0);
  scale_ = numbers.at(1);
}

}  // namespace elk::optim
