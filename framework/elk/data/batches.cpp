#include <algorithm>
#include <numeric>

#include <elk/base/format.hpp>
#include <elk/data/augment.hpp>
#include <elk/data/batches.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

constexpr std::size_t rows_ahead = 4;
constexpr Index cache_line = 64;

template <class T>
void gather_rows(const Dataset& dataset, std::span<const Index> rows, Batch& batch) {
  const Index n = dataset.size();
  const Index width = dataset.features();
  const auto scale = kernels::loops<T>().scale_pixels;
  const auto* pixels = dataset.images.data<std::uint8_t>().data();
  const auto* labels = dataset.labels.data<std::int64_t>().data();
  auto* x = detail::writable<T>(batch.x);
  auto* y = detail::writable<std::int64_t>(batch.labels);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Index row = rows[i];
    if (row < 0 || row >= n) fail<IndexError>("[gather] row {} is outside a dataset of {}", row, n);
    // Shuffled rows are all over the memory, where no processor expects them.
    if (i + rows_ahead < rows.size())
      for (Index j = 0; j < width; j += cache_line)
        __builtin_prefetch(pixels + rows[i + rows_ahead] * width + j);
    scale(width, pixels + row * width, x);
    x += width;
    *y++ = labels[row];
  }
}

std::shared_ptr<const std::vector<Index>> in_order(Index n) {
  auto order = std::make_shared<std::vector<Index>>(static_cast<std::size_t>(n));
  std::iota(order->begin(), order->end(), 0);
  return order;
}

void check_arguments(Index batch_size, DType dtype) {
  if (batch_size < 1) fail<ValueError>("[batches] the batch size must be at least 1, got {}", batch_size);
  if (!is_float(dtype)) fail<DTypeError>("[batches] expected f32 or f64, got {}", dtype);
}

}  // namespace

Batch gather(const Dataset& dataset, std::span<const Index> rows, DType dtype) {
  if (!is_float(dtype)) fail<DTypeError>("[gather] expected f32 or f64, got {}", dtype);
  if (dataset.labels.rank() != 1 || dataset.labels.size() != dataset.size()) dataset.check();
  const auto count = static_cast<Index>(rows.size());
  Batch batch{empty({count, dataset.features()}, dtype), empty({count}, i64)};
  if (dtype == f32)
    gather_rows<float>(dataset, rows, batch);
  else
    gather_rows<double>(dataset, rows, batch);
  return batch;
}

Batches::Batches(const Examples& examples, Index batch_size, DType dtype)
    : Batches(examples, batch_size, std::vector<Index>(), dtype) {
  rows_ = examples.size();
  order_ = in_order(rows_);
}

Batches::Batches(const Examples& examples, Index batch_size, Rng& rng, DType dtype)
    : Batches(examples, batch_size, std::vector<Index>(), dtype) {
  rows_ = examples.size();
  order_ = nullptr;
  rng_ = &rng;
}

Batches::Batches(const Examples& examples, Index batch_size, std::vector<Index> order, DType dtype,
                 Index first_batch)
    : examples_(examples),
      batch_size_(batch_size),
      rows_(static_cast<Index>(order.size())),
      dtype_(dtype),
      order_(std::make_shared<const std::vector<Index>>(std::move(order))),
      first_batch_(first_batch) {
  check_arguments(batch_size, dtype);
  const Index n = examples.size();
  // Found now rather than in the middle of a pass.
  const auto bad =
      std::find_if(order_->begin(), order_->end(), [&](Index row) { return row < 0 || row >= n; });
  if (bad != order_->end())
    fail<IndexError>("[batches] row {} of the order is outside a dataset of {}", *bad, n);
  if (first_batch < 0 || first_batch > count())
    fail<IndexError>("[batches] cannot start at batch {} of {}", first_batch, count());
}

Batches Batches::augmented(const Augment& augment, Index epoch) const {
  if (examples_.images() == nullptr) fail<ValueError>("[batches] only images can be augmented");
  Batches result = *this;
  result.augment_ = std::make_shared<const Augment>(augment);
  result.epoch_ = epoch;
  return result;
}

// Not (rows_ + batch_size_ - 1) / batch_size_, which overflows for a batch size meant as "everything".
Index Batches::count() const { return rows_ / batch_size_ + (rows_ % batch_size_ != 0 ? 1 : 0); }

Batches::Iterator Batches::begin() const {
  moved_.check("batches");
  if (!rng_) return {*this, order_};
  return {*this, std::make_shared<const std::vector<Index>>(rng_->permutation(rows_))};
}

Index Batches::Iterator::size() const {
  return std::min(owner_->batch_size_, owner_->rows_ - number_ * owner_->batch_size_);
}

Batch Batches::Iterator::operator*() const { return rows(0, size()); }

std::pair<Index, Index> Batches::Iterator::part_rows(Index number, Index parts) const {
  if (number < 0 || number >= parts) fail<IndexError>("[batches] there is no part {} of {}", number, parts);
  const Index each = size() / parts, more = size() % parts;
  return {number * each + std::min(number, more), each + (number < more ? 1 : 0)};
}

Batch Batches::Iterator::part(Index number, Index parts) const {
  const auto [first, count] = part_rows(number, parts);
  return rows(first, count);
}

// Of the current batch.
Batch Batches::Iterator::rows(Index first, Index count) const {
  const Batches& all = *owner_;
  all.moved_.check("batches");
  const auto rows = std::span(*order_).subspan(static_cast<std::size_t>(number_ * all.batch_size_ + first),
                                               static_cast<std::size_t>(count));
  return all.augment_ ? (*all.augment_)(*all.examples_.images(), rows, all.epoch_, all.dtype_)
                      : all.examples_.gather(rows, all.dtype_);
}

}  // namespace elk
