// A network on a data set: its loss, its accuracy, its outputs. For more see metrics.hpp.
#pragma once

#include <elk/data/dataset.hpp>
#include <elk/nn/module.hpp>
#include <elk/ops/loss.hpp>

namespace elk::train {

/// The loss of a batch, shape (): logits (N, classes), labels i64 (N).
using Loss = elk::Loss;

/// How well a network does on a data set.
struct Evaluation {
  double loss;      ///< mean over the examples
  double accuracy;  ///< share of examples whose largest output is the label's, 0 to 1
};

/// Evaluates in batches, without dropout and with nothing recorded, whatever tapes are alive. ShapeError
/// for an empty data set.
Evaluation evaluate(const nn::Module& net, const Dataset& dataset, const Loss& loss, DType dtype = f32,
                    Index batch_size = 1000);

/// The network's outputs for all examples, in the data set's order, likewise: (N, ...).
Tensor predict(const nn::Module& net, const Dataset& dataset, DType dtype = f32, Index batch_size = 1000);

}  // namespace elk::train
