// expected: invalid use of member function|reference to non-static member function must be called
#include <elk/nn/module.hpp>

void reset(elk::nn::Module& net) {
  for (const auto& [name, slot] : net.parameters()) {
    const elk::Tensor zero = elk::zeros(slot->value().shape());
#ifdef MISTAKE
    slot->value = zero;
#else
    slot->set(zero);
#endif
  }
}
