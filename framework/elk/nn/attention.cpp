#include <cmath>

#include <elk/base/format.hpp>
#include <elk/nn/attention.hpp>
#include <elk/nn/describe.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/attention.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/shape.hpp>

namespace elk::nn {

namespace {

Index checked(Index size, Index heads) {
  if (size < 1 || heads < 1 || size % heads != 0)
    fail<ShapeError>("[MultiheadAttention] expected heads that divide the size {}, got {}", size, heads);
  return size;
}

// (N, T, size) as (N, heads, T, size / heads).
Tensor split_heads(const Tensor& x, Index heads) {
  return permute(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), {0, 2, 1, 3});
}

// PyTorch's modules mark what is left out, the function what takes part.
Tensor additive(const Tensor& mask, DType dtype) {
  if (mask.dtype() != u8) return mask;
  return where(mask, scalar(-INFINITY, dtype), scalar(0, dtype));
}

}  // namespace

// in_proj_weight begins as Glorot's uniform of (size, 3 size).
MultiheadAttention::MultiheadAttention(Index size, Index heads, Rng& rng, const Options& options)
    : size_(checked(size, heads)),
      heads_(heads),
      options_(options),
      in_weight_(uniform({3 * size, size}, rng, -std::sqrt(1.5 / static_cast<double>(size)),
                         std::sqrt(1.5 / static_cast<double>(size)),
                         float_dtype("MultiheadAttention", options.dtype))),
      out_(size, size, rng, {.init = Init::xavier, .bias = options.bias, .dtype = options.dtype}) {
  if (options.bias) in_bias_.emplace(zeros({3 * size}, options.dtype));
}

void MultiheadAttention::fields(Fields& f) {
  f("in_proj_weight", in_weight_);
  if (in_bias_) f("in_proj_bias", *in_bias_);
  f("out_proj", out_);
}

const Parameter& MultiheadAttention::in_proj_bias() const {
  if (!in_bias_) fail<ValueError>("[{}] it has no bias", describe());
  return *in_bias_;
}

std::string MultiheadAttention::describe() const {
  return fmt::format("MultiheadAttention({}, {} heads{})", size_, heads_, options_.causal ? ", causal" : "");
}

// Queries (0), keys (1) or values (2), by heads.
Tensor MultiheadAttention::project(const Tensor& x, Index which) const {
  const auto third = [&](const Tensor& all) { return slice(all, 0, which * size_, (which + 1) * size_); };
  return split_heads(linear(x, third(in_weight_), in_bias_ ? third(*in_bias_) : Tensor()), heads_);
}

// The two masks as one to add to scores (N, heads, T, S); undefined for none.
Tensor MultiheadAttention::combined(const AttentionMask& mask, Index batch, Index queries, Index keys) const {
  const DType dtype = in_weight_.value().dtype();
  const auto refuse = [&](const char* name, const Shape& got) {
    fail<ShapeError>("[{}] {} {} does not fit {} queries and {} keys of {} examples", describe(), name, got,
                     queries, keys, batch);
  };
  const auto check = [&](const char* name, DType got) {
    if (got != u8 && got != dtype)
      fail<DTypeError>("[{}] expected {} of u8, or of {} to add, got {}: write cast({}, {})", describe(),
                       name, dtype, got, name, is_float(got) ? dtype : u8);
  };
  Tensor total;
  if (mask.attn_mask.defined()) {
    check("attn_mask", mask.attn_mask.dtype());
    const Shape& shape = mask.attn_mask.shape();
    total = additive(mask.attn_mask, dtype);
    if (shape == Shape{batch * heads_, queries, keys})
      total = reshape(total, {batch, heads_, queries, keys});
    else if (shape != Shape{queries, keys})
      refuse("attn_mask", shape);
  }
  if (mask.key_padding_mask.defined()) {
    check("key_padding_mask", mask.key_padding_mask.dtype());
    if (mask.key_padding_mask.shape() != Shape{batch, keys})
      refuse("key_padding_mask", mask.key_padding_mask.shape());
    const Tensor padding = reshape(additive(mask.key_padding_mask, dtype), {batch, 1, 1, keys});
    total = total.defined() ? total + padding : padding;
  }
  return total;
}

