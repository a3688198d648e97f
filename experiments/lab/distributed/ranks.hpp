// The processes that mpirun or srun has started a program as. Of the lab, this folder alone knows MPI;
// without it, or without a launcher, there is one process.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <elk/train/team.hpp>
#include <lab/crew.hpp>

namespace elk::lab {

class Ranks : public Crew {
 public:
  /// UsageError where a launcher has started several processes and this program was built without MPI, or
  /// with another one. Standard output of all but rank 0 goes nowhere.
  Ranks(int& argc, char**& argv);
  ~Ranks() override;
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int rank() const;
  int size() const override;
  /// Whether this is the one that prints and writes.
  bool first() const { return rank() == 0; }
  /// To train one network together; null for one process.
  train::Team* team() const;
  /// This process's share of the machine's processors.
  int processors() const;

  /// Makes `text` that of rank 0.
  void broadcast(std::string& text) const;
  /// The signal that any of the ranks has got, or 0. All of them ask at once.
  int stop_signal() const;

  void send(int to, const std::string& text) override;
  bool receive(int& from, std::string& text) override;
  double patience() const override;
  void set_stalled() override { stalled_ = true; }
  bool stalled() const { return stalled_; }

  /// Ends all ranks at once, those that do not answer too.
  [[noreturn]] void abort(int code) const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
  bool stalled_ = false;
};

/// run_program of a body that all ranks run, of one version of the program and one command line (refused
/// otherwise). All end with the code that rank 0 returns; what one throws ends them all, with a message
/// that names the rank unless it is 0.
int run_on_ranks(int argc, char** argv, const std::function<int(int, char**, Ranks&)>& body);

}  // namespace elk::lab
