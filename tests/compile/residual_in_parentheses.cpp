// expected: write the modules between braces
#include <elk/nn/layers.hpp>
#include <elk/nn/residual.hpp>

elk::nn::Residual block(elk::Rng& rng) {
#ifdef MISTAKE
  return elk::nn::Residual(elk::nn::Linear(3, 3, rng), elk::nn::ReLU());
#else
  return elk::nn::Residual{elk::nn::Linear(3, 3, rng), elk::nn::ReLU()};
#endif
}
