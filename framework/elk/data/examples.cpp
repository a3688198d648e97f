#include <algorithm>
#include <cstring>
#include <numeric>

#include <elk/base/format.hpp>
#include <elk/data/batches.hpp>
#include <elk/data/examples.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

Tensor in_dtype(const Tensor& x, DType dtype) {
  return is_float(x.dtype()) && x.dtype() != dtype ? kernels::cast(x, dtype) : x;
}

Index rows_in_all(const std::vector<Tensor>& inputs, const Tensor& targets) {
  if (inputs.empty()) fail<ValueError>("[examples] there is no input");
  if (targets.rank() == 0) fail<ShapeError>("[examples] expected targets (N, ...), got a scalar");
  for (const Tensor& x : inputs)
    if (x.rank() == 0 || x.size(0) != targets.size(0))
      fail<ShapeError>("[examples] expected inputs ({}, ...), as many as targets {}, got {}", targets.size(0),
                       targets.shape(), x.shape());
  return targets.size(0);
}

}  // namespace

Examples::Examples(const Dataset& images)
    : images_(std::make_shared<const Dataset>(images)), name_(images.name) {
  if (!images.images.defined()) {
    images_ = nullptr;
    return;
  }
  images.check();
  size_ = images.size();
  collate_ = std::make_shared<const Collate>(
      [data = images_](std::span<const Index> rows, DType dtype) { return elk::gather(*data, rows, dtype); });
}

Examples::Examples(const Tensor& x, const Tensor& targets) : Examples(std::vector<Tensor>{x}, targets) {}

Examples::Examples(std::vector<Tensor> inputs, const Tensor& targets) : size_(rows_in_all(inputs, targets)) {
  collate_ = std::make_shared<const Collate>(
      [inputs = std::move(inputs), targets](std::span<const Index> rows, DType dtype) {
        const Tensor at = from(std::vector<Index>(rows.begin(), rows.end()));
        const auto chosen = [&](const Tensor& x) { return in_dtype(kernels::take_rows(x, at), dtype); };
        Batch batch{chosen(inputs[0]), chosen(targets)};
        for (auto x = inputs.begin() + 1; x != inputs.end(); ++x) batch.others.push_back(chosen(*x));
        return batch;
      });
}

Examples::Examples(Index size, std::function<Batch(std::span<const Index> rows)> collate) : size_(size) {
  if (size < 0) fail<ValueError>("[examples] expected a number of examples, got {}", size);
  if (!collate) fail<ValueError>("[examples] there is no function that makes a batch");
  collate_ = std::make_shared<const Collate>(
      [collate = std::move(collate)](std::span<const Index> rows, DType dtype) {
        Batch batch = collate(rows);
        if (batch.labels.rank() == 0 || batch.size() != static_cast<Index>(rows.size()))
          fail<ShapeError>("[examples] expected labels ({}, ...) of the collate function, got {}",
                           rows.size(), batch.labels.shape());
        batch.x = in_dtype(batch.x, dtype);
        batch.labels = in_dtype(batch.labels, dtype);
        for (Tensor& x : batch.others) x = in_dtype(x, dtype);
        return batch;
      });
}

Index Examples::size() const {
  if (!defined()) fail<ValueError>("[examples] there are no data");
  return size_;
}

void Examples::check_rows(const char* operation, std::span<const Index> rows) const {
  const Index n = size();
  for (const Index row : rows)
    if (row < 0 || row >= n) fail<IndexError>("[{}] row {} is outside a dataset of {}", operation, row, n);
}

Batch Examples::gather(std::span<const Index> rows, DType dtype) const {
  if (!is_float(dtype)) fail<DTypeError>("[gather] expected f32 or f64, got {}", dtype);
  check_rows("gather", rows);
  return (*collate_)(rows, dtype);
}

Examples Examples::subset(std::vector<Index> rows) const {
  check_rows("subset", rows);
  if (images_) return images_->subset(rows);
  Examples part = *this;
  part.size_ = static_cast<Index>(rows.size());
  part.collate_ = std::make_shared<const Collate>(
      [whole = collate_, rows = std::move(rows)](std::span<const Index> chosen, DType dtype) {
        std::vector<Index> of_whole;
        for (const Index row : chosen) of_whole.push_back(rows[static_cast<std::size_t>(row)]);
        return (*whole)(of_whole, dtype);
      });
  return part;
}

Examples Examples::take(Index first, Index count) const {
  // Compared without first + count, which could overflow.
  if (first < 0 || count < 0 || first > size() || count > size() - first)
    fail<IndexError>("[take] {} examples from {} on are outside a dataset of {}", count, first, size());
  std::vector<Index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), first);
  return subset(std::move(rows));
}

std::pair<Examples, Examples> split(const Examples& examples, Index held_out, Rng& rng) {
  const Index n = examples.size();
  if (held_out < 0 || held_out >= n)
    fail<ValueError>("[split] cannot hold out {} of {} examples: at least one must be left to train on",
                     held_out, n);
  auto order = rng.permutation(n);
  const auto middle = order.begin() + held_out;
  std::sort(order.begin(), middle);
  std::sort(middle, order.end());
  return {examples.subset({middle, order.end()}), examples.subset({order.begin(), middle})};
}

Tensor pad_sequence(const std::vector<Tensor>& sequences, double value) {
  if (sequences.empty()) fail<ValueError>("[pad_sequence] there is no sequence");
  const Tensor& first = sequences[0];
  if (first.rank() == 0) fail<ShapeError>("[pad_sequence] expected sequences (T, ...), got a scalar");
  Index longest = 0;
  for (const Tensor& sequence : sequences) {
    const Shape &a = sequence.shape(), &b = first.shape();
    if (a.rank() != b.rank() || !std::equal(a.begin() + 1, a.end(), b.begin() + 1))
      fail<ShapeError>("[pad_sequence] sequences {} and {} differ by more than their lengths", b, a);
    if (sequence.dtype() != first.dtype())
      fail<DTypeError>("[pad_sequence] sequences of {} and of {}: convert with cast", first.dtype(),
                       sequence.dtype());
    longest = std::max(longest, sequence.size(0));
  }
  Shape shape{static_cast<Index>(sequences.size()), longest};
  for (int i = 1; i < first.rank(); ++i) shape.push_back(first.size(i));
  Tensor result = full(shape, value, first.dtype());
  const auto width = static_cast<std::size_t>(shape.size()) / sequences.size() * byte_size(first.dtype());
  auto* to = detail::TensorAccess::impl(result).storage->data();
  for (const Tensor& sequence : sequences) {
    std::memcpy(to, detail::TensorAccess::impl(sequence).storage->data(),
                static_cast<std::size_t>(sequence.size()) * byte_size(first.dtype()));
    to += width;
  }
  return result;
}

}  // namespace elk