Tensor MultiheadAttention::attend(const Tensor& query, const Tensor& key, const Tensor& value,
                                  const AttentionMask& mask) const {
  const Scope scope = enter();
  Tensor y = compute(query, key, value, mask);
  scope.returns(y);
  return y;
}

Tensor MultiheadAttention::compute(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const AttentionMask& mask) const {
  for (const Tensor* x : {&query, &key, &value})
    if (x->rank() != 3 || x->size(2) != size_ || x->size(0) != query.size(0))
      fail<ShapeError>("[{}] expected a query (N, T, {}) and key and value (N, S, {}), got {}, {} and {}",
                       describe(), size_, size_, query.shape(), key.shape(), value.shape());
  if (key.size(1) != value.size(1))
    fail<ShapeError>("[{}] expected as many keys as values, got {} and {}", describe(), key.shape(),
                     value.shape());
  const DType dtype = in_weight_.dtype();
  check_dtype(*this, query, dtype, "query");
  check_dtype(*this, key, dtype, "key");
  check_dtype(*this, value, dtype, "value");
  const Tensor heads = scaled_dot_product_attention(project(query, 0), project(key, 1), project(value, 2),
                                                    combined(mask, query.size(0), query.size(1), key.size(1)),
                                                    mask.causal || options_.causal, options_.dropout);
  return out_(reshape(permute(heads, {0, 2, 1, 3}), query.shape()));
}

TransformerEncoderLayer::TransformerEncoderLayer(Index size, Index heads, Rng& rng, const Options& options)
    : options_(options),
      attention_(size, heads, rng,
                 {.dropout = options.dropout, .causal = options.causal, .dtype = options.dtype}),
      linear1_(size, options.dim_feedforward, rng, {.dtype = options.dtype}),
      linear2_(options.dim_feedforward, size, rng, {.init = Init::xavier, .dtype = options.dtype}),
      norm1_(size, options.epsilon, options.dtype),
      norm2_(size, options.epsilon, options.dtype) {
  if (!(options.dropout >= 0 && options.dropout < 1))
    fail<ValueError>("[TransformerEncoderLayer] expected a dropout from 0 to below 1, got {}",
                     options.dropout);
}

void TransformerEncoderLayer::fields(Fields& f) {
  f("self_attn", attention_)("linear1", linear1_)("linear2", linear2_)("norm1", norm1_)("norm2", norm2_);
}

std::string TransformerEncoderLayer::describe() const {
  return fmt::format("TransformerEncoderLayer({}, {} heads, {} wide{}{})", attention_.size(),
                     attention_.heads(), options_.dim_feedforward, options_.norm_first ? ", norm first" : "",
                     options_.causal ? ", causal" : "");
}

Tensor TransformerEncoderLayer::encode(const Tensor& x, const AttentionMask& mask) const {
  const Scope scope = enter();
  Tensor y = compute(x, mask);
  scope.returns(y);
  return y;
}

Tensor TransformerEncoderLayer::compute(const Tensor& x, const AttentionMask& mask) const {
  const double p = options_.dropout;
  const auto attended = [&](const Tensor& z) { return dropout(attention_.attend(z, z, z, mask), p); };
  const auto mixed = [&](const Tensor& z) {
    const Tensor wide = linear1_(z);
    return dropout(linear2_(dropout(options_.gelu ? gelu(wide) : relu(wide), p)), p);
  };
  if (options_.norm_first) {
    const Tensor y = x + attended(norm1_(x));
    return y + mixed(norm2_(y));
  }
  const Tensor y = norm1_(x + attended(x));
  return norm2_(y + mixed(y));
}

}  // namespace elk::nn
