// A network on a data set: its loss, its accuracy, its outputs. For more see metrics.hpp.
#pragma once

#include <elk/data/examples.hpp>
#include <elk/nn/module.hpp>
#include <elk/ops/loss.hpp>

namespace elk::train {

/// The loss of a batch, shape (), from the network's output and the targets: logits (N, classes) and labels
/// i64 (N) for cross_entropy, y (N, ...) and targets of its shape for mse.
using Loss = elk::Loss;

/// How to call a network on a batch; if empty, net(batch.x).
using Forward = elk::Forward;

/// How well a network does on a data set.
struct Evaluation {
  double loss;  ///< mean over the examples
  /// The share of labels whose output is the largest, 0 to 1; labels below 0 do not count. NaN if labels are
  /// not classes, which are i64 of the output's shape without its last axis.
  double accuracy;
};

/// Evaluates in batches, without dropout and without recording, even if tapes exist. ShapeError for an empty
/// data set.
Evaluation evaluate(const nn::Module& net, const Examples& examples, const Loss& loss, DType dtype = f32,
                    Index batch_size = 1000, const Forward& forward = {});

/// The network's outputs for all examples, in their order, likewise: (N, ...).
Tensor predict(const nn::Module& net, const Examples& examples, DType dtype = f32, Index batch_size = 1000,
               const Forward& forward = {});

}  // namespace elk::train
