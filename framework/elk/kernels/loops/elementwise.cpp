// Loops over elements, which the compiler turns into vectors of the instruction set's width.
#include <elk/kernels/loops/level.hpp>
#include <elk/kernels/loops/vector.hpp>

namespace elk::kernels {
namespace {

template <class T>
void sgd(Index n, T* __restrict w, const T* __restrict g, Update<T> update) {
  const T rate = update.rate, decay = update.decay;
  if (decay == 0)
    for (Index i = 0; i < n; ++i) w[i] -= rate * g[i];
  else
    for (Index i = 0; i < n; ++i) w[i] -= rate * (g[i] + decay * w[i]);
}

// The quotient of a byte by 255, exactly as a division rounds it but several times as fast: the product with
// the rounded 1 / 255, corrected by what remains. (P. Markstein, "IA-64 and Elementary Functions", 2000,
// chapter 8; the tests compare all 256.) Without a fused multiply-add the remainder would be lost.
template <class T>
void scale_pixels(Index n, const std::uint8_t* __restrict from, T* __restrict to) {
  for (Index i = 0; i < n; ++i) {
    const T x = from[i];
#ifdef __FMA__
    const T guess = x * (T(1) / 255);
    const T remains = sizeof(T) == 4 ? static_cast<T>(__builtin_fmaf(-guess, 255, x))
                                     : static_cast<T>(__builtin_fma(-guess, 255, x));
    to[i] = sizeof(T) == 4 ? static_cast<T>(__builtin_fmaf(remains, T(1) / 255, guess))
                           : static_cast<T>(__builtin_fma(remains, T(1) / 255, guess));
#else
    to[i] = x / 255;
#endif
  }
}

}  // namespace

namespace ELK_LEVEL {
template <class T>
void add_elementwise(Loops<T>& loops) {
  loops.sgd = sgd<T>;
  loops.scale_pixels = scale_pixels<T>;
}
template void add_elementwise(Loops<float>&);
template void add_elementwise(Loops<double>&);
}  // namespace ELK_LEVEL

}  // namespace elk::kernels
