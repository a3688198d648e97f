// The memory of arrays that have ended, which later ones get again.
#include <sys/resource.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include <elk/base/rng.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk {
namespace {

long faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// As many as a recurrent network makes in one pass, all at once, and then none.
void make_and_end(Index arrays, Index bytes) {
  std::vector<Tensor> live;
  for (Index i = 0; i < arrays; ++i) live.push_back(zeros({bytes}, u8));
}

TEST(Memory, OfArraysThatEndedIsNotAskedForAgain) {
#ifdef ELK_SANITIZE
  GTEST_SKIP() << "memory is not kept, so that its use after the end is found";
#endif
  constexpr Index arrays = 400, page = 4096, rounds = 10;
  for (const Index bytes : {Index{1000}, Index{6400}, Index{25600}, Index{100000}}) {
    make_and_end(arrays, bytes);
    const long before = faults();
    for (Index i = 0; i < rounds; ++i) make_and_end(arrays, bytes);
    // Asked for anew, every page would cost a fault.
    EXPECT_LT(faults() - before, rounds * arrays * bytes / page / 10) << bytes << " bytes";
  }
}

// Whatever is kept and taken: no two arrays that live share memory.
void keep_apart(std::uint64_t seed) {
  struct Marked {
    Tensor x;
    std::uint8_t mark;
  };
  Rng rng(seed);
  std::vector<Marked> live;
  const auto intact = [](const Marked& array) {
    for (const std::uint8_t value : array.x.data<std::uint8_t>())
      if (value != array.mark) return false;
    return true;
  };
  for (int step = 0; step < 1500; ++step) {
    if (live.size() == 100 || (!live.empty() && rng.integer(0, 3) == 0)) {
      const auto at = live.begin() + rng.integer(0, static_cast<Index>(live.size()));
      ASSERT_TRUE(intact(*at)) << at->x.shape();
      live.erase(at);
    } else {
      // More sizes than are kept, and now and then more than is kept in all.
      const Index bytes =
          rng.integer(0, 200) == 0 ? rng.integer(20, 70) << 20 : 900 + 16 * rng.integer(0, 300);
      const auto mark = static_cast<std::uint8_t>(rng.integer(1, 256));
      live.push_back({full({bytes}, mark, u8), mark});
      if (bytes > 1 << 20) {
        ASSERT_TRUE(intact(live.back())) << bytes;
        live.pop_back();
      }
    }
  }
  for (const Marked& array : live) ASSERT_TRUE(intact(array)) << array.x.shape();
}

TEST(Memory, IsSharedByNoTwoArrays) {
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 3; ++seed) threads.emplace_back(keep_apart, seed);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace elk
