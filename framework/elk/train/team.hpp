// Team: processes that train one network together. elk/distributed has one that uses MPI.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace elk::train {

/// Something that is on its way between ranks.
class Transfer {
 public:
  virtual ~Transfer() = default;
  /// Whether it has come to its end. Whoever asks helps it on.
  virtual bool done() = 0;
  /// Returns when it has.
  virtual void wait() = 0;

 protected:
  Transfer() = default;
  Transfer(const Transfer&) = default;
  Transfer& operator=(const Transfer&) = default;
};

/// What processes that do the same steps need from each other. All processes of a team call the same
/// functions in the same order. They are numbered from 0; these are their ranks.
class Team {
 public:
  virtual ~Team() = default;

  virtual int rank() const = 0;  ///< of this process, from 0
  virtual int size() const = 0;  ///< how many processes there are

  /// Replaces each of `numbers` by its sum over the ranks, added in any order.
  virtual void sum(std::span<double> numbers) = 0;
  /// The ranks `senders`, in ascending order, send bytes cuts[s] to cuts[s + 1] of `mine` to every rank s.
  /// `received` gets this rank's share of each sender's bytes, one after another.
  /// It may go on afterwards, with what it was given: null when all is done. All ranks begin theirs in the
  /// same order.
  virtual std::unique_ptr<Transfer> begin_exchange(std::span<const std::byte> mine,
                                                   std::span<const std::size_t> cuts,
                                                   std::span<const int> senders,
                                                   std::span<std::byte> received) = 0;
  /// Completes `all` on every rank: rank s contributes bytes cuts[s] to cuts[s + 1]. It may go on, likewise;
  /// the order is one of its own.
  virtual std::unique_ptr<Transfer> begin_share(std::span<std::byte> all,
                                                std::span<const std::size_t> cuts) = 0;
  /// Replaces `bytes` by those of rank `root`.
  virtual void broadcast(std::string& bytes, int root = 0) = 0;

 protected:
  Team() = default;
  Team(const Team&) = default;
  Team& operator=(const Team&) = default;
};

}  // namespace elk::train
