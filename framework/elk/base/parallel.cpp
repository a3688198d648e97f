#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/base/parallel.hpp>

namespace elk {

namespace {

// Threads that sleep until there is a job; waiters never spin, so a busy machine is not made busier.
class Pool {
 public:
  explicit Pool(int helpers) {
    for (int i = 0; i < helpers; ++i) threads_.emplace_back([this] { help(); });
  }

  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  int helpers() const { return static_cast<int>(threads_.size()); }

  void run(std::int64_t blocks, const std::function<void(std::int64_t)>& body) {
    {
      const std::lock_guard lock(mutex_);
      body_ = &body;
      blocks_ = blocks;
      next_ = 0;
      error_ = nullptr;
      busy_ = helpers();
      ++job_;
    }
    wake_.notify_all();
    work();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void help() {
    set_threads(1);
    for (std::uint64_t seen = 0;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || job_ != seen; });
        if (stop_) return;
        seen = job_;
      }
      work();
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void work() {
    for (std::int64_t i; (i = next_.fetch_add(1)) < blocks_;) {
      try {
        (*body_)(i);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(std::int64_t)>* body_ = nullptr;
  std::int64_t blocks_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::exception_ptr error_;
  int busy_ = 0;
  std::uint64_t job_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

thread_local int thread_count = 1;
thread_local bool inside = false;
thread_local std::unique_ptr<Pool> pool;

}  // namespace

void set_threads(int n) {
  if (n < 1 || n > 256) fail<ValueError>("[threads] expected a number from 1 to 256, got {}", n);
  thread_count = n;
}

int threads() { return thread_count; }

int available_processors() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1u, std::thread::hardware_concurrency());
}

void parallel_for(std::int64_t blocks, const std::function<void(std::int64_t)>& body) {
  if (blocks <= 1 || thread_count == 1 || inside) {
    for (std::int64_t i = 0; i < blocks; ++i) body(i);
    return;
  }
  if (!pool || pool->helpers() != thread_count - 1) pool = std::make_unique<Pool>(thread_count - 1);
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
