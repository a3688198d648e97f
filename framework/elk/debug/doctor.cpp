#include <algorithm>
#include <cmath>
#include <span>

#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/debug/doctor.hpp>
#include <elk/debug/inspect.hpp>
#include <elk/debug/measure.hpp>
#include <elk/debug/non_finite.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

using inspect::Activations, inspect::Moments, inspect::moments, inspect::percent;

namespace {

// Inputs of mean 0 and deviation 1 are what initial weights are made for (Y. LeCun et al., "Efficient
// backprop", 1998); pixels in [0, 1] are at 0.3 or so and do well too. Pixels in 0 ... 255 are at 100.
constexpr double input_size_low = 0.03, input_size_high = 3, input_size_absurd = 10;

// Of ln(classes). He's initial weights on normalized inputs give logits of variance 2, which adds 1 to it.
constexpr double loss_tolerance = 0.5, loss_absurd = 3;

// A class can be missing by chance from a small batch: of n times as many examples as classes, with
// probability exp(-n).
constexpr Index examples_per_class = 10;

// Nearest neighbours share a label more often than chance even on data sets where that is a poor classifier.
// 1.64 standard deviations: chance alone reaches it in 1 of 20 batches. Above the limit of rows, only time.
constexpr double neighbour_deviations = 1.64;
constexpr Index neighbour_examples_low = 100, neighbour_examples_high = 256;

// Beyond these, much of a layer is lost for good (our choice).
constexpr double dead_share = 0.1, dead_absurd = 0.5;

// A fifth of the units at their ends slows learning visibly (Karpathy, "Building makemore", part 3).
constexpr double saturated_share = 0.2, saturated_absurd = 0.5;

// Good initial weights keep the deviation of a hidden layer near 1 (X. Glorot, Y. Bengio, 2010); beyond two
// orders of magnitude a few more layers would be the end of it.
constexpr double deviation_low = 0.01, deviation_high = 100;

// Between the weights of the layers, root mean squares of gradients differ by 10 or so in a healthy network.
constexpr double gradient_spread = 1e3, gradient_absurd = 1e6;

// The ratio of update to weight should be somewhere around 1e-3 (A. Karpathy, notes of Stanford's cs231n).
// A first step of Adam moves every weight by the learning rate: 2e-2 for 784 inputs and 1e-3.
constexpr double update_low = 1e-5, update_lost = 1e-7, update_high = 0.1, update_absurd = 0.5;

// "Overfit a single batch of only a few examples" (the recipe). To a tenth of the loss of guessing.
constexpr Index overfit_examples = 32;
constexpr double overfit_lr = 1e-3, overfit_share = 0.1;
// Less of a fall than this in the last quarter of the steps counts as standing still.
constexpr double still_falling = 0.95;
// How near to the entropy of the labels a loss must end to be that of the best constant guess.
constexpr double constant_guess = 0.05;

// "fc1.weight, fc1.bias and 3 more"
std::string list(const std::vector<std::string>& names) {
  if (names.size() <= 3) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{}, {} and {} more", names[0], names[1], names.size() - 2);
}

// One examination: its checks in their order, each of which adds to the report.
struct Doctor {
  const nn::Module& net;
  const Batch &batch, &few;  // the second is to be learned by heart
  const DoctorOptions& options;
  const Tensor &x = batch.x, &labels = batch.labels;
  Diagnosis report = {};
  Gradients gradients = {};
  std::shared_ptr<detail::Uses> uses = {};
  std::optional<double> expected_loss = {};  // of guessing
  bool are_classes = false;                  // the labels
  bool learns = false;                       // the few examples were learned

  void find(Severity severity, const char* check, std::string measured, std::string expected,
            std::string advice = "") {
    report.findings.push_back({severity, check, std::move(measured), std::move(expected), std::move(advice)});
  }
  // `problem` rather than a warning?
  static Severity graded(bool problem) { return problem ? Severity::problem : Severity::warning; }

