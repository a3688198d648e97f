// Finds what is wrong with a network and a batch, before you spend hours on training. The checks are those
// that A. Karpathy, "A recipe for training neural networks", 2019, does by hand.
//
//   std::cout << elk::doctor(net, train);
#pragma once

#include <concepts>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <elk/data/examples.hpp>
#include <elk/nn/module.hpp>
#include <elk/ops/loss.hpp>
#include <elk/optim/optimizer.hpp>

namespace elk {

/// Options of doctor(), which trains the network for a moment and checks it.
struct DoctorOptions {
  /// The loss, shape (), from the network's output and the labels; cross_entropy if empty.
  Loss loss = {};
  /// The value of `loss` for a network that guesses. The loss at the start and after overfitting is compared
  /// with it. ln(classes) for cross_entropy; for another loss the start is checked only if this is given.
  std::optional<double> expected_loss = {};
  /// Makes the optimizer whose first step is measured; Adam with `lr` where empty.
  std::function<std::unique_ptr<optim::Optimizer>(const nn::Module& net)> optimizer = {};
  double lr = 1e-3;
  /// Steps of Adam on 32 of the examples, to see whether they can be learned; 0: none.
  Index overfit_steps = 300;
  std::uint64_t seed = 0;  ///< for dropout, and for the examples drawn
  Index examples = 256;    ///< how many are drawn from Examples; a batch is used as it is
  Forward forward = {};    ///< how to call the network, if net(batch.x) is not enough
};

/// How bad a finding is.
enum class Severity { good, warning, problem };
/// "good", "warning" or "problem"
const char* name(Severity severity);

/// The result of one check.
struct Finding {
  Severity severity;
  std::string check;     ///< input, labels, values, loss, activations, gradients, update or overfit
  std::string measured;  ///< "12% of the units of act1 are 0 for every example"
  std::string expected;  ///< "at most 10%"
  std::string advice;    ///< what to do about it; "" if all is good
};

/// The output of a call of a module without child modules, or of an activation function.
struct LayerHealth {
  std::string name;                      ///< dotted, or "relu after fc1"; "act1 (2)" for the second call
  std::string kind;                      ///< describe(), or the operation: "relu"
  double mean = 0;                       ///< of all elements; the following likewise
  double deviation = 0;                  ///< standard
  double zeros = 0;                      ///< share, 0 to 1
  std::optional<double> dead = {};       ///< share of units that are 0 for every example, after relu and gelu
  std::optional<double> saturated = {};  ///< share within 1.5% of an end of the range, after sigmoid and tanh
};

/// A parameter, its gradient and its first update.
struct ParameterHealth {
  std::string name;
  Shape shape;
  bool frozen = false;
  double size = 0;            ///< root mean square of the values
  bool has_gradient = false;  ///< the loss depends on it; the next three are 0 where not
  double gradient_mean = 0;
  double gradient_deviation = 0;      ///< standard
  double gradient_size = 0;           ///< root mean square
  double gradient_zeros = 0;          ///< share, 0 to 1
  std::optional<double> update = {};  ///< size of the optimizer's first step over `size`
};

/// What doctor() found and measured.
struct Diagnosis {
  std::vector<Finding> findings;    ///< problems first, then warnings, then what is good
  std::vector<LayerHealth> layers;  ///< in the order of computation
  std::vector<ParameterHealth> parameters;
  Index examples = 0;
  Index classes = 0;
  std::optional<double> loss;          ///< of the batch as a first step of training would see it
  std::optional<double> overfit_loss;  ///< reached on the first `overfit_examples`
  Index overfit_steps = 0;             ///< that it took
  Index overfit_examples = 0;

  /// The worst of the findings.
  Severity severity() const;
};

/// Examines `net` on some examples, drawn at random. Examples are those of train::fit: images, `{x, labels}`,
/// `{{a, b}, labels}` with several inputs, or what a collate function makes. Floats are converted to the
/// network's dtype. Labels are what the loss takes. For cross_entropy, the default, these are classes i64 (N)
/// for logits (N, classes), or with more axes before the classes, (N, T) for (N, T, classes), or soft targets
/// of the logits' shape. If labels are classes, those below 0 do not count for your own loss.
///
/// The network is trained in place for a moment and then restored bit for bit, also when an error is thrown.
/// Meanwhile no other thread may use it. If something is not finite or a label has no class, the later checks
/// are skipped. Memory: about that of a training step with Adam. Time: about overfit_steps steps of training
/// on a batch of 32.
///
/// Throws ShapeError for no examples, labels that do not fit them or logits of another shape, DTypeError for
/// labels that cross_entropy does not take, and what the network, the loss or the optimizer throws.
Diagnosis doctor(const nn::Module& net, const Examples& examples, const DoctorOptions& options = {});

namespace detail {
Diagnosis doctor(const nn::Module& net, const Batch& batch, const DoctorOptions& options);
}

/// The same on one batch as it goes into training; a few hundred examples are best. (A template, so that
/// braces make Examples.)
template <std::same_as<Batch> B>
Diagnosis doctor(const nn::Module& net, const B& batch, const DoctorOptions& options = {}) {
  return detail::doctor(net, batch, options);
}

/// The same on one batch of one input, x (N, ...).
Diagnosis doctor(const nn::Module& net, const Tensor& x, const Tensor& labels,
                 const DoctorOptions& options = {});

/// A report of about one screen, at most 100 columns wide; for a deep network it has the beginning and the
/// end of the tables.
std::string to_string(const Diagnosis& diagnosis);
/// Writes to_string().
std::ostream& operator<<(std::ostream& out, const Diagnosis& diagnosis);

}  // namespace elk
