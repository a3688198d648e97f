#include "network.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <elk/autograd/tape.hpp>
#include <elk/base/error.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/train/evaluate.hpp>
#include <elk/train/metrics.hpp>

namespace elk::demo {

namespace {

constexpr Index side = 28, pixel_count = side * side;

std::vector<double> numbers(const Tensor& x) {
  const Tensor wide = cast(x, f64);
  return {wide.data<double>().begin(), wide.data<double>().end()};
}

Prediction prediction_of(const Tensor& logits) {
  Prediction p{0, numbers(softmax(cast(logits, f64)))};
  if (!std::all_of(p.probabilities.begin(), p.probabilities.end(), [](double v) { return std::isfinite(v); }))
    throw ValueError("the network's output is not finite");
  p.best = static_cast<std::size_t>(std::max_element(p.probabilities.begin(), p.probabilities.end()) -
                                    p.probabilities.begin());
  return p;
}

// The parts of a network whose outputs are its hidden layers: see models::MLP and models::ResidualMLP.
bool is_hidden(const std::string& part) {
  return part.starts_with("act") || part == "embed" || part.starts_with("block");
}

// The one whose rows are the weights of the first hidden layer.
bool is_first(const std::string& part) { return part == "fc1" || part == "embed"; }

// 1, 2, 1 along both axes.
std::vector<double> blurred(const std::vector<double>& image) {
  const auto at = [&](Index y, Index x) {
    return image[static_cast<std::size_t>(std::clamp<Index>(y, 0, side - 1) * side +
                                          std::clamp<Index>(x, 0, side - 1))];
  };
  std::vector<double> result(image.size());
  for (Index y = 0; y < side; ++y)
    for (Index x = 0; x < side; ++x) {
      double sum = 0;
      for (Index dy = -1; dy <= 1; ++dy)
        for (Index dx = -1; dx <= 1; ++dx)
          sum += static_cast<double>((2 - std::abs(dy)) * (2 - std::abs(dx))) * at(y + dy, x + dx);
      result[static_cast<std::size_t>(y * side + x)] = sum / 16;
    }
  return result;
}

}  // namespace

Network::Network(models::Model model, std::string origin)
    : model_(std::move(model)), origin_(std::move(origin)) {
  static std::atomic<int> made{0};
  number_ = ++made;
  const models::ModelInfo& info = model_.info;
  if ((info.dataset != "digits" && info.dataset != "mnist") || info.input_shape != Shape{side, side})
    throw ValueError(
        fmt::format("{} is a model of the data set \"{}\" for inputs {}; here digits are drawn: "
                    "expected a model of digits or mnist for inputs {}",
                    origin_, info.dataset, to_string(info.input_shape), to_string(Shape{side, side})));
}

Tensor Network::input(const Tensor& pixels) const { return cast(pixels, model_.info.dtype); }

Prediction Network::predict(const Tensor& pixels) const { return prediction_of(model_.net(input(pixels))); }

// The rows of the first layer as the pixels meet them: the derivatives of its outputs, all units in one pass.
Tensor Network::unit_weights(const Tensor& pixels, const std::vector<Index>& units) const {
  const auto count = static_cast<Index>(units.size());
  const Tensor x = broadcast_to(input(pixels), {count, pixel_count});
  Tape tape;
  tape.watch(x);
  Tensor y = x;
  for (std::size_t i = 0; i < model_.net.size(); ++i) {
    y = model_.net[i](y);
    if (is_first(model_.net.name_of(&model_.net[i]))) break;
  }
  const Tensor which =
      one_hot(from(std::vector<std::int64_t>(units.begin(), units.end())), y.size(1), y.dtype());
  return tape.backward(y, which)[x];
}

Explanation Network::explain(const Tensor& pixels, std::optional<std::size_t> explained,
                             std::size_t most_units) const {
  const Tensor x = input(pixels);
  Explanation result;
  Tape tape;
  tape.watch(x);
  Tensor y = x, first;
  for (std::size_t i = 0; i < model_.net.size(); ++i) {
    y = model_.net[i](y);
    const std::string name = model_.net.name_of(&model_.net[i]);
    if (!is_hidden(name)) continue;
    if (!first.defined()) tape.watch(first = y);
    result.layers.push_back({name, reshape(y, {y.size()})});
  }
  result.prediction = prediction_of(y);
  result.explained = explained.value_or(result.prediction.best);
  result.logit = y.at(static_cast<Index>(result.explained));
  const Tensor which = one_hot(from(std::vector<std::int64_t>{static_cast<std::int64_t>(result.explained)}),
                               y.size(1), y.dtype());
  const Gradients gradients = tape.backward(y, which);
  result.gradient = reshape(gradients[x], {pixel_count});
  if (!first.defined()) return result;

  const std::vector<double> activations = numbers(first), slopes = numbers(gradients[first]);
  std::vector<Index> order(activations.size());
  std::iota(order.begin(), order.end(), Index{0});
  const auto part = [&](Index i) {
    return activations[static_cast<std::size_t>(i)] * slopes[static_cast<std::size_t>(i)];
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](Index a, Index b) { return std::abs(part(a)) > std::abs(part(b)); });
  result.rest = result.logit;
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (k >= most_units) result.others += part(order[k]);
    result.rest -= part(order[k]);
  }
  order.resize(std::min(order.size(), most_units));
  while (!order.empty() && part(order.back()) == 0) order.pop_back();
  if (order.empty()) return result;
  const Tensor weights = unit_weights(pixels, order);
  for (Index i = 0; i < weights.size(0); ++i) {
    const Index unit = order[static_cast<std::size_t>(i)];
    result.units.push_back({unit, activations[static_cast<std::size_t>(unit)], part(unit),
                            reshape(slice(weights, 0, i, i + 1), {pixel_count})});
  }
  return result;
}