  Tensor output(const Batch& of) const { return options.forward ? options.forward(of) : net(of.x); }
  Tensor loss(const Batch& of) const {
    return options.loss ? options.loss(output(of), of.labels) : cross_entropy(output(of), of.labels);
  }

  void examine() {
    check_arguments();
    check_input();
    if (!check_labels() || !check_values()) return;
    check_neighbours();
    first_step();
    check_loss();
    check_activations();
    const bool trainable = check_missing_gradients();
    if (trainable) {
      check_update();
      check_overfit();
    }
    check_gradients();
  }

  void check_arguments() {
    if (x.rank() == 0 || x.size() == 0)
      fail<ShapeError>("[doctor] expected a batch x (N, ...) with something in it, got {}", x.shape());
    if (labels.rank() == 0 || labels.size(0) != x.size(0))
      fail<ShapeError>("[doctor] expected labels ({}, ...), one for each of x {}, got {}", x.size(0),
                       x.shape(), labels.shape());
    report.examples = x.size(0);
    expected_loss = options.expected_loss;
    const Shape logits = output(batch).shape(), &of_labels = labels.shape();
    const bool one_row_each = labels.dtype() == i64 && logits.rank() == of_labels.rank() + 1 &&
                              std::equal(of_labels.begin(), of_labels.end(), logits.begin());
    const Index width = logits.rank() == 0 ? 0 : logits[logits.rank() - 1];
    if (options.loss) {  // which need not be of classes
      are_classes = one_row_each && width > 1;
      report.classes = are_classes ? width : 0;
      return;
    }
    const bool soft = is_float(labels.dtype()) && of_labels == logits;
    if (labels.dtype() != i64 && !soft)
      fail<DTypeError>("[doctor] expected labels of i64, got {}: write cast(labels, i64)", labels.dtype());
    if (logits.rank() < 2 || logits[0] != x.size(0) || width == 0)
      fail<ShapeError>("[doctor] expected logits ({}, ..., classes) for x {}, the network gave {}", x.size(0),
                       x.shape(), logits);
    if (!soft && !one_row_each)
      fail<ShapeError>("[doctor] expected a label for each row of the logits {}, got labels {}", logits,
                       of_labels);
    are_classes = one_row_each;
    report.classes = width;
    if (!expected_loss && width > 1) expected_loss = std::log(static_cast<double>(width));
  }

  void check_input() {
    check_scale(x, batch.others.empty() ? "" : "x ");
    for (std::size_t i = 0; i < batch.others.size(); ++i)
      check_scale(batch.others[i], fmt::format("others[{}] ", i));
  }

  void check_scale(const Tensor& input, const std::string& called) {
    if (!is_float(input.dtype())) return;     // positions in a table have no scale
    if (!kernels::all_finite(input)) return;  // check_values says so
    const Moments m = moments(input);
    const bool first = &input == &x;
    if (!first && m.low == m.high) return;  // a mask, a state to begin with
    const std::string measured = fmt::format("{}from {:.4g} to {:.4g}, mean {:.3g}, deviation {:.3g}", called,
                                             m.low, m.high, m.mean, m.deviation);
    const std::string expected = "deviation near 1, or values in [0, 1]";
    if (m.low == m.high)
      find(Severity::problem, "input",
           fmt::format("every value {}is {:.4g}", called.empty() ? "" : "of " + called, m.low),
           "examples that differ", "look at where the batch is made: it holds no data");
    else if (m.size > input_size_high)
      find(graded(first && m.size > input_size_absurd), "input", measured, expected,
           m.low >= 0 && m.high > 1 && m.high <= 255 ? "divide pixels by 255"
                                                     : "subtract the mean and divide by the deviation");
    else if (m.size < input_size_low)
      find(Severity::warning, "input", measured, expected,
           "divide by the deviation: the first layer hardly sees values as small as these");
    else
      find(Severity::good, "input", measured, expected);
  }

