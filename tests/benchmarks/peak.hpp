// What a core can do at most.
#pragma once

#include <elk/kernels/loops/loops.hpp>

namespace elk::bench {

/// Multiplies and adds f32 numbers in registers alone, as the instruction set can at best: so many
/// floating-point operations as are returned.
double multiply_add_in_registers(kernels::InstructionSet set);

}  // namespace elk::bench
