#include <elk/base/format.hpp>
#include <elk/nn/describe.hpp>
#include <elk/nn/embedding.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/shape.hpp>

namespace elk::nn {

namespace {

Tensor initial(Index count, Index size, Rng& rng, const Embedding::Options& options) {
  if (count < 1 || size < 1)
    fail<ShapeError>("[Embedding] expected sizes above 0, got {} and {}", count, size);
  const Tensor weight = randn({count, size}, rng, float_dtype("Embedding", options.dtype));
  if (!options.padding_idx) return weight;
  if (*options.padding_idx < 0 || *options.padding_idx >= count)
    fail<IndexError>("[Embedding] padding_idx {} is outside 0 to {}", *options.padding_idx, count - 1);
  return where(reshape(equal(arange(count), static_cast<double>(*options.padding_idx)), {count, 1}),
               scalar(0, options.dtype), weight);
}

}  // namespace

Embedding::Embedding(Index count, Index size, Rng& rng, const Options& options)
    : weight_(initial(count, size, rng, options)), padding_(options.padding_idx) {}

Tensor Embedding::forward(const Tensor& ids) const {
  const Index count = weight_.shape()[0];
  if (ids.dtype() != i64)
    fail<DTypeError>("[{}] expected ids of i64, got {}: write cast(ids, i64)", describe(), ids.dtype());
  for (const Index id : ids.data<std::int64_t>())
    if (id < 0 || id >= count) fail<IndexError>("[{}] id {} is outside 0 to {}", describe(), id, count - 1);
  Shape shape = ids.shape();
  shape.push_back(weight_.shape()[1]);
  const Tensor y = reshape(take_rows(weight_, reshape(ids, {ids.size()})), shape);
  if (!padding_) return y;
  return where(expand(equal(ids, static_cast<double>(*padding_)), -1), detach(y), y);
}

std::string Embedding::describe() const {
  return fmt::format("Embedding({}, {})", weight_.shape()[0], weight_.shape()[1]);
}

}  // namespace elk::nn