  std::vector<Index> label_counts() const {
    std::vector<Index> counts(static_cast<std::size_t>(report.classes));
    for (const std::int64_t label : labels.data<std::int64_t>())
      if (label >= 0) ++counts[static_cast<std::size_t>(label)];
    return counts;
  }

  // Whether every label has a class.
  bool check_labels() {
    if (!are_classes) return true;
    const Moments m = moments(labels);
    // A loss of one's own may pass over labels below 0.
    if ((m.low < 0 && !options.loss) || m.high >= static_cast<double>(report.classes)) {
      find(Severity::problem, "labels", fmt::format("from {} to {}", m.low, m.high),
           fmt::format("0 to {}: the network has {} outputs", report.classes - 1, report.classes),
           m.low == 1 && m.high == static_cast<double>(report.classes)
               ? "count classes from 0: subtract 1"
               : "as many outputs as there are classes");
      return false;
    }
    if (report.classes == 1) {
      find(Severity::problem, "labels", "the network has one output", "one for each class",
           "give it two outputs, or use binary_cross_entropy_with_logits: cross-entropy over one class is 0 "
           "whatever the network does");
      return true;
    }
    const std::vector<Index> counts = label_counts();
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] == 0) missing.push_back(std::to_string(i));
    // Of sequences, such as text, a class can be rare.
    const bool all_expected = labels.rank() == 1 && report.examples >= examples_per_class * report.classes;
    if (labels.size() > 1 && m.low == m.high)
      find(Severity::problem, "labels", fmt::format("all {} are {}", labels.size(), m.low),
           "several classes in a batch", "shuffle the examples, or look at how labels are read");
    else if (!missing.empty() && all_expected)
      find(Severity::warning, "labels",
           fmt::format("class {} does not occur in {} examples", list(missing), report.examples),
           "every class", "shuffle the examples, look at how labels are read, or use fewer outputs");
    else
      find(Severity::good, "labels",
           fmt::format("{} of {} classes occur", counts.size() - missing.size(), counts.size()),
           "several classes");
    return true;
  }

  // Whether everything up to the loss is finite.
  bool check_values() {
    const std::string where = first_non_finite(net, x, Rng(options.seed), [&](const Tensor& input) {
      return loss({input, labels, batch.others});
    });
    if (where.empty()) {
      find(Severity::good, "values", "all are finite", "no NaN and no infinity");
      return true;
    }
    const std::string advice =
        where == "the input" ? "look at where the batch is made"
        : where.starts_with("parameter")
            ? "create a new network or go back to an older checkpoint: no training recovers from this"
            : "smaller weights or inputs; no log, sqrt or division near 0 (add a small constant)";
    find(Severity::problem, "values", "the first that is not finite: " + where, "no NaN and no infinity",
         advice);
    return false;
  }

  // Labels that were shuffled apart from their examples look right in every other way.
  void check_neighbours() {
    const Index n = std::min(report.examples, neighbour_examples_high);
    if (!are_classes || labels.rank() != 1 || !is_float(x.dtype()) || n < neighbour_examples_low) return;
    if (!batch.others.empty()) return;  // the label may hang on these
    const Tensor rows = reshape(slice(x, 0, 0, n), {n, -1});
    const Tensor centred = rows - mean(rows, 0);
    const Tensor products = cast(matmul_nt(centred, centred), f64);  // (n, n): |a - b|^2 = aa + bb - 2 ab
    const std::span<const double> product = products.data<double>();
    const std::span<const std::int64_t> label = labels.data<std::int64_t>();
    const auto count = static_cast<std::size_t>(n);
    double same = 0, pairs = 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t nearest = i == 0 ? 1 : 0;
      const auto distance = [&](std::size_t j) {
        return product[j * count + j] - 2 * product[i * count + j];
      };
      for (std::size_t j = 0; j < count; ++j) {
        if (j == i) continue;
        if (distance(j) < distance(nearest)) nearest = j;
        pairs += label[i] == label[j];
      }
      same += label[i] == label[nearest];
    }
    const auto total = static_cast<double>(n);
    const double share = same / total, chance = pairs / (total * (total - 1));
    const double deviation = std::sqrt(chance * (1 - chance) / total);
    if (chance == 0 || chance > 0.5 || share > chance + neighbour_deviations * deviation)
      return;  // too few to tell, or fine
    find(Severity::warning, "labels",
         fmt::format("the nearest other example has the same label in {} of cases, as by chance ({})",
                     percent(share), percent(chance)),
         "more often than by chance", "make sure that examples and labels were shuffled by the same order");
  }

  // Forward and backward as in training.
  void first_step() {
    Activations activations(net);
    Rng rng(options.seed);
    Tape tape(rng);
    if (is_float(x.dtype())) tape.watch(x);  // so that activations before the first parameter are seen
    tape.observe([&](const Tape::Event& event) { activations.operation(event); });
    uses = net.uses();
    uses->listen();
    const Tensor value = loss(batch);
    uses->stop();
    report.loss = value.item();
    // Nothing is recorded here where the loss depends neither on x nor on anything that is trained.
    const std::size_t before = tape.size();
    const Tensor start = 1 * value;
    if (tape.size() > before) gradients = tape.backward(start);
    report.layers = std::move(activations.layers);
    for (const nn::NamedSlot& parameter : net.parameters()) {
      const Tensor& weight = parameter.slot->value();
      ParameterHealth health{
          .name = parameter.name, .shape = weight.shape(), .frozen = parameter.slot->frozen()};
      health.size = moments(weight).size;
      health.has_gradient = gradients.has(weight);
      if (health.has_gradient) {
        const Moments m = moments(gradients[weight]);
        health.gradient_mean = m.mean;
        health.gradient_deviation = m.deviation;
        health.gradient_size = m.finite ? m.size : NAN;
        health.gradient_zeros = m.zeros;
      }
      report.parameters.push_back(health);
    }
  }

  void check_loss() {
    if (!expected_loss || *expected_loss <= 0) return;
    const double ratio = *report.loss / *expected_loss;
    const std::string measured = fmt::format("{:.4g} at the start", *report.loss);
    const std::string expected =
        fmt::format("{:.4g}{}, give or take {:.0f}%", *expected_loss,
                    options.loss || options.expected_loss ? "" : fmt::format(" = ln({})", report.classes),
                    100 * loss_tolerance);
    if (ratio > 1 + loss_tolerance)
      find(
          graded(ratio > loss_absurd), "loss", measured, expected,
          "smaller initial weights (he or xavier), above all in the last layer, or inputs scaled to about 1");
    else
      find(Severity::good, "loss",
           ratio < 1 - loss_tolerance ? measured + ": the network has been trained already" : measured,
           expected);
  }

  // One finding for the worst layer, and how many more there are.
  void check_activations() {
    bool good = true;
    const auto worst = [&](const std::optional<double> LayerHealth::*share, double limit, double absurd,
                           const char* what, const char* advice) {
      const LayerHealth* top = nullptr;
      int count = 0;
      for (const LayerHealth& layer : report.layers) {
        if (!(layer.*share) || *(layer.*share) <= limit) continue;
        ++count;
        if (top == nullptr || *(layer.*share) > *(top->*share)) top = &layer;
      }
      if (top == nullptr) return;
      good = false;
      const double value = *(top->*share);
      find(graded(value > absurd), "activations",
           fmt::format("{} of the units of {} are {}{}", percent(value), top->name, what,
                       count > 1 ? fmt::format(" (more than {} in {} layers)", percent(limit), count) : ""),
           "at most " + percent(limit), advice);
    };
    worst(&LayerHealth::dead, dead_share, dead_absurd, "0 for every example",
          "lower the learning rate, raise the biases before it, or use leaky_relu");
    worst(&LayerHealth::saturated, saturated_share, saturated_absurd, "at an end of their range",
          "smaller initial weights (xavier), inputs scaled to about 1, or relu");

    const LayerHealth *least = nullptr, *most = nullptr;
    for (std::size_t i = 0; i + 1 < report.layers.size(); ++i) {  // the last are the logits
      const LayerHealth& layer = report.layers[i];
      if (layer.dead && *layer.dead > dead_share) continue;  // said already
      if (least == nullptr || layer.deviation < least->deviation) least = &layer;
      if (most == nullptr || layer.deviation > most->deviation) most = &layer;
    }
    const std::string expected = fmt::format("{} to {}", deviation_low, deviation_high);
    if (least != nullptr && least->deviation < deviation_low) {
      good = false;
      find(Severity::warning, "activations",
           fmt::format("the deviation of {} is {:.3g}", least->name, least->deviation), expected,
           "larger initial weights (he), fewer layers, LayerNorm or Residual: the signal fades");
    }
    if (most != nullptr && most->deviation > deviation_high) {
      good = false;
      find(
          Severity::warning, "activations",
          fmt::format("the deviation of {} is {:.3g}", most->name, most->deviation), expected,
          "smaller initial weights (he or xavier), inputs scaled to about 1, or LayerNorm: the signal grows");
    }
    if (good && !report.layers.empty())
      find(Severity::good, "activations", "no layer is dead, saturated or of a scale far from 1",
           fmt::format("dead at most {}, saturated at most {}", percent(dead_share),
                       percent(saturated_share)));
  }

  // Whether an optimizer could step: something is trained, and every gradient is there.
  bool check_missing_gradients() {
    std::vector<std::string> frozen, missing, broken;
    for (const ParameterHealth& p : report.parameters) {
      if (p.frozen) frozen.push_back(p.name);
      if (!p.frozen && !p.has_gradient) missing.push_back(p.name);
      if (p.has_gradient && std::isnan(p.gradient_size)) broken.push_back(p.name);
    }
    if (!frozen.empty() && frozen.size() < report.parameters.size())
      find(Severity::warning, "gradients", "frozen: " + list(frozen), "every parameter trained",
           "freeze(false) unless it is meant");
    if (frozen.size() == report.parameters.size())
      find(Severity::problem, "gradients",
           frozen.empty() ? "the network has no parameters" : "every parameter is frozen",
           "something to train", frozen.empty() ? "list parameters and layers in fields()" : "freeze(false)");
    if (!missing.empty())
      find(Severity::problem, "gradients", "the loss does not depend on " + list(missing),
           "a gradient for each",
           "use it in forward(), without detach() and not through a copy; or freeze it, or take it out of "
           "fields()");
    if (!broken.empty())
      find(Severity::problem, "gradients", "not finite: " + list(broken), "no NaN and no infinity",
           "no sqrt, log or division near 0: their derivatives are infinite there");
    const std::string unlisted = uses->unlisted(net.parameters());
    if (!unlisted.empty())
      find(Severity::problem, "gradients", unlisted, "every parameter listed",
           "name it in fields(): it is neither trained nor saved");
    return frozen.size() < report.parameters.size() && missing.empty() && broken.empty() && unlisted.empty();
  }

  void check_gradients() {
    const ParameterHealth *least = nullptr, *most = nullptr;
    std::vector<std::string> zero;
    bool any = false, said = false;
    for (const Finding& f : report.findings) said = said || f.check == "gradients";
    for (const ParameterHealth& p : report.parameters) {
      if (p.frozen || !p.has_gradient || std::isnan(p.gradient_size)) continue;
      any = true;
      if (p.gradient_zeros == 1) zero.push_back(p.name);
      if (p.gradient_zeros == 1 || p.shape.rank() < 2) continue;
      if (least == nullptr || p.gradient_size < least->gradient_size) least = &p;
      if (most == nullptr || p.gradient_size > most->gradient_size) most = &p;
    }
    said = said || !zero.empty();
    // An output layer that starts at 0 is deliberate: it hides the others for one step only.
    if (!zero.empty())
      find(graded(!learns), "gradients", "0 in every element: " + list(zero), "some that are not 0",
           learns ? "nothing, if the layer after it starts at 0 on purpose"
                  : "look for dead or saturated layers after it, or weights that are 0");
    if (most != nullptr && most->gradient_size > gradient_spread * least->gradient_size) {
      const double ratio = most->gradient_size / least->gradient_size;
      const bool fades = least < most;  // the smaller one is nearer to the input
      find(graded(ratio > gradient_absurd), "gradients",
           fmt::format("{:.2g} times as large in {} as in {}", ratio, most->name, least->name),
           fmt::format("within {:g} times", gradient_spread),
           fades ? "relu in place of sigmoid or tanh, initial weights he or xavier, Residual or LayerNorm: "
                   "gradients vanish on their way back"
                 : "smaller initial weights (he or xavier), Residual or LayerNorm, clipping: gradients "
                   "explode on "
                   "their way back");
    } else if (any && !said) {
      find(Severity::good, "gradients",
           most == nullptr ? "none is 0"
                           : fmt::format("none is 0; in weights {:.2g} to {:.2g}", least->gradient_size,
                                         most->gradient_size),
           fmt::format("weights within {:g} times of each other", gradient_spread));
    }
  }

  void check_update() {
    const inspect::Kept kept(net);
    const std::vector<nn::NamedSlot> parameters = net.parameters();
    std::vector<Tensor> before;
    for (const nn::NamedSlot& parameter : parameters) before.push_back(parameter.slot->value());
    const std::unique_ptr<optim::Optimizer> optimizer =
        options.optimizer ? options.optimizer(net)
                          : std::make_unique<optim::Adam>(net, optim::Adam::Options{.lr = options.lr});
    if (!optimizer) fail<ValueError>("[doctor] options.optimizer returned nothing");
    optimizer->step(gradients);
    const ParameterHealth* most = nullptr;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      ParameterHealth& p = report.parameters[i];
      if (p.frozen || p.size == 0) continue;
      p.update = moments(kernels::sub(parameters[i].slot->value(), before[i])).size / p.size;
      if (p.shape.rank() < 2) continue;     // biases start anywhere, and matter little
      if (p.gradient_zeros == 1) continue;  // check_gradients() says so
      if (most == nullptr || *p.update > *most->update) most = &p;
    }
    if (most == nullptr) return;
    const std::string expected = fmt::format("about 1e-3; {:g} to {:g}", update_low, update_high);
    const std::string measured = fmt::format("the first step changes {} by {:.2g} of its size, at lr {:g}",
                                             most->name, *most->update, optimizer->lr());
    if (*most->update > update_high)
      find(graded(*most->update > update_absurd), "update", measured, expected,
           fmt::format("lower the learning rate, for a start to {:.1g}",
                       optimizer->lr() * 1e-2 / *most->update));
    else if (*most->update < update_low)
      find(graded(*most->update < update_lost), "update", measured + ", others less", expected,
           *most->update > 0 ? fmt::format("raise the learning rate, for a start to {:.1g}",
                                           optimizer->lr() * 1e-3 / *most->update)
                             : "raise the learning rate: nothing moves");
    else
      find(Severity::good, "update", measured, expected);
  }

  void check_overfit() {
    if (options.overfit_steps <= 0) return;
    const inspect::Kept kept(net);
    const Index n = few.size();
    optim::Adam adam(net, {.lr = overfit_lr});
    std::vector<double> losses;
    double goal = 0;
    while (true) {
      Tape tape;  // without dropout, which is there to make this hard
      const Tensor value = loss(few);
      losses.push_back(value.item());
      if (losses.size() == 1) goal = overfit_share * (expected_loss ? *expected_loss : losses[0]);
      learns = losses.back() <= goal;
      if (learns || !std::isfinite(losses.back()) ||
          static_cast<Index>(losses.size()) > options.overfit_steps)
        break;
      adam.step(tape.backward(value));
    }
    report.overfit_examples = n;
    report.overfit_loss = losses.back();
    report.overfit_steps = static_cast<Index>(losses.size()) - 1;
    const std::string measured =
        fmt::format("{} examples from a loss of {:.4g} to {:.4g} in {} steps of Adam", n, losses[0],
                    losses.back(), report.overfit_steps);
    const std::string expected = fmt::format("at most {:.2g}", goal);
    if (learns) return find(Severity::good, "overfit", measured, expected);
    find(graded(!still_improving(losses)), "overfit", measured, expected, why_not(losses));
  }

  static bool still_improving(const std::vector<double>& losses) {
    return losses.back() < still_falling * losses[losses.size() * 3 / 4];
  }

  std::string why_not(const std::vector<double>& losses) const {
    if (!std::isfinite(losses.back()))
      return "see why values grow: a forward() or loss that is not finite, or inputs that are too large";
    if (still_improving(losses))
      return "it still falls: more overfit_steps, or inputs and weights of a better scale";
    if (!options.loss && are_classes) {
      const Tensor& targets = few.labels;
      double entropy = 0;
      std::vector<double> counts(static_cast<std::size_t>(report.classes));
      for (const std::int64_t label : targets.data<std::int64_t>())
        counts[static_cast<std::size_t>(label)] += 1;
      for (const double count : counts)
        if (count > 0)
          entropy -= count / static_cast<double>(targets.size()) *
                     std::log(count / static_cast<double>(targets.size()));
      if (std::abs(losses.back() - entropy) < constant_guess * std::max(1.0, entropy))
        return "it has only learned how often each label occurs: the output does not depend on the input "
               "(dead "
               "layers, detach(), an input that is always the same?)";
    }
    return "look for what is dead, saturated, frozen or detached; for examples that are equal but labelled "
           "differently; else a wider network";
  }
};

}  // namespace

