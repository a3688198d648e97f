// expected: write the modules between braces
#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>

elk::nn::Sequential network(elk::Rng& rng) {
#ifdef MISTAKE
  return elk::nn::Sequential(elk::nn::Linear(2, 3, rng), elk::nn::Linear(3, 1, rng));
#else
  return elk::nn::Sequential{elk::nn::Linear(2, 3, rng), elk::nn::Linear(3, 1, rng)};
#endif
}
