#include <elk/base/format.hpp>
#include <elk/data/batches.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/train/evaluate.hpp>

namespace elk::train {

namespace {

double correct(const Tensor& logits, const Tensor& labels) {
  return sum(equal(argmax(logits, -1), labels)).item();
}

}  // namespace

double accuracy(const Tensor& logits, const Tensor& labels) {
  if (labels.size() == 0) fail<ShapeError>("[accuracy] no examples");
  return correct(logits, labels) / static_cast<double>(labels.size());
}

Evaluation evaluate(const nn::Module& net, const Dataset& dataset, const Loss& loss, DType dtype,
                    Index batch_size) {
  if (dataset.size() == 0) fail<ShapeError>("[evaluate] the data set \"{}\" is empty", dataset.name);
  double total_loss = 0, total_correct = 0;
  for (const auto& [x, labels] : Batches(dataset, batch_size, dtype)) {
    const Tensor logits = net(x);
    total_loss += loss(logits, labels).item() * static_cast<double>(labels.size());
    total_correct += correct(logits, labels);
  }
  const double n = static_cast<double>(dataset.size());
  return {total_loss / n, total_correct / n};
}

}  // namespace elk::train