const char* name(Severity severity) {
  switch (severity) {
    case Severity::good: return "good";
    case Severity::warning: return "warning";
    default: return "problem";
  }
}

Severity Diagnosis::severity() const {
  Severity worst = Severity::good;
  for (const Finding& finding : findings) worst = std::max(worst, finding.severity);
  return worst;
}

namespace {

Diagnosis examine(const nn::Module& net, const Batch& batch, const Batch& few, const DoctorOptions& options) {
  const Pause pause;              // the caller's tapes
  const inspect::Kept kept(net);  // a forward() may keep running statistics in buffers
  Doctor d{net, batch, few, options};
  d.examine();
  std::stable_sort(d.report.findings.begin(), d.report.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  return std::move(d.report);
}

}  // namespace

Diagnosis doctor(const nn::Module& net, const Examples& examples, const DoctorOptions& options) {
  if (options.examples < 1)
    fail<ValueError>("[doctor] expected a number of examples above 0, got {}", options.examples);
  if (examples.size() == 0) fail<ShapeError>("[doctor] the data set \"{}\" is empty", examples.name());
  const auto drawn = static_cast<std::size_t>(std::min(examples.size(), options.examples));
  std::vector<Index> rows = Rng(options.seed).permutation(examples.size());
  const std::span<const Index> chosen = std::span(rows).first(drawn);
  const DType dtype = inspect::dtype_of(net);
  return examine(net, examples.gather(chosen, dtype),
                 examples.gather(chosen.first(std::min<std::size_t>(drawn, overfit_examples)), dtype),
                 options);
}

Diagnosis detail::doctor(const nn::Module& net, const Batch& batch, const DoctorOptions& options) {
  return examine(net, batch, inspect::first(batch, overfit_examples), options);
}

Diagnosis doctor(const nn::Module& net, const Tensor& x, const Tensor& labels, const DoctorOptions& options) {
  return detail::doctor(net, {x, labels}, options);
}

}  // namespace elk
