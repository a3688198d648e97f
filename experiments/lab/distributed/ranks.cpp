#include <lab/distributed/ranks.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/base/parallel.hpp>
#include <elk/distributed/launched.hpp>
#include <elk/train/parts.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>

#ifdef ELK_MPI
#include <elk/distributed/session.hpp>
#endif

namespace elk::lab {

#ifdef ELK_MPI

struct Ranks::Inside {
  Inside(int& argc, char**& argv) : session(argc, argv) {}
  distributed::Session session;
};

Ranks::Ranks(int& argc, char**& argv) {
  if (distributed::launched() == 1) return;
  try {
    inside_ = std::make_unique<Inside>(argc, argv);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  if (!first() && std::freopen("/dev/null", "w", stdout) == nullptr) std::fclose(stdout);
}

int Ranks::rank() const { return inside_ ? inside_->session.rank() : 0; }
int Ranks::size() const { return inside_ ? inside_->session.size() : 1; }
train::Team* Ranks::team() const { return inside_ ? &inside_->session : nullptr; }
int Ranks::processors() const { return inside_ ? inside_->session.processors() : available_processors(); }
void Ranks::send(int to, const std::string& text) { inside_->session.send(to, text); }
bool Ranks::receive(int& from, std::string& text) {
  distributed::Session::Message message;
  if (!inside_->session.receive(message)) return false;
  from = message.from;
  text = std::move(message.bytes);
  return true;
}
double Ranks::patience() const { return inside_->session.patience(); }
void Ranks::abort(int code) const { inside_->session.abort(code); }

#else

struct Ranks::Inside {};

Ranks::Ranks(int&, char**&) {
  if (const int count = distributed::launched(); count > 1)
    throw UsageError(
        fmt::format("{} processes were started, and this program was built without MPI: install "
                    "libopenmpi-dev and build it again with -DELK_MPI=ON",
                    count));
}

int Ranks::rank() const { return 0; }
int Ranks::size() const { return 1; }
train::Team* Ranks::team() const { return nullptr; }
int Ranks::processors() const { return available_processors(); }
void Ranks::send(int, const std::string&) {}
bool Ranks::receive(int&, std::string&) { return false; }
double Ranks::patience() const { return 0; }
void Ranks::abort(int code) const { std::_Exit(code); }

#endif

Ranks::~Ranks() = default;

void Ranks::broadcast(std::string& text) const {
  if (team() != nullptr) team()->broadcast(text);
}

int Ranks::stop_signal() const {
  const int own = lab::stop_signal();
  if (team() == nullptr) return own;
  std::vector<double> got{own == SIGINT ? 1.0 : 0, own == SIGTERM ? 1.0 : 0};
  team()->sum(got);
  return got[0] > 0 ? SIGINT : got[1] > 0 ? SIGTERM : 0;
}

namespace {

// Of a rank other than 0: rank 0 may have met the same, and tells it better.
void let_rank_0_speak() {
  for (int i = 0; i < 100 && stop_signal() == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

}  // namespace

int run_on_ranks(int argc, char** argv, const std::function<int(int, char**, Ranks&)>& body) {
  return run_program(argc, argv, [&](int count, char** words) -> int {
    Ranks ranks(count, words);
    const auto of_rank = [&](const std::exception& error) {
      return fmt::format("rank {}: {}", ranks.rank(), error.what());
    };
    try {
      if (train::Team* team = ranks.team()) {
        train::agree(*team, "version", fmt::format("{} {}", version(), commit()));
        train::agree(*team, "command line",
                     fmt::format("{}", fmt::join(words + std::min(count, 1), words + count, " ")));
      }
      int code = body(count, words, ranks);
      if (ranks.first() && ranks.stalled()) {  // who may never come to the end of MPI
        std::fflush(stdout);
        ranks.abort(code);
      }
      // Of all ranks, as launchers differ in whose code is theirs.
      std::string text = fmt::format("{}", code);
      ranks.broadcast(text);
      return std::stoi(text);
    } catch (const train::Disagreement& error) {  // on all of them, which end in order
      if (ranks.first()) say(fmt::format("{}: {}\n", program_name(argv), error.what()));
      (void)ranks.stop_signal();
      return exit_usage;
    } catch (const UsageError& error) {
      if (ranks.first()) throw;
      let_rank_0_speak();
      throw UsageError(of_rank(error));
    } catch (const std::bad_alloc&) {
      if (ranks.first()) throw;
      throw Error(fmt::format("rank {}: there is not enough memory for this run", ranks.rank()));
    } catch (const std::exception& error) {
      if (ranks.first()) throw;
      let_rank_0_speak();
      throw Error(of_rank(error));
    }
  });
}

}  // namespace elk::lab
