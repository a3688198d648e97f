#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/base/parallel.hpp>

#include <support.hpp>

namespace elk {
namespace {

using ::testing::ThrowsMessage;

class Parallel : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_threads(GetParam()); }
  void TearDown() override { set_threads(1); }
};
INSTANTIATE_TEST_SUITE_P(Threads, Parallel, ::testing::Values(1, 2, 4));

TEST_P(Parallel, RunsEachBlockOnce) {
  for (const int blocks : {0, 1, 2, 3, 4, 5, 100, 1000}) {
    std::vector<int> times(static_cast<std::size_t>(blocks));  // a block writes only its own: no atomics
    parallel_for(blocks, [&](std::int64_t i) { ++times[static_cast<std::size_t>(i)]; });
    EXPECT_THAT(times, ::testing::Each(1)) << blocks;
  }
  parallel_for(-3, [](std::int64_t) { FAIL(); });
}

TEST_P(Parallel, UsesAtMostItsThreads) {
  std::atomic<int> now{0}, most{0};
  parallel_for(64, [&](std::int64_t) {
    const int running = ++now;
    for (int seen = most; running > seen && !most.compare_exchange_weak(seen, running);) {
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    --now;
  });
  EXPECT_LE(most, GetParam());
  EXPECT_GE(most, 1);
}

TEST_P(Parallel, ThrowsOnWhatTheFirstBlockInOrderThrew) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> running{0};
    EXPECT_THAT(
        [&] {
          parallel_for(40, [&](std::int64_t i) {
            ++running;
            if (i == 7)
              std::this_thread::sleep_for(std::chrono::microseconds(300));  // so that 23 is first in time
            --running;
            if (i == 7 || i == 23) throw ValueError("block " + std::to_string(i));
          });
        },
        ThrowsMessage<ValueError>("block 7"));
    EXPECT_EQ(running, 0);
  }
  std::atomic<int> sum{0};
  parallel_for(10, [&](std::int64_t i) { sum += static_cast<int>(i); });  // an error leaves nothing behind
  EXPECT_EQ(sum, 45);
}

TEST_P(Parallel, ThrowsOnWhatIsNoError) {
  EXPECT_THROW(parallel_for(8, [](std::int64_t) { throw 5; }), int);
  EXPECT_THAT([] { parallel_for(8, [](std::int64_t) { throw std::runtime_error("plain"); }); },
              ThrowsMessage<std::runtime_error>("plain"));
}

TEST_P(Parallel, NestedCallsStayOnTheirThread) {
  std::vector<int> times(8 * 16);
  std::atomic<int> strayed{0};
  parallel_for(8, [&](std::int64_t i) {
    const auto self = std::this_thread::get_id();
    std::int64_t last = -1;
    parallel_for(16, [&](std::int64_t j) {
      if (std::this_thread::get_id() != self || j != last + 1) ++strayed;
      last = j;
      ++times[static_cast<std::size_t>(i * 16 + j)];
    });
  });
  EXPECT_EQ(strayed, 0);
  EXPECT_THAT(times, ::testing::Each(1));
}

TEST(Threads, NestedCallsStayOnTheirThreadThoughABlockAsksForMore) {
  set_threads(2);
  std::atomic<int> strayed{0};
  parallel_for(8, [&](std::int64_t) {
    const auto self = std::this_thread::get_id();
    set_threads(3);
    parallel_for(4, [&](std::int64_t) { strayed += std::this_thread::get_id() != self; });
  });
  EXPECT_EQ(strayed, 0);
  set_threads(1);
}

TEST_P(Parallel, TenThousandTimes) {
  std::int64_t total = 0;
  for (int round = 0; round < 10000; ++round) {
    std::int64_t parts[5] = {};
    parallel_for(5, [&](std::int64_t i) { parts[i] = i + round; });
    for (const std::int64_t part : parts) total += part;
  }
  EXPECT_EQ(total, 10 * 10000 + 5 * (std::int64_t{9999} * 10000 / 2));
}

TEST(Threads, SettingIsCheckedAndKept) {
  EXPECT_EQ(threads(), 1);
  for (const int bad : {0, -1, 257})
    EXPECT_THAT(
        [&] { set_threads(bad); },
        ThrowsMessage<ValueError>("[threads] expected a number from 1 to 256, got " + std::to_string(bad)));
  EXPECT_EQ(threads(), 1);
  set_threads(256);
  EXPECT_EQ(threads(), 256);
  set_threads(1);
  EXPECT_GE(available_processors(), 1);
}

TEST(Threads, EachThreadHasItsOwnSettingAndPool) {
  const auto work = [](int count, std::int64_t& total) {
    EXPECT_EQ(threads(), 1);
    set_threads(count);
    for (int round = 0; round < 1000; ++round) {
      std::atomic<std::int64_t> sum{0};
      parallel_for(9, [&](std::int64_t i) { sum += i; });
      total += sum;
    }
    EXPECT_EQ(threads(), count);
  };
  std::int64_t a = 0, b = 0;
  std::thread first(work, 2, std::ref(a)), second(work, 3, std::ref(b));
  first.join();
  second.join();
  EXPECT_EQ(a, 36000);
  EXPECT_EQ(b, 36000);
  EXPECT_EQ(threads(), 1);
}

TEST(Threads, ChangedBetweenCalls) {
  for (const int count : {4, 2, 3, 1, 4}) {
    set_threads(count);
    std::atomic<int> blocks{0};
    parallel_for(20, [&](std::int64_t) { ++blocks; });
    EXPECT_EQ(blocks, 20);
  }
  set_threads(1);
}

// Runs `body` in a child that is killed after 20 seconds, and gives the child's wait status.
template <class Body>
int status_of_child(Body body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    body();
    std::_Exit(99);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

// Thread sanitizer knows no threads after fork(); the leak check of address sanitizer looks for those of the
// parent; both reserve most of the address space.
#ifndef ELK_SANITIZE

TEST(Threads, AForkedChildStartsItsOwnAndEnds) {
  set_threads(3);
  std::atomic<int> blocks{0};
  parallel_for(20, [&](std::int64_t) { ++blocks; });
  const int status = status_of_child([&] {
    parallel_for(20, [&](std::int64_t) { ++blocks; });
    if (blocks != 40) std::_Exit(1);
    std::thread([] {}).join();
    std::exit(0);  // ends the pool of the main thread
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  parallel_for(20, [&](std::int64_t) { ++blocks; });
  EXPECT_EQ(blocks, 40);
  set_threads(1);
}

TEST(Threads, RefusedByTheSystem) {
  if (test::emulated()) GTEST_SKIP() << "qemu does not pass the limit of memory on";
  const int status = status_of_child([] {
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    const rlim_t bytes =
        pages * static_cast<rlim_t>(::getpagesize()) + (rlim_t{64} << 20);  // room for few stacks
    const rlimit limit{bytes, bytes};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(2);
    set_threads(256);
    try {
      parallel_for(300, [](std::int64_t) {});
    } catch (const Error& error) {
      std::_Exit(std::string(error.what()).starts_with("[threads] the system refused more than ") ? 0 : 3);
    }
    std::_Exit(4);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

#endif

}  // namespace
}  // namespace elk
