// Steps in parts: right, and the same to the bit for any number of ranks. The ranks are threads here; under
// MPI, tests/distributed does the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <mutex>

#include <elk/elk.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"
#include "train/threads_team.hpp"

namespace elk::train {
namespace {

using test::error_of;
using test::Threads;
using test::values;
using testing::HasSubstr;

const Dataset& digits() {
  static const Dataset set = digits_train_test(1).train.take(0, 120);
  return set;
}

std::vector<double> numbers(const nn::Module& net) {
  std::vector<double> all;
  for (const NamedTensor& item : net.state())
    for (const double v : values(item.value)) all.push_back(v);
  return all;
}

std::vector<double> numbers(const Gradients& gradients) {
  std::vector<double> all;
  for (const Tensor& gradient : gradients.values())
    for (const double v : values(gradient)) all.push_back(v);
  return all;
}

nn::Sequential plain_net(DType dtype = f64) {
  Rng rng(3);
  return nn::Sequential{nn::Linear(784, 6, rng, {.dtype = dtype}), nn::Tanh(),
                        nn::Linear(6, 10, rng, {.dtype = dtype})};
}

Parts::Step step(const Parts& parts, const nn::Module& net, Index examples, DType dtype,
                 std::uint64_t seed = 7) {
  Rng rng(seed);
  const Batches batches(digits().take(0, examples), examples, dtype);
  return parts.backward(net, rng, batches.begin(),
                        [&](const Batch& part) { return cross_entropy(net(part.x), part.labels); });
}

TEST(Batches, AreCutIntoParts) {
  const Batches batches(digits().take(0, 17), 10);
  auto it = batches.begin();
  EXPECT_EQ(it.size(), 10);
  EXPECT_EQ(it.part_rows(0, 4), std::pair(Index{0}, Index{3}));
  EXPECT_EQ(it.part_rows(1, 4), std::pair(Index{3}, Index{3}));
  EXPECT_EQ(it.part_rows(3, 4), std::pair(Index{8}, Index{2}));
  ++it;
  EXPECT_EQ(it.size(), 7);
  const Batch whole = *it, part = it.part(2, 3);
  EXPECT_EQ(values(part.x), values(whole.x[range(5, 7)]));
  EXPECT_EQ(values(part.labels), values(whole.labels[range(5, 7)]));
  EXPECT_EQ(it.part(8, 9).size(), 0);
  EXPECT_EQ(error_of<IndexError>([&] { (void)it.part(3, 3); }), "[batches] there is no part 3 of 3");
}

TEST(Parts, GiveTheBatchsLossAndGradients) {
  const nn::Sequential net = plain_net();
  const Parts::Step whole = step(Parts(1), net, 23, f64);
  for (const Index count : {2, 3, 4, 7, 8, 23, 30}) {
    const Parts::Step parts = step(Parts(count), net, 23, f64);
    EXPECT_NEAR(parts.loss, whole.loss, 1e-13) << count;
    const auto a = numbers(parts.gradients), b = numbers(whole.gradients);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-14) << count << " parts, " << i;
    EXPECT_EQ(parts.flops > 0, true);
  }
}

TEST(Parts, AreAddedInPairs) {
  const nn::Sequential net = plain_net(f32);
  const Index n = 23;
  const Batches batches(digits().take(0, n), n);
  for (const Index count : {2, 3, 4, 5, 6, 7}) {
    std::vector<std::vector<float>> part(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) {
      Rng rng(1);
      Tape tape(rng);
      const Batch rows = batches.begin().part(i, count);
      const Tensor y = cross_entropy(net(rows.x), rows.labels);
      const double share = static_cast<double>(rows.size()) / static_cast<double>(n);
      for (const double v : numbers(tape.backward(y, scalar(share))))
        part[static_cast<std::size_t>(i)].push_back(static_cast<float>(v));
    }
    const auto sum = [&](std::size_t a, std::size_t b) {
      for (std::size_t i = 0; i < part[a].size(); ++i) part[a][i] += part[b][i];
    };
    for (std::size_t apart = 1; apart < part.size(); apart *= 2)
      for (std::size_t a = 0; a + apart < part.size(); a += 2 * apart) sum(a, a + apart);
    const std::vector<double> expected(part[0].begin(), part[0].end());
    EXPECT_EQ(numbers(step(Parts(count), net, n, f32).gradients), expected) << count;
  }
}

// The nearest number of 8 significant bits, ties to even.
float rounded(float x) {
  if (x == 0) return x;
  const int exponent = std::ilogb(x) - 7;
  return std::ldexp(std::nearbyint(std::ldexp(x, -exponent)), exponent);
}

TEST(Parts, AreRoundedOnTheWire) {
  const nn::Sequential net = plain_net(f32);
  const auto part_of = [&](Index i, Index count) {
    Rng rng(1);
    Tape tape(rng);
    const Batches batches(digits().take(0, 24), 24);
    const Batch rows = batches.begin().part(i, count);
    std::vector<float> all;
    for (const double v : numbers(tape.backward(cross_entropy(net(rows.x), rows.labels), scalar(1.0 / 3))))
      all.push_back(rounded(static_cast<float>(v)));
    return all;
  };
  const auto a = part_of(0, 3), b = part_of(1, 3), c = part_of(2, 3);
  std::vector<double> expected;
  for (std::size_t i = 0; i < a.size(); ++i) expected.push_back(rounded(rounded(a[i] + b[i]) + c[i]));
  const auto all = numbers(step(Parts(3, nullptr, Precision::bf16), net, 24, f32).gradients);
  EXPECT_EQ(all, expected);
  EXPECT_NE(all, numbers(step(Parts(3), net, 24, f32).gradients));
  for (const int ranks : {1, 2, 3})
    Threads(ranks).run([&](Team& team) {
      EXPECT_EQ(numbers(step(Parts(3, &team, Precision::bf16), net, 24, f32).gradients), expected) << ranks;
    });
}

// Larger than what is sent at once.
nn::Sequential large_net() {
  Rng rng(3);
  return nn::Sequential{nn::Linear(784, 1100, rng), nn::Tanh(), nn::Linear(1100, 1000, rng), nn::Tanh(),
                        nn::Linear(1000, 10, rng)};
}

TEST(Parts, OfLargeNetsAreSentInPieces) {
  const nn::Sequential net = large_net();
  for (const Precision wire : {Precision::full, Precision::bf16}) {
    const std::vector<double> expected = numbers(step(Parts(3, nullptr, wire), net, 5, f32).gradients);
    for (const int ranks : {2, 3})
      Threads(ranks).run([&](Team& team) {
        EXPECT_EQ(numbers(step(Parts(3, &team, wire), net, 5, f32).gradients), expected) << ranks;
      });
  }
}

// A team that notes when something is sent.
class Watched : public Team {
 public:
  Watched(Team& team, const std::function<void()>& note) : team_(team), note_(note) {}
  int rank() const override { return team_.rank(); }
  int size() const override { return team_.size(); }
  void sum(std::span<double> numbers) override { team_.sum(numbers); }
  std::unique_ptr<Transfer> begin_exchange(std::span<const std::byte> mine, std::span<const std::size_t> cuts,
                                           std::span<const int> senders,
                                           std::span<std::byte> received) override {
    note_();
    return team_.begin_exchange(mine, cuts, senders, received);
  }
  std::unique_ptr<Transfer> begin_share(std::span<std::byte> all,
                                        std::span<const std::size_t> cuts) override {
    return team_.begin_share(all, cuts);
  }
  void broadcast(std::string& bytes, int root) override { team_.broadcast(bytes, root); }

