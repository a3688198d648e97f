// What the loops' sources, which are compiled once for every instruction set, put into the table of theirs.
// The build defines ELK_LEVEL, the name of the instruction set.
#pragma once

#include <elk/kernels/loops/loops.hpp>

#define ELK_DECLARE_LEVEL(level)         \
  namespace level {                      \
  template <class T>                     \
  void add_products(Loops<T>& loops);    \
  template <class T>                     \
  void add_elementwise(Loops<T>& loops); \
  }

namespace elk::kernels {
ELK_DECLARE_LEVEL(baseline)
#ifdef ELK_X86
ELK_DECLARE_LEVEL(avx2)
ELK_DECLARE_LEVEL(avx512)
/// Asks the system for the use of AMX's registers, as every process must. False when it refuses.
bool amx_permitted();
#endif
}  // namespace elk::kernels
