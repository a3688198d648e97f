// expected: no match for .*operator=|no viable overloaded '='
#include <elk/nn/layers.hpp>

void reset(elk::nn::Linear& layer, const elk::Tensor& w) {
#ifdef MISTAKE
  layer.weight() = w;
#else
  layer.weight().set(w);
#endif
}
