// What this process computes with. The same seed gives the same bits where both are the same.
#pragma once

#include <string>

namespace elk {

/// The instruction set of the loops: "baseline", "avx2", "avx512", "amx" or "neon". The best that the machine has, or
/// what the environment variable ELK_ISA names; ValueError when that is unknown or the machine lacks it.
std::string instruction_set();

}  // namespace elk
