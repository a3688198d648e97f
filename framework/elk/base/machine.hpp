// The instruction set and the BLAS that compute here, to record where numbers come from: the same seed gives
// the same bits if both are the same. (Of convolutions of f32: and the oneDNN, which has no name here.)
#pragma once

#include <string>

namespace elk {

/// The instruction set of the loops: "baseline", "avx2", "avx512", "amx" or "neon". The best that the machine
/// has, or what the environment variable ELK_ISA names; ValueError when that is unknown or the machine lacks
/// it, or when OPENBLAS_CORETYPE names a processor whose instructions it lacks.
std::string instruction_set();

/// The BLAS library behind matrix products, as this process has loaded it: "OpenBLAS 0.3.21 Zen" (version and
/// the processor whose kernels it chose), or for another one the end of its path:
/// "blis-pthread/libblas.so.3". If it is linked statically into the program, the library that was found when
/// elkgrad was built.
std::string blas_name();

}  // namespace elk
