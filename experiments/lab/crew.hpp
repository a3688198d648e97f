// Crew: other processes that do the runs of a Runner.
#pragma once

#include <string>

namespace elk::lab {

/// Workers 1, 2, ... and rank 0, which hands out. Texts arrive in the order in which they were sent.
class Crew {
 public:
  virtual ~Crew() = default;

  /// Those that are there, rank 0 among them.
  virtual int size() const = 0;
  virtual void send(int to, const std::string& text) = 0;
  /// False when nothing is there.
  virtual bool receive(int& from, std::string& text) = 0;
  /// Seconds until a worker that gives no sign counts as lost.
  virtual double patience() const = 0;
  /// For who ends the crew: there is a worker that may not hear of it.
  virtual void set_stalled() = 0;

 protected:
  Crew() = default;
  Crew(const Crew&) = default;
  Crew& operator=(const Crew&) = default;
};

}  // namespace elk::lab
