// Embedding: a vector for each entry of a vocabulary.
#pragma once

#include <optional>

#include <elk/nn/module.hpp>

namespace elk::nn {

/// Looks up rows: ids i64 (...) of 0 to count - 1, weight (count, size), result (..., size). The weight
/// begins N(0, 1).
class Embedding : public Module {
 public:
  /// padding_idx: an id whose vector begins at 0 and gets no gradient.
  struct Options {
    std::optional<Index> padding_idx = std::nullopt;
    DType dtype = f32;
  };
  Embedding(Index count, Index size, Rng& rng, const Options& options);
  Embedding(Index count, Index size, Rng& rng) : Embedding(count, size, rng, Options()) {}

  /// IndexError for an id outside the vocabulary, DTypeError for ids that are not i64.
  Tensor forward(const Tensor& ids) const override;
  void fields(Fields& f) override { f("weight", weight_); }
  std::string describe() const override;

  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_;
  std::optional<Index> padding_;
};

}  // namespace elk::nn
