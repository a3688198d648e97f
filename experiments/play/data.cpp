#include "data.hpp"

#include <cmath>
#include <utility>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/data/digits.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/index.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk::play {

// The same files are compiled here and shown in exported programs.
namespace sets {
#include "sets/circles.inc"
#include "sets/curve.inc"
#include "sets/digits.inc"
#include "sets/moons.inc"
#include "sets/spiral.inc"
#include "sets/xor.inc"
extern const std::string_view circles_inc, curve_inc, digits_inc, moons_inc, spiral_inc, xor_inc;
}  // namespace sets

namespace {

using Set = std::pair<Tensor, Tensor>;

struct Source {
  const char* name;
  const char* function;
  Set (*make)(Index n, double noise, Rng& rng);
  const std::string_view& text;
};

const Source sources[] = {{"circles", "circles", sets::circles, sets::circles_inc},
                          {"moons", "moons", sets::moons, sets::moons_inc},
                          {"spiral", "spiral", sets::spiral, sets::spiral_inc},
                          {"xor", "exclusive_or", sets::exclusive_or, sets::xor_inc},
                          {"curve", "curve", sets::curve, sets::curve_inc}};

const Source& source(const State& state) {
  for (const Source& one : sources)
    if (state.data == one.name) return one;
  fail<ValueError>("[play] {} has no source", state.data);
}

constexpr Index first_test_digit = Index{1} << 31;  // as digits_train_test

Set own(const State& state) {
  std::vector<double> points, labels;
  for (const auto& [x, y, label] : state.points) {
    points.push_back(x);
    points.push_back(y);
    labels.push_back(label);
  }
  const Index n = static_cast<Index>(state.points.size());
  return {from(points, {n, 2}), from(labels, {n, 1})};
}

Set draw(const State& state, Index n, Index first_digit, Rng& rng) {
  if (state.is_digits()) return sets::small_digits(first_digit, n);
  if (state.data == "own") return own(state);
  return source(state).make(n, state.noise, rng);
}

Examples examples(const State& state, const Set& set) {
  const auto& [x, labels] = set;
  if (state.is_digits()) return {{}, x, labels, targets_of(state, labels)};
  return {x, features_of(state, x), labels, targets_of(state, labels)};
}

Tensor feature(const std::string& name, const Tensor& x, const Tensor& y) {
  if (name == "x") return x;
  if (name == "y") return y;
  if (name == "x2") return square(x);
  if (name == "y2") return square(y);
  if (name == "xy") return x * y;
  return name == "sinx" ? sin(x) : sin(y);
}

}  // namespace

Tensor targets_of(const State& state, const Tensor& labels) {
  if (state.is_digits()) return state.loss == "mse" ? one_hot(labels, 10, f64) : labels;
  return state.is_classes() && state.loss != "cross_entropy" ? 2 * labels - 1 : labels;
}

Index train_count(const State& state) {
  return state.is_digits() ? 500 : state.data == "own" ? static_cast<Index>(state.points.size()) : 200;
}

Index test_count(const State& state) { return state.data == "own" ? train_count(state) : 200; }

Data make_data(const State& state, Rng& rng) {
  const Set train = draw(state, train_count(state), 0, rng),
            test = draw(state, test_count(state), first_test_digit, rng);
  return {examples(state, train), examples(state, test)};
}

Tensor features_of(const State& state, const Tensor& points) {
  const Tensor x = slice(points, 1, 0, 1), y = slice(points, 1, 1, 2);
  std::vector<Tensor> columns;
  for (const std::string& name : state.features) columns.push_back(feature(name, x, y));
  return concat(columns, 1);
}

std::string_view source_of(const State& state) {
  return state.is_digits() ? sets::digits_inc : source(state).text;
}

std::string call_of(const State& state, Index n, Index first) {
  if (state.is_digits()) return fmt::format("small_digits({}, {})", first == 0 ? "0" : "Index{1} << 31", n);
  return fmt::format("{}({}, {}, rng)", source(state).function, n, state.noise);
}

std::string feature_text(const std::string& name) {
  return name == "x2"     ? "square(x)"
         : name == "y2"   ? "square(y)"
         : name == "xy"   ? "x * y"
         : name == "sinx" ? "sin(x)"
         : name == "siny" ? "sin(y)"
                          : name;
}

std::string target_text(const State& state) {
  if (state.is_digits()) return state.loss == "mse" ? "one_hot(labels, 10, f64)" : "labels";
  return state.is_classes() && state.loss != "cross_entropy" ? "2 * labels - 1" : "labels";
}

std::string loss_text(const State& state) {
  if (state.loss != "cross_entropy") return state.loss;
  return state.is_digits() ? "cross_entropy" : "binary_cross_entropy_with_logits";
}

Tensor loss_of(const State& state, const Tensor& prediction, const Tensor& target) {
  if (state.loss == "mse") return mse(prediction, target);
  if (state.loss == "hinge") return hinge(prediction, target);
  if (state.loss == "l1") return l1(prediction, target);
  if (state.loss == "huber") return huber(prediction, target);
  return state.is_digits() ? cross_entropy(prediction, target)
                           : binary_cross_entropy_with_logits(prediction, target);
}

}  // namespace elk::play
