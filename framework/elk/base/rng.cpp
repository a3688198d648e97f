#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/base/rng.hpp>

namespace elk {

namespace {

constexpr int words = 624, shift = 397;

// M. Matsumoto, T. Nishimura, "Mersenne Twister", 1998; initialisation as of 2002-01-26.
void init_genrand(std::array<std::uint32_t, words>& key, std::uint32_t seed) {
  for (std::uint32_t i = 0; i < words; ++i) {
    key[i] = seed;
    seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
  }
}

void init_by_array(std::array<std::uint32_t, words>& key, std::initializer_list<std::uint32_t> seeds) {
  init_genrand(key, 19650218u);
  const std::size_t length = seeds.size();
  std::size_t i = 1, j = 0;
  const auto wrap = [&] {
    if (++i >= words) {
      key[0] = key[words - 1];
      i = 1;
    }
  };
  for (std::size_t k = std::max<std::size_t>(words, length); k > 0; --k) {
    const std::uint32_t seed = seeds.begin()[j];
    key[i] = (key[i] ^ ((key[i - 1] ^ (key[i - 1] >> 30)) * 1664525u)) + seed + static_cast<std::uint32_t>(j);
    wrap();
    if (++j >= length) j = 0;
  }
  for (int k = words - 1; k > 0; --k) {
    key[i] = (key[i] ^ ((key[i - 1] ^ (key[i - 1] >> 30)) * 1566083941u)) - static_cast<std::uint32_t>(i);
    wrap();
  }
  key[0] = 0x80000000u;
}

}  // namespace

Rng::Rng(std::uint64_t seed) : state_{{}, words, false, 0} {
  if (seed > 0xffffffffu) fail<ValueError>("[rng] the seed must be from 0 to 4294967295, got {}", seed);
  init_genrand(state_.key, static_cast<std::uint32_t>(seed));
}

Rng Rng::keyed(std::initializer_list<std::uint32_t> key) {
  if (key.size() == 0) fail<ValueError>("[rng] the key is empty");
  Rng rng(0);
  init_by_array(rng.state_.key, key);
  return rng;
}

void Rng::set_state(const State& state) {
  if (state.position < 0 || state.position > words)
    fail<ValueError>("[rng] the position must be from 0 to {}, got {}", words, state.position);
  // Of the first word only the top bit takes part. From zeros alone only zeros follow: normal() would never
  // return.
  if ((state.key[0] & 0x80000000u) == 0 &&
      std::all_of(state.key.begin() + 1, state.key.end(), [](std::uint32_t word) { return word == 0; }))
    fail<ValueError>("[rng] the key is all zeros");
  if (state.has_gauss && !std::isfinite(state.gauss))
    fail<ValueError>("[rng] the normal number in waiting must be finite, got {}", state.gauss);
  state_ = state;
}

void Rng::refill() {
  auto& key = state_.key;
  const auto twist = [&](std::size_t i, std::size_t next, std::size_t far) {
    const std::uint32_t y = (key[i] & 0x80000000u) | (key[next] & 0x7fffffffu);
    key[i] = key[far] ^ (y >> 1) ^ ((y & 1u) ? 0x9908b0dfu : 0u);
  };
  for (std::size_t i = 0; i < words - shift; ++i) twist(i, i + 1, i + shift);
  for (std::size_t i = words - shift; i < words - 1; ++i) twist(i, i + 1, i + shift - words);
  twist(words - 1, 0, shift - 1);
  state_.position = 0;
}

std::uint32_t Rng::bits() {
  if (state_.position == words) refill();
  std::uint32_t y = state_.key[static_cast<std::size_t>(state_.position++)];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

double Rng::uniform() {
  const std::uint32_t high = bits() >> 5, low = bits() >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

double Rng::normal() {
  if (std::exchange(state_.has_gauss, false)) return std::exchange(state_.gauss, 0.0);
  double x1, x2, r2;
  do {
    x1 = 2 * uniform() - 1;
    x2 = 2 * uniform() - 1;
    r2 = x1 * x1 + x2 * x2;
  } while (r2 >= 1 || r2 == 0);
  const double f = std::sqrt(-2 * std::log(r2) / r2);
  state_.gauss = f * x1;
  state_.has_gauss = true;
  return f * x2;
}

// Masked rejection: draws as many bits as the limit has until they do not exceed it.
std::uint64_t Rng::below_or_equal(std::uint64_t limit) {
  if (limit == 0) return 0;
  const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero(limit);
  std::uint64_t value;
  do {
    value = bits();
    if (limit > 0xffffffffu) value = (value << 32) | bits();
    value &= mask;
  } while (value > limit);
  return value;
}

std::int64_t Rng::integer(std::int64_t low, std::int64_t high) {
  if (low >= high) fail<ValueError>("[rng] integer needs low < high, got {} and {}", low, high);
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) - 1;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + below_or_equal(range));
}

std::vector<std::int64_t> Rng::permutation(std::int64_t n) {
  if (n < 0) fail<ValueError>("[rng] permutation needs n >= 0, got {}", n);
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[below_or_equal(i)]);
  return order;
}

}  // namespace elk
