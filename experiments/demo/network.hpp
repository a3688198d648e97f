// A network that answers: what it says of an image, why, and how it does on its test set.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <elk/data/dataset.hpp>
#include <models/model_file.hpp>

namespace elk::demo {

/// What a network says of one image.
struct Prediction {
  std::size_t best = 0;  ///< the most probable class
  std::vector<double> probabilities;
};

/// Of a hidden layer, the outputs for one image.
struct Activations {
  std::string name;  ///< "act1"
  Tensor values;     ///< (units)
};

/// A unit of the first hidden layer and its part in a class's logit.
struct Unit {
  Index index;
  double activation;
  double contribution;  ///< activation times the derivative of the logit by it
  Tensor weights;       ///< of the pixels, (784); what normalizes the input is counted in
};

struct Explanation {
  Prediction prediction;
  std::size_t explained = 0;  ///< the class whose logit it is
  double logit = 0;
  Tensor gradient;                  ///< of the logit by the pixels, (784)
  std::vector<Activations> layers;  ///< the hidden ones
  std::vector<Unit> units;  ///< those that contribute most, for it or against it, the largest part first
  double others = 0;        ///< what the other units of that layer contribute together
  double rest = 0;          ///< the logit less all these parts: a bias, and what is not linear in these units
};

/// An image that the network takes for another class.
struct Change {
  Tensor pixels;  ///< (1, 784)
  Prediction prediction;
  int steps = 0;
  bool reached = false;  ///< the network gives the class a probability of a half or more
};

/// How a network does on its test set.
struct TestResults {
  Dataset set;
  std::vector<std::size_t> predicted;
  std::vector<double> confidence;  ///< the probability of the predicted class
  std::vector<Index> order;        ///< the wrong ones, the most confident first, then the right ones
  Index wrong = 0;
  Tensor confusion;  ///< i64 (classes, classes): how many of class row were taken for class column
};

/// A network for 28 x 28 pixels, which are (1, 784) tensors here, from 0 to 1. It does not change; threads
/// may share it.
class Network {
 public:
  /// ValueError unless the model is one of digits: of the data sets digits or mnist, of 28 x 28 pixels.
  Network(models::Model model, std::string origin);

  const models::ModelInfo& info() const { return model_.info; }
  /// Where it is from, for people.
  const std::string& origin() const { return origin_; }
  Index parameters() const { return model_.net.parameter_count(); }
  /// From 1 on; no two networks of this process have the same.
  int number() const { return number_; }

  /// ValueError when the network's output is not finite.
  Prediction predict(const Tensor& pixels) const;
  /// Of the class `explained`, or else the most probable one, with up to `most_units` units.
  Explanation explain(const Tensor& pixels, std::optional<std::size_t> explained,
                      std::size_t most_units) const;
  /// Follows the gradient from the image towards class `target`. The gradient is blurred a little as long as
  /// that leads on, or single pixels would do, which tell nothing to people (C. Szegedy et al., "Intriguing
  /// properties of neural networks", 2014).
  Change change(const Tensor& pixels, std::size_t target) const;

  /// On `set`, which is asked for once, when somebody first wants to know.
  const TestResults& test(const std::function<Dataset()>& set) const;

 private:
  Tensor input(const Tensor& pixels) const;
  Tensor unit_weights(const Tensor& pixels, const std::vector<Index>& units) const;

  models::Model model_;
  std::string origin_;
  int number_;
  mutable std::mutex mutex_;
  mutable std::optional<TestResults> tested_;
};

/// Where the network is that answers now. Whoever got one keeps it while another takes its place.
class NetworkSlot {
 public:
  /// Null as long as there is none.
  std::shared_ptr<const Network> get() const {
    const std::lock_guard lock(mutex_);
    return network_;
  }
  void set(std::shared_ptr<const Network> network) {
    const std::lock_guard lock(mutex_);
    network_.swap(network);  // the old one ends after the lock does
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Network> network_;
};

}  // namespace elk::demo