 private:
  Team& team_;
  std::function<void()> note_;
};

TEST(Parts, AreSentWhileBackwardComputesTheRest) {
  const nn::Sequential net = large_net();
  Threads(2).run([&](Team& team) {
    bool first_layer = false;  // whether backward is there
    std::vector<bool> sent_before;
    Watched watched(team, [&] { sent_before.push_back(!first_layer); });
    Rng rng(7);
    const Batches batches(digits().take(0, 4), 4);
    (void)Parts(2, &watched).backward(net, rng, batches.begin(), [&](const Batch& part) {
      first_layer = false;
      const Tensor h = net[0](part.x);
      Tensor y = record("probe", detach(h), wrt(h, [&](const Tensor& dy) {
                          first_layer = true;
                          return dy;
                        }));
      for (std::size_t i = 1; i < net.size(); ++i) y = net[i](y);
      return cross_entropy(y, part.labels);
    });
    EXPECT_THAT(sent_before, testing::ElementsAre(true, false));
  });
}

// BatchNorm, dropout and Adam have a state; the last batch has 10 examples.
struct Given {
  Given() : net(make()), adam(net, {.lr = 0.01}) {
    options.epochs = 3;
    options.batch_size = 20;
    options.validation = digits().take(90, 30);
    options.augment.emplace(parse_augment("shift:1,mixup:0.3"), 4);
    options.loss = [](const Tensor& logits, const Tensor& labels) {
      return labels.dtype() == i64 ? cross_entropy(logits, labels) : soft_cross_entropy(logits, labels);
    };
  }
  nn::Sequential make() {
    return nn::Sequential{nn::Linear(784, 8, rng), nn::BatchNorm1d(8), nn::ReLU(), nn::Dropout(0.25),
                          nn::Linear(8, 10, rng)};
  }
  Result run(std::vector<Callback*> callbacks = {}) {
    options.callbacks = std::move(callbacks);
    return fit(net, adam, digits().take(0, 90), rng, options);
  }

