// Training by several processes that mpirun or srun starts, on one machine or many. Link
// elkgrad::distributed.
//
//   int main(int argc, char** argv) {
//     elk::distributed::Session mpi(argc, argv);
//     ...
//     elk::train::fit(net, adam, train, rng, {.parts = 4, .team = &mpi});
//     if (mpi.rank() == 0) elk::save_safetensors("net.safetensors", net.state());
//   }
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <elk/train/team.hpp>

/// Training by several processes.
namespace elk::distributed {

/// Starts MPI and ends it: make one in main. All processes are a team, for train::fit, train::Parts,
/// train::broadcast, train::all_reduce and train::agree. One thread of a process calls it.
///
/// When an exception leaves its scope, MPI is not ended, but the launcher ends all processes as soon as this
/// one ends. So catch the exception outside, print it, and return a code other than 0 from main. If another
/// process does not answer for patience() seconds, calls throw Error.
class Session : public train::Team {
 public:
  /// Starts MPI, unless it was started already; in that case the Session does not end it either. Error if MPI
  /// cannot start, for example because the processes were started by the launcher of another MPI.
  Session(int& argc, char**& argv);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  int rank() const override;  ///< see Team
  int size() const override;  ///< likewise
  /// Threads that this process should use: its share of the processors that the processes on this machine may
  /// run on.
  int processors() const;

  void sum(std::span<double> numbers) override;
  /// These return at once; what they were given is MPI's until they are done. An exception in between must
  /// end this process: both throw Error from then on.
  std::unique_ptr<train::Transfer> begin_exchange(std::span<const std::byte> mine,
                                                  std::span<const std::size_t> cuts,
                                                  std::span<const int> senders,
                                                  std::span<std::byte> received) override;
  std::unique_ptr<train::Transfer> begin_share(std::span<std::byte> all,
                                               std::span<const std::size_t> cuts) override;  ///< likewise
  void broadcast(std::string& bytes, int root = 0) override;

  /// Sends `bytes` to a rank. Returns at once; they arrive in the order in which they were sent.
  void send(int to, std::string bytes);
  /// A message from a rank.
  struct Message {
    int from;           ///< the rank
    std::string bytes;  ///< all that it sent at once
  };
  /// The next message; false if there is none.
  bool receive(Message& message);

  /// Seconds; 600, or what the environment variable ELK_MPI_PATIENCE says.
  double patience() const;
  /// Ends all processes at once, with that exit code.
  [[noreturn]] void abort(int code);

 private:
  struct Inside;
  class OnItsWay;
  std::unique_ptr<Inside> inside_;
};

/// "Open MPI v4.1.4": the MPI this is built with.
std::string mpi_name();

}  // namespace elk::distributed
