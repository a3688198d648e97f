// What the tests of elk::distributed start under mpirun, and without it: a mode, and its arguments.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

#include <elk/base/sha256.hpp>
#include <elk/distributed/launched.hpp>
#include <elk/distributed/session.hpp>
#include <elk/elk.hpp>

namespace {

using namespace elk;

const Dataset& digits() {
  static const Dataset set = digits_train_test(1, 200, 10).train;
  return set;
}

std::string digest(const nn::Module& net) {
  Sha256 sum;
  sum.add(format_safetensors(net.state()));
  return sum.hex();
}

// BatchNorm, dropout, Adam and mixup, and a last batch of 20 examples.
std::string fitted(Index parts, train::Team* team) {
  Rng rng(team != nullptr ? static_cast<std::uint64_t>(team->rank()) : 0);  // rank 0 counts
  nn::Sequential net{nn::Linear(784, 32, rng), nn::BatchNorm1d(32), nn::ReLU(), nn::Dropout(0.25),
                     nn::Linear(32, 10, rng)};
  optim::AdamW adamw(net, {.lr = 0.01});
  train::FitOptions options{.epochs = 2, .batch_size = 60, .parts = parts, .team = team};
  options.validation = digits().take(150, 50);
  options.augment.emplace(parse_augment("shift:1"), 3);
  auto result = train::fit(net, adamw, digits().take(0, 140), rng, options);
  for (train::HistoryRow& row : result.history) row.seconds = 0;
  return digest(net) + "\n" + train::to_jsonl(result.history);
}

// One's own loop, with gradients of each rank's own, summed.
std::string own_loop(train::Team& team) {
  Rng rng(1);
  nn::Linear net(784, 10, rng);
  if (team.rank() > 0) net.to(f32);
  optim::SGD sgd(net, {.lr = 0.1});
  train::broadcast(team, net);
  const Batches batches(digits(), 40);
  for (auto batch = batches.begin(); batch != batches.end(); ++batch) {
    const auto [x, labels] = batch.part(team.rank(), team.size());
    Tape tape;
    sgd.step(train::all_reduce(team, net, tape.backward(cross_entropy(net(x), labels))));
  }
  const std::string mine = digest(net);
  train::agree(team, "weights", mine);
  return mine;
}

void run(const std::string& mode, int argument, distributed::Session& mpi) {
  if (mode == "fit") {
    set_threads(mpi.rank() + 1);
    const std::string came = fitted(argument, &mpi);
    train::agree(mpi, "what came of it", came);
    if (mpi.rank() == 0) std::printf("%s", came.c_str());
  }
  if (mode == "loop") std::printf("%s %d of %d\n", own_loop(mpi).c_str(), mpi.rank(), mpi.size());
  if (mode == "processors" && mpi.rank() == 0) std::printf("%d\n", mpi.processors());
  if (mode == "throw") {
    if (mpi.rank() == argument) throw ValueError("[test] rank " + std::to_string(argument) + " cannot go on");
    std::string wait;
    mpi.broadcast(wait, argument);
  }
  if (mode == "disagree") train::agree(mpi, "version", mpi.rank() == argument ? "2" : "1");
  if (mode == "stall") {
    if (mpi.rank() == argument) std::raise(SIGSTOP);
    std::string wait;
    mpi.broadcast(wait, argument);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string mode = argc > 1 ? argv[1] : "";
    const int argument = argc > 2 ? std::atoi(argv[2]) : 0;
    if (mode == "alone") {
      std::printf("%s", fitted(argument, nullptr).c_str());
      return 0;
    }
    distributed::Session mpi(argc, argv);
    run(mode, argument, mpi);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 7;
  }
}
