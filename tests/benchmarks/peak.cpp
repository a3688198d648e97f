#include "peak.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace elk::bench {

namespace {

constexpr int rounds = 10000;

#if defined(__x86_64__)
#define ELK_REGISTER "x"
#else
#define ELK_REGISTER "w"
#endif

// sums[i] = a sums[i] + b, with so many sums at once as hide how long one instruction takes, all in registers
// and each different, or compilers would see that they are the same.
#define ELK_ROUNDS(Vector, count, a, b, multiply_add)                                                 \
  Vector sums[count] = {b};                                                                           \
  _Pragma("GCC unroll 24") for (int i = 1; i < count; ++i) sums[i] = multiply_add(a, sums[i - 1], b); \
  for (int round = 0; round < rounds; ++round) {                                                      \
    _Pragma("GCC unroll 24") for (int i = 0; i < count; ++i) {                                        \
      sums[i] = multiply_add(a, sums[i], b);                                                          \
      asm volatile("" : "+" ELK_REGISTER(sums[i]));                                                   \
    }                                                                                                 \
  }                                                                                                   \
  return 2.0 * rounds * count * (sizeof(Vector) / sizeof(float))

#if defined(__x86_64__)
__m128 multiply_and_add(__m128 a, __m128 b, __m128 c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
double baseline() {
  const __m128 a = _mm_set1_ps(0.5F), b = _mm_set1_ps(1);
  ELK_ROUNDS(__m128, 12, a, b, multiply_and_add);
}
[[gnu::target("avx2,fma")]] double avx2() {
  const __m256 a = _mm256_set1_ps(0.5F), b = _mm256_set1_ps(1);
  ELK_ROUNDS(__m256, 12, a, b, _mm256_fmadd_ps);
}
[[gnu::target("avx512f")]] double avx512() {
  const __m512 a = _mm512_set1_ps(0.5F), b = _mm512_set1_ps(1);
  ELK_ROUNDS(__m512, 24, a, b, _mm512_fmadd_ps);
}
#elif defined(__aarch64__)
float32x4_t multiply_and_add(float32x4_t a, float32x4_t b, float32x4_t c) { return vfmaq_f32(c, a, b); }
double baseline() {
  const float32x4_t a = vdupq_n_f32(0.5F), b = vdupq_n_f32(1);
  ELK_ROUNDS(float32x4_t, 24, a, b, multiply_and_add);
}
#endif

}  // namespace

double multiply_add_in_registers([[maybe_unused]] kernels::InstructionSet set) {
#if defined(__x86_64__)
  using kernels::InstructionSet;
  if (set == InstructionSet::avx512 || set == InstructionSet::amx) return avx512();
  if (set == InstructionSet::avx2) return avx2();
#endif
#if defined(__x86_64__) || defined(__aarch64__)
  return baseline();
#else
  return 0;
#endif
}

}  // namespace elk::bench
