#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/base/rng.hpp>

namespace elk {

namespace {

constexpr int words = 624, distance = 397;

// M. Matsumoto, T. Nishimura, "Mersenne Twister", 1998; initialisation as of 2002-01-26.
void init_genrand(std::array<std::uint32_t, words>& key, std::uint32_t seed) {
  for (std::uint32_t i = 0; i < words; ++i) {
    key[i] = seed;
    seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
  }
}

// What is done for several keys side by side, in the lanes of vectors: for each it is a chain of steps that
// wait for one another.
typedef std::uint32_t Four __attribute__((vector_size(16)));
template <std::size_t vectors>
using Lanes = std::array<Four, vectors>;

// M. Matsumoto, T. Nishimura, "Mersenne Twister with improved initialization", 2002: init_by_array.
// `seeds` holds the keys number by number.
template <std::size_t vectors>
void init_by_array(std::array<Lanes<vectors>, words>& key, std::span<const Lanes<vectors>> seeds) {
  static const auto start = [] {
    std::array<std::uint32_t, words> begin;
    init_genrand(begin, 19650218u);
    return begin;
  }();
  const Four zeros{};
  for (std::size_t i = 0; i < words; ++i) key[i].fill(zeros + start[i]);
  std::size_t i = 1, j = 0;
  Lanes<vectors> before = key[0];
  const auto mix = [&](std::uint32_t factor, std::uint32_t add, const Lanes<vectors>& more) {
    for (std::size_t v = 0; v < vectors; ++v)
      key[i][v] = before[v] = (key[i][v] ^ ((before[v] ^ (before[v] >> 30)) * factor)) + more[v] + add;
    if (++i < words) return;
    key[0] = before;
    i = 1;
  };
  // Volatile, as compilers make a dozen shifts and additions of a product with a factor that they know.
  const volatile std::uint32_t factors[]{1664525u, 1566083941u};
  const std::uint32_t first = factors[0], second = factors[1];
  for (std::size_t k = std::max<std::size_t>(words, seeds.size()); k > 0; --k) {
    mix(first, static_cast<std::uint32_t>(j), seeds[j]);
    if (++j >= seeds.size()) j = 0;
  }
  Lanes<vectors> nothing;
  nothing.fill(zeros);
  for (std::size_t k = words - 1; k > 0; --k) mix(second, -static_cast<std::uint32_t>(i), nothing);
  key[0].fill(zeros + 0x80000000u);
}

std::uint32_t temper(std::uint32_t y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : state_{{}, words, false, 0} {
  if (seed > 0xffffffffu) fail<ValueError>("[rng] the seed must be from 0 to 4294967295, got {}", seed);
  init_genrand(state_.key, static_cast<std::uint32_t>(seed));
}

Rng Rng::keyed(std::initializer_list<std::uint32_t> key) {
  Rng rng(0);
  begin<1>({&rng, 1}, {key.begin(), key.size()}, key.size());
  return rng;
}

std::vector<Rng> Rng::keyed_each(std::span<const std::uint32_t> keys, std::size_t length) {
  if (length > 0 && keys.size() % length != 0)
    fail<ValueError>("[rng] expected keys of {} numbers each, got {} numbers", length, keys.size());
  std::vector<Rng> streams(length == 0 ? 0 : keys.size() / length, Rng(0));
  begin<4>(streams, keys, length);
  return streams;
}

template <std::size_t vectors>
void Rng::begin(std::span<Rng> streams, std::span<const std::uint32_t> keys, std::size_t length) {
  if (length == 0) fail<ValueError>("[rng] the key is empty");
  constexpr std::size_t lanes = 4 * vectors;
  std::vector<Lanes<vectors>> seeds(length);
  std::array<Lanes<vectors>, words> key;
  for (std::size_t first = 0; first < streams.size(); first += lanes) {
    const std::size_t n = std::min(lanes, streams.size() - first);
    for (std::size_t j = 0; j < length; ++j)
      for (std::size_t lane = 0; lane < lanes; ++lane)
        seeds[j][lane / 4][lane % 4] = keys[(first + std::min(lane, n - 1)) * length + j];
    init_by_array<vectors>(key, seeds);
    constexpr std::size_t block = 16;  // words at once, so that they are read from the first cache
    static_assert(words % block == 0);
    for (std::size_t word = 0; word < words; word += block)
      for (std::size_t lane = 0; lane < n; ++lane)
        for (std::size_t i = word; i < word + block; ++i)
          streams[first + lane].state_.key[i] = key[i][lane / 4][lane % 4];
  }
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
    key[i] = key[far] ^ (y >> 1) ^ (-(y & 1u) & 0x9908b0dfu);
  };
  for (std::size_t i = 0; i < words - distance; ++i) twist(i, i + 1, i + distance);
  for (std::size_t i = words - distance; i < words - 1; ++i) twist(i, i + 1, i + distance - words);
  twist(words - 1, 0, distance - 1);
  state_.position = 0;
}

std::uint32_t Rng::bits() {
  if (state_.position == words) refill();
  return temper(state_.key[static_cast<std::size_t>(state_.position++)]);
}

void Rng::bits(std::span<std::uint32_t> to) {
  while (!to.empty()) {
    if (state_.position == words) refill();
    const std::uint32_t* from = state_.key.data() + state_.position;
    const std::size_t n = std::min(to.size(), static_cast<std::size_t>(words - state_.position));
    for (std::size_t i = 0; i < n; ++i) to[i] = temper(from[i]);
    state_.position += static_cast<int>(n);
    to = to.subspan(n);
  }
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
