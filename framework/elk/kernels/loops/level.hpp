// The tables of loops that the sources of this folder, which are compiled once for every instruction set,
// make: data, so that nothing compiled for an instruction set runs before it is picked. The build defines
// ELK_LEVEL, the name of the instruction set, which is also the namespace of all that is compiled for it.
#pragma once

#include <elk/kernels/loops/loops.hpp>

namespace elk::kernels {

template <template <class> class Table>
struct BothTypes {
  Table<float> f32;
  Table<double> f64;
};

/// See multiply_bf16 and bf16_scratch in loops.hpp.
struct Bf16Loops {
  void (*multiply)(const Product<float>& p, std::uint16_t* scratch);
  Index scratch;
};

#define ELK_DECLARE_LEVEL(level)                 \
  namespace level {                              \
  extern const BothTypes<ProductLoops> products; \
  extern const BothTypes<ElementLoops> elements; \
  extern const BothTypes<RowLoops> rows;         \
  }

ELK_DECLARE_LEVEL(baseline)
#if defined(ELK_X86)
ELK_DECLARE_LEVEL(avx2)
ELK_DECLARE_LEVEL(avx512)
namespace amx {
extern const Bf16Loops products;
}
#elif defined(ELK_ARM64)
ELK_DECLARE_LEVEL(neon)
#endif

}  // namespace elk::kernels
