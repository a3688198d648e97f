#include "serve.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <lab/program.hpp>

namespace elk::demo {

void Serving::message(const std::string& text) const {
  if (!quiet) lab::say(fmt::format("{}: {}\n", program, text));
}

std::unique_ptr<Server> Serving::open() const {
  try {
    return std::make_unique<Server>(port.value_or(usual_port));
  } catch (const PortTaken& taken) {
    if (port) throw Error(fmt::format("{}; --port 0 takes a free one", taken.what()));
    message(fmt::format("{}: taking a free one", taken.what()));
    return std::make_unique<Server>(0);
  }
}

int Serving::run(Server& server, std::vector<Route> routes) const {
  const std::string url = fmt::format("http://127.0.0.1:{}/", server.port());
  if (json)
    fmt::print("{}\n", nlohmann::ordered_json{{"url", url}, {"port", server.port()}}.dump());
  else
    fmt::print("{}\n", url);
  std::fflush(stdout);
  message("open that address in a browser; Ctrl-C ends it");
  server.run(std::move(routes), [] { return lab::stop_signal() != 0; });
  return 128 + lab::stop_signal();
}

}  // namespace elk::demo
