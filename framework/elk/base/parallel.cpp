#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/base/parallel.hpp>

namespace elk {

namespace {

thread_local int thread_count = 1;
thread_local bool inside = false;  // of a parallel_for, as its caller or as a helper

// Threads that wait for jobs. Waking one that sleeps takes longer than what a step does between two products,
// so who waits first looks again and again, but only for a moment and giving way to whoever wants the
// processor: a busy machine is not made busier.
class Pool {
 public:
  explicit Pool(int helpers) : shares_(static_cast<std::size_t>(helpers) + 1) {
    try {
      for (int i = 0; i < helpers; ++i)
        threads_.emplace_back([this, i] { help(static_cast<std::size_t>(i) + 1); });
    } catch (const std::system_error& error) {
      const std::size_t started = threads_.size() + 1;
      stop();
      fail<Error>("[threads] the system refused more than {} of {} threads: {}", started, helpers + 1,
                  error.what());
    }
  }

  ~Pool() { stop(); }

  int helpers() const { return static_cast<int>(threads_.size()); }
  pid_t process() const { return process_; }

  void run(std::int64_t blocks, const std::function<void(std::int64_t)>& body) {
    {
      const std::lock_guard lock(mutex_);
      body_ = &body;
      const auto workers = static_cast<std::int64_t>(shares_.size());
      for (std::int64_t i = 0; i < workers; ++i) {
        Share& share = shares_[static_cast<std::size_t>(i)];
        share.next = blocks * i / workers;
        share.end = blocks * (i + 1) / workers;
      }
      error_ = nullptr;
      ++job_;
      open_ = true;
    }
    wake_.notify_all();
    work(0);
    {
      const std::lock_guard lock(mutex_);
      open_ = false;  // no block is left: who comes now need not be waited for
    }
    look_for_a_moment([this] { return busy_ == 0; });
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  template <class Condition>
  static void look_for_a_moment(Condition holds) {
    constexpr auto moment = std::chrono::microseconds(100);
    const auto end = std::chrono::steady_clock::now() + moment;
    while (!holds() && std::chrono::steady_clock::now() < end) ::sched_yield();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  // The blocks of one thread, next to each other: from call to call it meets the same part of the data, which
  // is still in its core's cache. A line of the cache each.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  void help(std::size_t worker) {
    inside = true;
    for (std::uint64_t seen = 0;;) {
      const auto called = [&] { return stop_ || (open_ && job_ != seen); };
      look_for_a_moment(called);
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, called);
        if (stop_) return;
        seen = job_;
        ++busy_;
      }
      work(worker);
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  // First its own share, then what is left of the others'.
  void work(std::size_t worker) {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      Share& share = shares_[(worker + i) % shares_.size()];
      for (std::int64_t block; (block = share.next.fetch_add(1)) < share.end;) run_block(block);
    }
  }

  void run_block(std::int64_t block) {
    try {
      (*body_)(block);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_ || block < error_block_) {
        error_ = std::current_exception();
        error_block_ = block;
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(std::int64_t)>* body_ = nullptr;
  std::vector<Share> shares_;
  std::exception_ptr error_;
  std::int64_t error_block_ = 0;
  // Changed under the mutex; atomic for those who look without it.
  std::atomic<int> busy_ = 0;  // helpers in the job
  std::atomic<std::uint64_t> job_ = 0;
  std::atomic<bool> open_ = false, stop_ = false;
  const pid_t process_ = ::getpid();
  std::vector<std::thread> threads_;
};

// fork() copies the pool but not its threads: a child leaves the copy alone, as ending it would wait for
// them.
struct PoolDeleter {
  void operator()(Pool* pool) const {
    if (pool->process() == ::getpid()) delete pool;
  }
};

thread_local std::unique_ptr<Pool, PoolDeleter> pool;

}  // namespace

void set_threads(int n) {
  if (n < 1 || n > 256) fail<ValueError>("[threads] expected a number from 1 to 256, got {}", n);
  thread_count = n;
}

int threads() { return thread_count; }

int available_processors() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void parallel_for(std::int64_t blocks, const std::function<void(std::int64_t)>& body) {
  if (blocks <= 1 || thread_count == 1 || inside) {
    for (std::int64_t i = 0; i < blocks; ++i) body(i);
    return;
  }
  if (!pool || pool->helpers() != thread_count - 1 || pool->process() != ::getpid())
    pool.reset(new Pool(thread_count - 1));
  inside = true;
  try {
    pool->run(blocks, body);
  } catch (...) {
    inside = false;
    throw;
  }
  inside = false;
}

}  // namespace elk