  Rng rng{5};
  nn::Sequential net;
  optim::Adam adam;
  FitOptions options;
};

std::string text(Result result) {
  for (HistoryRow& row : result.history) row.seconds = 0;
  return to_jsonl(result.history);
}

struct Came {
  std::vector<double> net;
  std::string history;
  bool operator==(const Came&) const = default;
};

Came alone(Index parts, int thread_count = 1, bool best = true) {
  set_threads(thread_count);
  Given given;
  given.options.parts = parts;
  given.options.average_decay = 0.8;
  EarlyStopping stopping(5);
  const Result result = best ? given.run({&stopping}) : given.run();
  set_threads(1);
  return {numbers(given.net), text(result)};
}

std::vector<Came> together(Index parts, int ranks, std::uint64_t seed_of_others = 5) {
  std::vector<Came> all(static_cast<std::size_t>(ranks));
  Threads(ranks).run([&](Team& team) {
    Given given;
    if (team.rank() > 0) {
      given.rng = Rng(seed_of_others);
      given.net = given.make();
    }
    given.options.parts = parts;
    given.options.average_decay = 0.8;
    given.options.team = &team;
    EarlyStopping stopping(5);
    const Result result = given.run({&stopping});
    all[static_cast<std::size_t>(team.rank())] = {numbers(given.net), text(result)};
  });
  return all;
}

TEST(FitInParts, HasTheBitsOfTheNumberOfParts) {
  std::vector<Came> by_parts;
  for (const Index parts : {1, 2, 3, 4, 5}) {
    const Came one = alone(parts);
    EXPECT_EQ(alone(parts, 3), one) << parts << " parts, 3 threads";
    for (const int ranks : {1, 2, 3, 4, 5})
      if (ranks <= parts) {
        for (const Came& came : together(parts, ranks))
          EXPECT_EQ(came, one) << parts << " parts, " << ranks << " ranks";
      }
    for (const Came& other : by_parts) EXPECT_NE(other, one) << parts;
    by_parts.push_back(one);
  }
}

TEST(FitInParts, BeginsWithTheStateOfRank0) {
  for (const Came& came : together(4, 2, 99)) EXPECT_EQ(came, alone(4));
}

TEST(FitInParts, RunningStatisticsAreTheMeanOfTheParts) {
  const Index n = 10;
  const Batches batches(digits().take(0, n), n, f64);
  const nn::Sequential first{nn::BatchNorm1d(784, {.dtype = f64})};
  const auto after = [&](const Parts& parts) {
    nn::Sequential net = first;
    Rng rng(1);
    (void)parts.backward(net, rng, batches.begin(),
                         [&](const Batch& part) { return mean(square(net(part.x))); });
    return net.state();
  };
  std::vector<double> means(784);
  for (const Index part : {0, 1, 2}) {
    nn::Sequential net = first;
    Rng rng(1);
    const Tape tape(rng);
    const Batch rows = batches.begin().part(part, 3);
    (void)net(rows.x);
    const std::vector<double> mean = values(net.state()[2].value);
    for (std::size_t i = 0; i < means.size(); ++i)
      means[i] += static_cast<double>(rows.size()) / 10 * mean[i];
  }
  const State state = after(Parts(3));
  ASSERT_EQ(state[2].name, "0.running_mean");
  const std::vector<double> found = values(state[2].value);
  for (std::size_t i = 0; i < means.size(); ++i) ASSERT_NEAR(found[i], means[i], 1e-15);
  EXPECT_EQ(state[4].name, "0.num_batches_tracked");
  EXPECT_EQ(state[4].value.item(), 1);
}

TEST(FitInParts, EveryPartHasAStreamOfItsOwn) {
  nn::Sequential net{nn::Dropout(0.5)};
  const Batches batches(digits().take(0, 8), 8);
  std::vector<std::vector<double>> dropped;
  Rng rng(11);
  nn::Linear weight(784, 2, rng);
  Rng before(7), stepping = before;
  (void)Parts(4).backward(weight, stepping, batches.begin(), [&](const Batch& part) {
    dropped.push_back(values(net(ones_like(part.x))));
    return mean(weight(part.x));
  });
  ASSERT_EQ(dropped.size(), 4U);
  EXPECT_NE(dropped[0], dropped[1]);
  for (Index part = 0; part < 4; ++part) {
    Rng own = Parts::stream(before, part);
    const Tape tape(own);
    EXPECT_EQ(dropped[static_cast<std::size_t>(part)], values(net(ones({2, 784}))));
  }
  before.bits();
  before.bits();
  EXPECT_EQ(stepping.bits(), before.bits());
}

// Asks for the end in some step.
class StopAfter : public Callback {
 public:
  explicit StopAfter(std::int64_t step) : step_(step) {}
  void step_done(Fit& fit) override {
    if (fit.step() == step_) fit.stop();
  }

