#include <models/residual_mlp.hpp>

#include <elk/base/format.hpp>
#include <elk/nn/residual.hpp>

namespace elk::models {

ResidualMLP::ResidualMLP(const ResidualMLPOptions& options, Rng& rng) {
  const Index width = options.width;
  Index inner = 0;
  if (__builtin_mul_overflow(options.expansion, width, &inner))
    fail<ShapeError>("[residual_mlp] an inner layer of {} times {} units is too large", options.expansion,
                     width);
  if (options.blocks < 0)
    fail<ValueError>("[residual_mlp] expected 0 blocks or more, got {}", options.blocks);
  const nn::Linear::Options linear{.init = options.init, .dtype = options.dtype};
  if (options.input.size() > 0) add("input", options.input);
  add("embed", nn::Linear(options.inputs, width, rng, linear));
  for (Index i = 1; i <= options.blocks; ++i) {
    nn::Residual block;
    block.add("norm", nn::LayerNorm(width, 1e-5, options.dtype));
    block.add("expand", nn::Linear(width, inner, rng, linear));
    block.add("act", options.activation);
    if (options.dropout != 0) block.add("drop", nn::Dropout(options.dropout));
    block.add("contract", nn::Linear(inner, width, rng, linear));
    add("block" + std::to_string(i), std::move(block));
  }
  add("head", nn::Linear(width, options.classes, rng, linear));
}

}  // namespace elk::models
