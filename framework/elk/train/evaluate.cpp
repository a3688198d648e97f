#include <elk/autograd/scope.hpp>
#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/data/batches.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/train/evaluate.hpp>

namespace elk::train {

namespace {

void check_not_empty(const char* operation, const Dataset& dataset) {
  if (dataset.size() == 0) fail<ShapeError>("[{}] the data set \"{}\" is empty", operation, dataset.name);
}

}  // namespace

Evaluation evaluate(const nn::Module& net, const Dataset& dataset, const Loss& loss, DType dtype,
                    Index batch_size) {
  check_not_empty("evaluate", dataset);
  const Stage stage("evaluation");
  const Pause pause;
  double total_loss = 0, correct = 0;
  for (const auto& [x, labels] : Batches(dataset, batch_size, dtype)) {
    const Tensor logits = net(x);
    const auto n = static_cast<double>(labels.size());
    total_loss += loss(logits, labels).item() * n;
    correct += sum(equal(argmax(logits, -1), labels)).item();
  }
  const auto n = static_cast<double>(dataset.size());
  return {total_loss / n, correct / n};
}

Tensor predict(const nn::Module& net, const Dataset& dataset, DType dtype, Index batch_size) {
  check_not_empty("predict", dataset);
  const Stage stage("evaluation");
  const Pause pause;
  std::vector<Tensor> parts;
  for (const auto& [x, labels] : Batches(dataset, batch_size, dtype)) parts.push_back(net(x));
  return concat(parts, 0);
}

}  // namespace elk::train