 private:
  std::int64_t step_;
};

TEST(FitInParts, StopsAllAfterTheSameStepAndGoesOnWithOtherRanks) {
  const Came whole = alone(4, 1, false);
  const TemporaryFolder folder;
  for (const int ranks : {2, 4, 1}) {
    Threads(ranks).run([&](Team& team) {
      Given given;
      given.options.parts = 4;
      given.options.average_decay = 0.8;
      given.options.team = &team;
      Checkpoint checkpoint(folder / "run");
      StopAfter stop(ranks == 2 ? 3 : ranks == 4 ? 8 : -1);
      std::vector<Callback*> callbacks;
      if (team.rank() == ranks - 1) callbacks.push_back(&stop);  // one rank asks
      if (team.rank() == 0) callbacks.push_back(&checkpoint);
      const Result result = given.run(callbacks);
      if (ranks == 1) {
        EXPECT_EQ(Came({numbers(given.net), text(result)}), whole);
      } else {
        EXPECT_EQ(result.status, Status::stopped);
        EXPECT_EQ(static_cast<int>(result.history.size()), ranks == 2 ? 0 : 1);
      }
    });
  }
}

TEST(FitInParts, TellsWhereALossStoppedBeingFinite) {
  const auto diverged = [](Team* team) {
    Given given;
    given.options.parts = 3;
    given.options.team = team;
    given.options.augment.reset();
    given.adam.set_lr(1e30);
    const Result result = given.run();
    EXPECT_EQ(result.status, Status::diverged);
    return result.problem;
  };
  const std::string problem = diverged(nullptr);
  EXPECT_THAT(problem, HasSubstr("the first value that is not finite came from"));
  Threads(3).run([&](Team& team) { EXPECT_EQ(diverged(&team), problem); });
}

TEST(Parts, PassOverWhatHasNoGradientAndWhatIsFrozen) {
  const nn::Sequential net = plain_net();
  const std::vector<nn::NamedSlot> parameters = net.parameters();
  parameters[0].slot->freeze();
  const Batches batches(digits().take(0, 8), 8, f64);
  const auto run = [&](Team* team) {
    Rng rng(1);
    Index part = team == nullptr ? 0 : team->rank() * 2;
    // The last layer is part of the loss in one part alone.
    return Parts(4, team).backward(net, rng, batches.begin(), [&](const Batch& rows) {
      const Tensor hidden = tanh(net[0](rows.x));
      return part++ == 2 ? cross_entropy(net[2](hidden), rows.labels) : mean(square(hidden));
    });
  };
  const Parts::Step one = run(nullptr);
  EXPECT_FALSE(one.gradients.has(parameters[0].slot->value()));
  for (const std::size_t i : {1U, 2U, 3U}) EXPECT_TRUE(one.gradients.has(parameters[i].slot->value()));
  std::mutex mutex;
  Threads(2).run([&](Team& team) {
    const Parts::Step found = run(&team);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(numbers(found.gradients), numbers(one.gradients));
    EXPECT_EQ(found.loss, one.loss);
    EXPECT_EQ(found.flops, one.flops);
  });
}

TEST(Parts, RefuseWhatCannotBe) {
  EXPECT_EQ(error_of<ValueError>([] { Parts(0); }), "[parts] expected 1 part or more, got 0");
  Threads(3).run([](Team& team) {
    EXPECT_EQ(error_of<ValueError>([&] { Parts(2, &team); }),
              "[parts] 3 ranks cannot share 2 parts: each needs one");
  });
  // A loss that throws leaves the network as it was.
  nn::Sequential net{nn::BatchNorm1d(784)};
  const std::vector<double> before = numbers(net);
  const Batches batches(digits().take(0, 8), 8);
  Rng rng(1);
  int calls = 0;
  const auto run = [&](bool fails) {
    calls = 0;
    (void)Parts(4).backward(net, rng, batches.begin(), [&](const Batch& rows) {
      const bool late = ++calls == 3;
      if (late && fails) throw std::runtime_error("no");
      return mean(square(late ? net.parameters()[0].slot->value() : net(rows.x)));
    });
  };
  EXPECT_THROW(run(true), std::runtime_error);
  EXPECT_EQ(numbers(net), before);
  EXPECT_THAT(error_of<Error>([&] { run(false); }), HasSubstr("of the network changed in 3 of 4 parts"));
  EXPECT_EQ(numbers(net), before);
}

TEST(Team, BroadcastsReducesAndAgrees) {
  const Batches batches(digits().take(0, 8), 8, f64);
  std::vector<std::vector<double>> nets(3), sums(3);
  Threads(3).run([&](Team& team) {
    const auto rank = static_cast<std::size_t>(team.rank());
    Rng rng(rank);
    nn::Linear net(784, 2, rng, {.dtype = f64});
    broadcast(team, net, 1);
    nets[rank] = numbers(net);
    Tape tape;
    const Batch rows = batches.begin().part(team.rank(), 3);
    sums[rank] = numbers(all_reduce(team, net, tape.backward(sum(square(net(rows.x))))));
    agree(team, "seed", "1");
    EXPECT_EQ(error_of<Disagreement>([&] { agree(team, "seed", team.rank() == 2 ? "5" : "1"); }),
              "[team] rank 2 has seed \"5\", rank 0 has \"1\"");
  });
  EXPECT_EQ(nets[0], nets[1]);
  EXPECT_EQ(nets[2], nets[1]);
  EXPECT_EQ(sums[0], sums[1]);
  EXPECT_EQ(sums[2], sums[1]);
  Rng rng(1);
  const nn::Linear net(784, 2, rng, {.dtype = f64});
  Tape tape;
  const std::vector<double> whole = numbers(tape.backward(sum(square(net((*batches.begin()).x)))));
  for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(sums[0][i], whole[i], 1e-12);
}

TEST(FitInParts, RefusesATeamOfOtherData) {
  Threads(2).run([](Team& team) {
    Given given;
    given.options.parts = 2;
    given.options.team = &team;
    given.options.batch_size = team.rank() == 0 ? 20 : 30;
    EXPECT_THAT(error_of<Disagreement>([&] { given.run(); }),
                HasSubstr("rank 1 has data and options \"90 examples in batches of 30"));
  });
}

}  // namespace
}  // namespace elk::train
