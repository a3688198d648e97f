#include <sys/mman.h>

#include <atomic>
#include <mutex>
#include <set>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/kernels/blas_call.hpp>

// Present in OpenBLAS alone.
extern "C" {
[[gnu::weak]] void openblas_set_num_threads(int);
[[gnu::weak]] void* blas_memory_alloc(int);
[[gnu::weak]] void blas_memory_free(void*);
}

namespace elk::kernels {

namespace {

// Of a work space (BUFFER_SIZE in OpenBLAS's common_x86_64.h and common_arm64.h).
constexpr std::size_t work_space = std::size_t{128} << 20;

bool memory_for_another() {
  void* const place = ::mmap(nullptr, work_space, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return place != MAP_FAILED && ::munmap(place, work_space) == 0;
}

std::atomic<int> calls = 0;  // under way
std::atomic<int> ready =
    0;  // work spaces that OpenBLAS has, the first of which that is free every call takes

// Makes it have `count` of them.
void prepare(const char* operation, int count) {
  static std::mutex mutex;
  static std::set<void*> known;
  struct Held : std::vector<void*> {
    ~Held() {
      for (void* place : *this) blas_memory_free(place);
    }
  };
  const std::lock_guard lock(mutex);
  while (ready < count) {
    Held held;
    do {
      if (!memory_for_another())
        fail<Error>(
            "[{}] there is not enough memory: OpenBLAS needs {} MiB of address space for each thread that "
            "multiplies, now {} of them. Is there a limit (ulimit -v)?",
            operation, work_space >> 20, count);
      held.push_back(blas_memory_alloc(0));
    } while (!known.insert(held.back()).second);
    ++ready;
  }
}

}  // namespace

BlasCall::BlasCall(const char* operation) {
  static const bool single_threaded = [] {
    if (openblas_set_num_threads) openblas_set_num_threads(1);
    return true;
  }();
  (void)single_threaded;
  const int count = ++calls;
  if (count <= ready || !blas_memory_alloc || !blas_memory_free) return;
  try {
    prepare(operation, count);
  } catch (...) {
    --calls;
    throw;
  }
}

BlasCall::~BlasCall() { --calls; }

}  // namespace elk::kernels
