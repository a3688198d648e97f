#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/dropout.hpp>

namespace elk::kernels {

Tensor dropout_factors(const Shape& shape, double p, Rng& rng, DType dtype) {
  // A uniform draw is a whole number of 27 and 26 bits over 2^53: compared as such, in halves, without
  // becoming an f64.
  constexpr int low_bits = 26;
  const auto least = static_cast<std::int64_t>(std::ceil(p * 0x1p53));
  const auto high_least = static_cast<std::int32_t>(least >> low_bits),
             low_least = static_cast<std::int32_t>(least & ((1 << low_bits) - 1));
  return for_float("dropout", dtype, [&]<class T>() {
    Tensor y = empty(shape, dtype);
    const T kept = static_cast<T>(1 / (1 - p));
    constexpr Index block = 1024;
    std::array<std::uint32_t, 2 * block> words;
    for (Index begin = 0; begin < y.size(); begin += block) {
      const Index count = std::min(block, y.size() - begin);
      rng.bits(std::span(words).first(static_cast<std::size_t>(2 * count)));
      const std::uint32_t* word = words.data();
      T* out = writable<T>(y) + begin;
      for (Index i = 0; i < count; ++i) {
        const auto high = static_cast<std::int32_t>(word[2 * i] >> 5),
                   low = static_cast<std::int32_t>(word[2 * i + 1] >> 6);
        const bool keep = (high > high_least) | ((high == high_least) & (low >= low_least));
        out[i] = keep ? kept : T(0);
      }
    }
    count_flops(y.size());
    return y;
  });
}

}  // namespace elk::kernels