Change Network::change(const Tensor& pixels, std::size_t target) const {
  constexpr int most_steps = 200;
  constexpr double length = 0.25;  // of a step; a drawn digit is about 9 long
  const Tensor label = from(std::vector<std::int64_t>{static_cast<std::int64_t>(target)});
  std::vector<double> image = numbers(pixels);
  Change result;
  for (;; ++result.steps) {
    result.pixels = from(image, {1, pixel_count});
    const Tensor x = input(result.pixels);
    Tape tape;
    tape.watch(x);
    const Tensor logits = model_.net(x);
    result.prediction = prediction_of(logits);
    result.reached = result.prediction.probabilities[target] >= 0.5;
    if (result.reached || result.steps == most_steps) return result;

    std::vector<double> move = numbers(tape.backward(cross_entropy(logits, label))[x]);
    if (result.steps < most_steps / 2) move = blurred(move);
    double square = 0;
    for (std::size_t i = 0; i < move.size(); ++i) {
      // Where ink cannot get less or more, nothing moves.
      if ((image[i] <= 0 && move[i] > 0) || (image[i] >= 1 && move[i] < 0)) move[i] = 0;
      square += move[i] * move[i];
    }
    if (!(square > 0) || !std::isfinite(square)) return result;
    for (std::size_t i = 0; i < move.size(); ++i)
      image[i] = std::clamp(image[i] - length / std::sqrt(square) * move[i], 0.0, 1.0);
  }
}

const TestResults& Network::test(const std::function<Dataset()>& set) const {
  const std::lock_guard lock(mutex_);
  if (tested_) return *tested_;
  TestResults found;
  found.set = set();
  const models::ModelInfo& info = model_.info;
  if (found.set.features() != info.input_shape.size() || found.set.classes != info.classes)
    throw ValueError(fmt::format("the images of {} are not what the model was trained on", info.dataset));
  const Tensor logits = train::predict(model_.net, found.set, info.dtype);
  found.confusion = train::confusion_matrix(logits, found.set.labels);
  const Tensor best = argmax(logits), confidence = max(softmax(cast(logits, f64)), -1);
  found.predicted.assign(best.data<std::int64_t>().begin(), best.data<std::int64_t>().end());
  found.confidence = numbers(confidence);

  const auto labels = found.set.labels.data<std::int64_t>();
  const auto wrong = [&](Index i) {
    const auto at = static_cast<std::size_t>(i);
    return found.predicted[at] != static_cast<std::size_t>(labels[at]);
  };
  found.order.resize(labels.size());
  std::iota(found.order.begin(), found.order.end(), Index{0});
  const auto rights = std::stable_partition(found.order.begin(), found.order.end(), wrong);
  found.wrong = rights - found.order.begin();
  std::stable_sort(found.order.begin(), rights, [&](Index a, Index b) {
    return found.confidence[static_cast<std::size_t>(a)] > found.confidence[static_cast<std::size_t>(b)];
  });
  return tested_.emplace(std::move(found));
}

}  // namespace elk::demo
