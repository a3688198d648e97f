// The modules of a network with output shapes, parameters and FLOPs.
#pragma once

#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include <elk/data/examples.hpp>
#include <elk/nn/module.hpp>

namespace elk {

/// A module of the network, with only its own parameters and FLOPs: those of its children are in their own
/// rows.
struct SummaryRow {
  std::string name;             ///< dotted; "" for the network itself
  std::string kind;             ///< describe()
  std::optional<Shape> output;  ///< of its last call, for a batch of one example
  bool leaf = true;             ///< it lists no modules
  Index calls = 0;              ///< in one forward pass
  Index parameters = 0;         ///< numbers in its parameters; a tied one counts where it is listed first
  Index frozen = 0;             ///< how many of them are
  std::uint64_t flops = 0;      ///< of forward in evaluation, one example
  std::uint64_t training_flops = 0;  ///< of forward and backward in training, one example
  std::string notes;  ///< "never called", "called 3 times", "frozen", "weight is embed.weight", "is fc1"
};

/// An input of a network, for one example.
struct SummaryInput {
  Shape shape;  ///< without the batch
  DType dtype = f32;
};

/// The result of summary().
struct Summary {
  std::vector<SummaryInput> inputs;
  std::vector<SummaryRow> rows;  ///< the network itself, then its modules in the order of fields()
  Index parameters = 0;          ///< as Module::parameter_count()
  Index frozen = 0;              ///< how many of them are
  std::uint64_t flops = 0;
  /// Without the loss and the update: the loss is not the network's, and the update is the optimizer's.
  std::uint64_t training_flops = 0;
  /// "the forward pass used 4 parameters, the network lists 2: not listed: Linear(784, 128)", or "".
  std::string unlisted;
};

/// Runs `net` on one example of zeros of `input_shape` (without the batch), once in evaluation and once in
/// training with backward (in evaluation again, if the network cannot train on one example, as with a
/// BatchNorm1d), and reports what ran; FLOPs as in base/flops.hpp. `dtype` defaults to the network's own, or
/// to i64 if the network rejects that, as a network that begins with an Embedding does. A leading size of 1
/// in an output is treated as the batch. Operations in a module that no fields() lists count for the module
/// that called it. A module with several inputs that does not call Scope::returns shows the shape of its last
/// operation. Changes nothing in `net`, and draws dropout from its own random stream; existing tapes record
/// nothing of it. Throws the network's own ShapeError, with the layer's name, for a shape that does not fit.
Summary summary(const nn::Module& net, const Shape& input_shape, std::optional<DType> dtype = {});

namespace detail {
Summary summary(const nn::Module& net, const Batch& batch, const Forward& forward);
Summary summary(const nn::Module& net, const Examples& examples, const Forward& forward);
}  // namespace detail

/// The same on the first example of a Batch or of Examples, for networks with several inputs, or whose input
/// cannot be zeros: `forward` says how to call the network, if net(batch.x) is not enough. An input of a
/// batch without a row for each example, such as a mask, stays whole; the labels are not used. (A template,
/// so that braces make a Shape.)
template <class Data>
requires std::same_as<Data, Batch> || std::same_as<Data, Examples> Summary
summary(const nn::Module& net, const Data& data, const Forward& forward = {}) {
  return detail::summary(net, data, forward);
}

/// A table for 100 columns, notes apart; long names and kinds are shortened:
///
///   layer  kind             output   parameters   FLOPs  training
///   fc1    Linear(784, 64)  (N, 64)       50240  100416    200832
std::string to_string(const Summary& summary);
/// Writes to_string().
std::ostream& operator<<(std::ostream& out, const Summary& summary);

}  // namespace elk
