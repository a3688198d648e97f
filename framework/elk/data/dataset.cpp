#include <algorithm>
#include <cstring>
#include <numeric>

#include <elk/base/format.hpp>
#include <elk/data/dataset.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

Shape with_count(Index count, const Shape& sample) {
  Shape shape{count};
  for (const Index size : sample) shape.push_back(size);
  return shape;
}

}  // namespace

Shape Dataset::sample_shape() const {
  const Shape& shape = images.shape();
  if (shape.rank() == 0) fail<ShapeError>("[dataset] images need shape (N, ...), got {}", shape);
  return Shape(std::span<const Index>(shape.begin() + 1, shape.end()));
}

void Dataset::check() const {
  const auto who = name.empty() ? std::string("dataset") : name;
  if (images.dtype() != u8)
    fail<DTypeError>("[{}] images must be u8, got {}: for others, write Examples(x, y)", who, images.dtype());
  if (labels.dtype() != i64)
    fail<DTypeError>("[{}] labels must be i64, got {}: write cast(labels, i64)", who, labels.dtype());
  if (images.rank() < 1 || labels.rank() != 1 || images.size(0) != labels.size(0))
    fail<ShapeError>("[{}] expected images (N, ...) and labels (N), got {} and {}", who, images.shape(),
                     labels.shape());
  const auto values = labels.data<std::int64_t>();
  const auto count = static_cast<Index>(classes.size());
  const auto bad = std::find_if(values.begin(), values.end(), [&](Index v) { return v < 0 || v >= count; });
  if (bad != values.end())
    fail<IndexError>("[{}] label {} of image {} is outside its {} classes", who, *bad, bad - values.begin(),
                     count);
}

Dataset Dataset::take(Index first, Index count) const {
  // Compared without first + count, which could overflow.
  if (first < 0 || count < 0 || first > size() || count > size() - first)
    fail<IndexError>("[take] {} images from {} on are outside a dataset of {}", count, first, size());
  Dataset result{name, empty(with_count(count, sample_shape()), u8), empty({count}, i64), classes};
  const auto width = features();
  const auto pixels = images.data<std::uint8_t>().subspan(static_cast<std::size_t>(first * width),
                                                          static_cast<std::size_t>(count * width));
  const auto chosen =
      labels.data<std::int64_t>().subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  std::copy(pixels.begin(), pixels.end(), detail::writable<std::uint8_t>(result.images));
  std::copy(chosen.begin(), chosen.end(), detail::writable<std::int64_t>(result.labels));
  return result;
}

Dataset Dataset::subset(std::span<const Index> rows) const {
  const auto count = static_cast<Index>(rows.size());
  Dataset result{name, empty(with_count(count, sample_shape()), u8), empty({count}, i64), classes};
  const auto width = static_cast<std::size_t>(features());
  const auto pixels = images.data<std::uint8_t>();
  const auto all_labels = labels.data<std::int64_t>();
  auto* to = detail::writable<std::uint8_t>(result.images);
  auto* label_to = detail::writable<std::int64_t>(result.labels);
  for (const Index row : rows) {
    if (row < 0 || row >= size()) fail<IndexError>("[subset] row {} is outside a dataset of {}", row, size());
    std::copy_n(pixels.data() + static_cast<std::size_t>(row) * width, width, to);
    to += width;
    *label_to++ = all_labels[static_cast<std::size_t>(row)];
  }
  return result;
}

std::pair<Dataset, Dataset> split(const Dataset& dataset, Index held_out, Rng& rng) {
  const Index n = dataset.size();
  if (held_out < 0 || held_out >= n)
    fail<ValueError>("[split] cannot hold out {} of {} images: at least one must be left to train on",
                     held_out, n);
  auto order = rng.permutation(n);
  const auto middle = order.begin() + held_out;
  std::sort(order.begin(), middle);
  std::sort(middle, order.end());
  const std::span<const Index> rows(order);
  const auto count = static_cast<std::size_t>(held_out);
  return {dataset.subset(rows.subspan(count)), dataset.subset(rows.first(count))};
}

}  // namespace elk
