// How a program serves its page on this machine, from the choice of a port to Ctrl-C.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server.hpp"

namespace elk::demo {

/// A program that serves, and what its command line says of that.
struct Serving {
  std::string program;           ///< whose name is in messages
  int usual_port;                ///< or a free one, where that is taken
  std::optional<int> port = {};  ///< one that is asked for: taken, it is an error; 0 is any free one
  bool quiet = false, json = false;

  /// Tells people something, on stderr, unless quiet.
  void message(const std::string& text) const;
  /// Error where the port that is asked for is taken.
  std::unique_ptr<Server> open() const;
  /// Prints the address, answers until a signal asks for the end, and returns the exit code that says which.
  int run(Server& server, std::vector<Route> routes) const;
};

}  // namespace elk::demo
