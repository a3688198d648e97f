// Examples of any kind, for training and evaluation: images, rows of a table, ids, sequences, several inputs.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <elk/data/dataset.hpp>

namespace elk {

/// Examples as a network takes them, and the target of each. `const auto& [x, labels] = batch` names the two.
struct Batch {
  Tensor x;  ///< (B, ...); of images f32 or f64 (B, features); pixel / 255, in [0, 1]
  Tensor
      labels;  ///< (B, ...); of classes i64 (B); of mixed images (see augment.hpp) soft targets (B, classes)
  std::vector<Tensor> others = {};  ///< the network's further inputs, if it has several

  /// B.
  Index size() const { return labels.size(0); }
};

/// How to call a network on a batch; if empty, net(batch.x). For a network with several inputs:
///
///   [&](const Batch& b) { return net(b.x, b.others[0]); }
using Forward = std::function<Tensor(const Batch& batch)>;

/// x and labels, for structured bindings.
template <std::size_t I, class B>
requires std::is_same_v<std::remove_cvref_t<B>, Batch>
auto&& get(B&& batch) {
  if constexpr (I == 0)
    return std::forward<B>(batch).x;
  else
    return std::forward<B>(batch).labels;
}

/// N examples, from which batches are gathered. A cheap handle: copies share the tensors.
///
///   train::fit(net, adam, {x, y}, rng);  // x f32 (N, features), y f32 (N, 1) or labels i64 (N)
///
/// Default-constructed, it has no data: see defined().
class Examples {
 public:
  Examples() = default;
  /// Images: pixels / 255, and their labels. Checks them.
  Examples(const Dataset& images);  // NOLINT(google-explicit-constructor): wherever Examples are expected
  /// Row i of `x` and of `targets` is example i. Floats are converted to the requested dtype, ids and bytes
  /// stay as they are. ShapeError unless both have N rows.
  Examples(const Tensor& x, const Tensor& targets);
  /// The same with several inputs: Batch::x is the first, Batch::others are the rest. ValueError without any.
  Examples(std::vector<Tensor> inputs, const Tensor& targets);
  /// `collate` makes the batch of the examples `rows`, for example from sequences of unequal length (see
  /// pad_sequence). It is called for each batch. ValueError for a negative size or no function.
  Examples(Index size, std::function<Batch(std::span<const Index> rows)> collate);

  bool defined() const { return collate_ != nullptr; }
  /// N. This and all below throw ValueError if there are no data.
  Index size() const;
  /// "mnist" and so on for images; else "examples".
  const std::string& name() const { return name_; }
  /// The data set, if the examples are images; else null.
  const Dataset* images() const { return images_.get(); }

  /// The examples `rows` in that order; floats in `dtype` (DTypeError unless f32 or f64). IndexError for a
  /// row outside 0 ... N - 1, ShapeError when a collate function gives another number of examples.
  Batch gather(std::span<const Index> rows, DType dtype = f32) const;
  /// Examples `rows` of these, in that order. IndexError as above.
  Examples subset(std::vector<Index> rows) const;
  /// `count` examples from `first` on. IndexError if some do not exist.
  Examples take(Index first, Index count) const;

 private:
  using Collate = std::function<Batch(std::span<const Index> rows, DType dtype)>;
  void check_rows(const char* operation, std::span<const Index> rows) const;

  std::shared_ptr<const Collate> collate_;
  std::shared_ptr<const Dataset> images_;
  Index size_ = 0;
  std::string name_ = "examples";
};

/// As split() of a data set: holds out `held_out` examples drawn at random.
std::pair<Examples, Examples> split(const Examples& examples, Index held_out, Rng& rng);

/// Combines sequences (T, ...), equal in dtype and in the rest of the shape, to (B, longest T, ...); their
/// ends are filled with `value`. ValueError for no sequence, ShapeError or DTypeError where they differ.
/// (PyTorch's, with the batch first.)
Tensor pad_sequence(const std::vector<Tensor>& sequences, double value = 0);

}  // namespace elk

template <>
struct std::tuple_size<elk::Batch> : std::integral_constant<std::size_t, 2> {};
template <std::size_t I>
struct std::tuple_element<I, elk::Batch> {
  using type = elk::Tensor;
};
