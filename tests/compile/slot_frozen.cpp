// expected: invalid use of member function|reference to non-static member function must be called
#include <elk/nn/module.hpp>

void freeze(elk::nn::Module& net) {
#ifdef MISTAKE
  for (const auto& [name, slot] : net.parameters()) slot->frozen = true;
#else
  for (const auto& [name, slot] : net.parameters()) slot->freeze();
#endif
}
