// A team of threads of this process: what MPI does for processes, to be tested without it.
#pragma once

#include <barrier>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <elk/train/team.hpp>

namespace elk::test {

using train::Team;

class Threads;

class ThreadsRank : public Team {
 public:
  ThreadsRank(Threads& all, int rank) : all_(all), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override;
  void sum(std::span<double> numbers) override;
  std::unique_ptr<train::Transfer> begin_exchange(std::span<const std::byte> mine,
                                                  std::span<const std::size_t> cuts,
                                                  std::span<const int> senders,
                                                  std::span<std::byte> received) override;
  std::unique_ptr<train::Transfer> begin_share(std::span<std::byte> all,
                                               std::span<const std::size_t> cuts) override;
  void broadcast(std::string& bytes, int root) override;

 private:
  Threads& all_;
  int rank_;
};

class Threads {
 public:
  explicit Threads(int size) : size_(size), barrier_(size), at_(static_cast<std::size_t>(size)) {}
  /// Calls body(team) as every rank at once.
  void run(const std::function<void(Team&)>& body) {
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size_; ++rank)
      threads.emplace_back([&, rank] {
        ThreadsRank team(*this, rank);
        body(team);
      });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  friend class ThreadsRank;
  // Shows the others `mine`, calls `look`, and goes on when all have looked.
  void meet(int rank, void* mine, const std::function<void()>& look) {
    at_[static_cast<std::size_t>(rank)] = mine;
    barrier_.arrive_and_wait();
    look();
    barrier_.arrive_and_wait();
  }
  template <class T>
  T* of(std::size_t rank) const {
    return static_cast<T*>(at_[rank]);
  }
  int size_;
  std::barrier<> barrier_;
  std::vector<void*> at_;
};

inline int ThreadsRank::size() const { return all_.size_; }

inline void ThreadsRank::sum(std::span<double> numbers) {
  std::vector<double> sums(numbers.size());
  all_.meet(rank_, numbers.data(), [&] {
    for (std::size_t rank = 0; rank < all_.at_.size(); ++rank)
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += all_.of<double>(rank)[i];
  });
  std::copy(sums.begin(), sums.end(), numbers.begin());
}

// All at once, as the next one.
inline std::unique_ptr<train::Transfer> ThreadsRank::begin_exchange(std::span<const std::byte> mine,
                                                                    std::span<const std::size_t> cuts,
                                                                    std::span<const int> senders,
                                                                    std::span<std::byte> received) {
  const auto rank = static_cast<std::size_t>(rank_);
  const std::size_t own = cuts[rank + 1] - cuts[rank];
  all_.meet(rank_, const_cast<std::byte*>(mine.data()), [&] {
    for (std::size_t i = 0; i < senders.size(); ++i)
      std::memcpy(received.data() + i * own,
                  all_.of<std::byte>(static_cast<std::size_t>(senders[i])) + cuts[rank], own);
  });
  return nullptr;
}

inline std::unique_ptr<train::Transfer> ThreadsRank::begin_share(std::span<std::byte> all,
                                                                 std::span<const std::size_t> cuts) {
  all_.meet(rank_, all.data(), [&] {
    for (std::size_t rank = 0; rank + 1 < cuts.size(); ++rank)
      if (rank != static_cast<std::size_t>(rank_))
        std::memcpy(all.data() + cuts[rank], all_.of<std::byte>(rank) + cuts[rank],
                    cuts[rank + 1] - cuts[rank]);
  });
  return nullptr;
}

inline void ThreadsRank::broadcast(std::string& bytes, int root) {
  all_.meet(rank_, &bytes, [&] {
    if (rank_ != root) bytes = *all_.of<std::string>(static_cast<std::size_t>(root));
  });
}

}  // namespace elk::test
