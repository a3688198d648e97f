// Attention and the layers of transformers, over sequences (N, T, features). Weights have PyTorch's names.
#pragma once

#include <elk/nn/layers.hpp>

namespace elk::nn {

/// Which keys a query may attend to: u8, 1 where it may not (as in PyTorch's modules), or floats to add.
struct AttentionMask {
  Tensor attn_mask = {};         ///< (T, S), or (N * heads, T, S)
  Tensor key_padding_mask = {};  ///< (N, S): keys that are padding
  bool causal = false;           ///< query t attends to keys 0 to t only
};

/// See elk::scaled_dot_product_attention, in several heads of size / heads features each: in_proj_weight (3
/// size, size) makes queries, keys and values, out_proj joins the heads.
class MultiheadAttention : public Module {
 public:
  /// Options; with `causal`, every call is causal.
  struct Options {
    double dropout = 0;
    bool bias = true;
    bool causal = false;
    DType dtype = f32;
  };
  /// ShapeError unless `heads` divide `size`.
  MultiheadAttention(Index size, Index heads, Rng& rng, const Options& options);
  MultiheadAttention(Index size, Index heads, Rng& rng) : MultiheadAttention(size, heads, rng, Options()) {}

  /// query (N, T, size), key and value (N, S, size): (N, T, size).
  Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value,
                const AttentionMask& mask = {}) const;
  /// attend(x, x, x).
  Tensor forward(const Tensor& x) const override { return compute(x, x, x, {}); }
  void fields(Fields& f) override;
  std::string describe() const override;

  Index size() const { return size_; }
  Index heads() const { return heads_; }
  const Options& options() const { return options_; }
  /// The weight for queries, keys and values, (3 size, size).
  Parameter& in_proj_weight() { return in_weight_; }
  const Parameter& in_proj_weight() const { return in_weight_; }
  bool has_bias() const { return in_bias_.has_value(); }
  /// (3 size). Throws ValueError for a layer made without one.
  Parameter& in_proj_bias() { return const_cast<Parameter&>(std::as_const(*this).in_proj_bias()); }
  /// The same.
  const Parameter& in_proj_bias() const;
  Linear& out_proj() { return out_; }              ///< what joins the heads
  const Linear& out_proj() const { return out_; }  ///< the same

 private:
  Tensor compute(const Tensor& query, const Tensor& key, const Tensor& value,
                 const AttentionMask& mask) const;
  Tensor project(const Tensor& x, Index which) const;
  Tensor combined(const AttentionMask& mask, Index batch, Index queries, Index keys) const;

  Index size_, heads_;
  Options options_;
  Parameter in_weight_;
  std::optional<Parameter> in_bias_;
  Linear out_;
};

/// x + attention, then x + linear2(activation(linear1(x))), each with dropout and normalized after (or,
/// norm_first, before): x (N, T, size).
class TransformerEncoderLayer : public Module {
 public:
  /// Options. The activation is relu or gelu.
  struct Options {
    Index dim_feedforward = 2048;
    double dropout = 0.1;
    bool gelu = false;
    bool norm_first = false;
    bool causal = false;
    double epsilon = 1e-5;
    DType dtype = f32;
  };
  TransformerEncoderLayer(Index size, Index heads, Rng& rng, const Options& options);
  TransformerEncoderLayer(Index size, Index heads, Rng& rng)
      : TransformerEncoderLayer(size, heads, rng, Options()) {}

  /// With a mask for this call.
  Tensor encode(const Tensor& x, const AttentionMask& mask) const;
  Tensor forward(const Tensor& x) const override { return compute(x, {}); }
  void fields(Fields& f) override;
  std::string describe() const override;

  const Options& options() const { return options_; }
  MultiheadAttention& self_attn() { return attention_; }              ///< its attention
  const MultiheadAttention& self_attn() const { return attention_; }  ///< the same
  Linear& linear1() { return linear1_; }                              ///< from size to dim_feedforward
  const Linear& linear1() const { return linear1_; }                  ///< the same
  Linear& linear2() { return linear2_; }                              ///< and back
  const Linear& linear2() const { return linear2_; }                  ///< the same
  LayerNorm& norm1() { return norm1_; }                               ///< of the attention's part
  const LayerNorm& norm1() const { return norm1_; }                   ///< the same
  LayerNorm& norm2() { return norm2_; }                               ///< of the other part
  const LayerNorm& norm2() const { return norm2_; }                   ///< the same

 private:
  Tensor compute(const Tensor& x, const AttentionMask& mask) const;

  Options options_;
  MultiheadAttention attention_;
  Linear linear1_, linear2_;
  LayerNorm norm1_, norm2_;
};

}  // namespace elk::nn
