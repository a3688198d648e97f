#include <algorithm>

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

void check_not_empty(const char* operation, const Examples& examples) {
  if (examples.size() == 0) fail<ShapeError>("[{}] the data set \"{}\" is empty", operation, examples.name());
}

// Whether labels are classes, of which the output has one number each along its last axis.
bool are_classes(const Tensor& labels, const Tensor& output) {
  const Shape &of_labels = labels.shape(), &of_output = output.shape();
  return labels.dtype() == i64 && of_output.rank() == of_labels.rank() + 1 &&
         std::equal(of_labels.begin(), of_labels.end(), of_output.begin());
}

}  // namespace

Evaluation evaluate(const nn::Module& net, const Examples& examples, const Loss& loss, DType dtype,
                    Index batch_size, const Forward& forward) {
  check_not_empty("evaluate", examples);
  const Stage stage("evaluation");
  const Pause pause;
  double total_loss = 0, correct = 0, counted = 0;
  for (const Batch& batch : Batches(examples, batch_size, dtype)) {
    const Tensor output = forward ? forward(batch) : net(batch.x);
    total_loss += loss(output, batch.labels).item() * static_cast<double>(batch.size());
    if (!are_classes(batch.labels, output)) continue;
    correct += sum(equal(argmax(output, -1), batch.labels)).item();
    counted += sum(greater_equal(batch.labels, 0)).item();
  }
  // 0 / 0, which is NaN, where labels are no classes.
  return {total_loss / static_cast<double>(examples.size()), correct / counted};
}

Tensor predict(const nn::Module& net, const Examples& examples, DType dtype, Index batch_size,
               const Forward& forward) {
  check_not_empty("predict", examples);
  const Stage stage("evaluation");
  const Pause pause;
  std::vector<Tensor> parts;
  for (const Batch& batch : Batches(examples, batch_size, dtype))
    parts.push_back(forward ? forward(batch) : net(batch.x));
  return concat(parts, 0);
}

}  // namespace elk::train
