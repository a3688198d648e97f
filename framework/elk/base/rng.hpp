// A random stream that scientists can check: bit for bit NumPy's legacy `numpy.random.RandomState`.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace elk {

/// MT19937 with NumPy's legacy distributions. The same seed gives the same bits on every machine. Copying an
/// Rng copies its position in the stream. Not for use by two threads at once: give each its own.
class Rng {
 public:
  /// As `RandomState(seed)`; seed is from 0 to 2^32 - 1 (ValueError otherwise).
  explicit Rng(std::uint64_t seed);
  /// As `RandomState([k0, k1, ...])`: a stream for each key, for example one for each (seed, image).
  static Rng keyed(std::initializer_list<std::uint32_t> key);
  /// The same for many keys of `length` numbers, one after another, in a fraction of the time.
  static std::vector<Rng> keyed_each(std::span<const std::uint32_t> keys, std::size_t length);

  /// The next 32 random bits.
  std::uint32_t bits();
  /// Fills all of the span with what that many calls of bits() would return, several times as fast.
  void bits(std::span<std::uint32_t> to);
  /// Uniform on [0, 1), 53 bits; as `random_sample()`.
  double uniform();
  /// Uniform on [low, high); as `uniform(low, high)`.
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal, polar method; as `standard_normal()` and `randn()`.
  double normal();
  /// Uniform on low ... high - 1; as `randint(low, high)`.
  std::int64_t integer(std::int64_t low, std::int64_t high);
  /// The numbers 0 ... n - 1 in random order; as `permutation(n)`.
  std::vector<std::int64_t> permutation(std::int64_t n);

  /// The stream's position, laid out as `RandomState.get_state()`.
  struct State {
    std::array<std::uint32_t, 624> key;
    int position;
    bool has_gauss;
    double gauss;
  };
  const State& state() const { return state_; }
  /// Continues from `state`; throws ValueError if it is not a valid state.
  void set_state(const State& state);

 private:
  void refill();
  template <std::size_t vectors>
  static void begin(std::span<Rng> streams, std::span<const std::uint32_t> keys, std::size_t length);
  std::uint64_t below_or_equal(std::uint64_t limit);

  State state_;
};

}  // namespace elk
