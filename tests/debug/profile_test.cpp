// Profiles: FLOPs by hand, times that add up, and a trace whose spans lie in one another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>
#include <models/mlp.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk {
namespace {

using nlohmann::json;
using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const ProfileRow& row(const std::vector<ProfileRow>& rows, const std::string& pass,
                      const std::string& layer = "", const std::string& operation = "") {
  for (const ProfileRow& r : rows)
    if (r.pass == pass && r.layer == layer && r.operation == operation) return r;
  throw std::runtime_error("no row " + pass + " " + layer + " " + operation);
}

std::vector<std::string> names(const std::vector<ProfileRow>& rows) {
  std::vector<std::string> list;
  for (const ProfileRow& r : rows) list.push_back(r.pass + "/" + r.layer + "/" + r.operation);
  return list;
}

models::MLP mlp(Rng& rng, double dropout = 0) {
  return {{.sizes = {784, 64, 10}, .activation = models::activation("relu"), .dropout = dropout}, rng};
}

void train_step(const nn::Module& net, optim::Optimizer& optimizer, const Tensor& x, const Tensor& labels,
                Rng& rng) {
  Tape tape(rng);
  const Tensor loss = cross_entropy(net(x), labels);
  optimizer.step(tape.backward(loss));
}

json trace_of(const Profile& profile) {
  const TemporaryFolder folder;
  profile.write_trace(folder / "trace.json");
  return json::parse(read_file(folder / "trace.json"))["traceEvents"];
}

class ProfileOfMLP : public testing::Test {
 protected:
  void step() { train_step(net, sgd, x, labels, rng); }

  Rng rng{1};
  models::MLP net = mlp(rng);
  optim::SGD sgd{net, {.lr = 0.1}};
  Tensor x = uniform({5, 784}, rng), labels = from(std::vector<std::int64_t>{0, 1, 2, 3, 4});
};

TEST_F(ProfileOfMLP, ByHand) {
  step();
  Profile profile;
  const std::uint64_t before = flops();
  for (int i = 0; i < 3; ++i) step();
  const std::uint64_t all = flops() - before;
  const std::vector<ProfileRow> rows = profile.rows();
  EXPECT_THAT(names(rows),
              ElementsAre("forward/fc1/linear", "forward/act1/relu", "forward/fc2/linear",
                          "forward//cross_entropy", "backward//cross_entropy", "backward/fc2/linear",
                          "backward/act1/relu", "backward/fc1/linear", "update//", "other//"));
  // As the summary's numbers, times 5 examples and 3 steps; the sum of a bias's gradient is 1 an element.
  EXPECT_EQ(row(rows, "forward", "fc1", "linear").flops, 15u * (100352 + 64));
  EXPECT_EQ(row(rows, "backward", "fc1", "linear").flops, 15u * 64);
  EXPECT_EQ(row(rows, "forward", "act1", "relu").flops, 15u * 64);
  EXPECT_EQ(row(rows, "backward", "act1", "relu").flops, 15u * 64);
  EXPECT_EQ(row(rows, "forward", "fc2", "linear").flops, 15u * (1280 + 10));
  EXPECT_EQ(row(rows, "backward", "fc2", "linear").flops, 15u * (1280 + 10));
  // SGD folds its update into the products that are the weights' gradients: 2 more an element.
  EXPECT_EQ(row(rows, "update").flops, 15u * (100352 + 1280) + 3u * 2 * (50176 + 64 + 640 + 10));
  EXPECT_EQ(row(rows, "other").flops, 0u);
  EXPECT_EQ(profile.steps(), 3);
  std::uint64_t counted = 0;
  for (const ProfileRow& r : rows) {
    counted += r.flops;
    EXPECT_EQ(r.calls, r.pass == "other" ? 0 : 3);
    EXPECT_GT(r.seconds, 0) << r.pass << r.layer << r.operation;
  }
  EXPECT_EQ(counted, all);
}

TEST_F(ProfileOfMLP, Table) {
  Profile profile;
  for (int i = 0; i < 4; ++i) step();
  std::ostringstream out;
  out << profile;
  EXPECT_EQ(out.str(), to_string(profile));
  std::istringstream lines(out.str());
  std::vector<std::string> table;
  for (std::string line; std::getline(lines, line);) table.push_back(line);
  ASSERT_EQ(table.size(), 15u) << out.str();
  EXPECT_THAT(table[0], testing::MatchesRegex("pass +layer +operation +calls +us +FLOPs +GFLOP/s +share"));
  EXPECT_THAT(table[1], testing::MatchesRegex("forward +[0-9.]+ +[0-9]+ +[0-9.]+ +[0-9.]+%"));
  EXPECT_THAT(table[2], testing::MatchesRegex(" +fc1 +linear +1 +[0-9.]+ +502080 +[0-9.]+ +[0-9.]+%"));
  EXPECT_THAT(table[11], testing::MatchesRegex("update +1 +[0-9.]+ +[0-9]+ +[0-9.]+ +[0-9.]+%"));
  EXPECT_THAT(table[12], testing::MatchesRegex("other +[0-9.]+ +[0-9.]+%"));
  EXPECT_THAT(table[13], testing::MatchesRegex("total +[0-9.]+ +[0-9]+ +[0-9.]+ +100\\.0%"));
  EXPECT_EQ(table[14], "of a step, the mean of 4");
  const auto share = [&](std::size_t i) { return std::stod(table[i].substr(table[i].rfind(' '))); };
  EXPECT_NEAR(share(1) + share(6) + share(11) + share(12), 100, 0.2 + 1e-9);
  EXPECT_NEAR(share(1), share(2) + share(3) + share(4) + share(5), 0.25 + 1e-9);
}

TEST_F(ProfileOfMLP, TraceIsChromesFormatWithSpansInOneAnother) {
  Profile profile;
  for (int i = 0; i < 2; ++i) step();
  const json events = trace_of(profile);
  std::vector<std::string> first;
  std::vector<std::pair<double, double>> around;  // begin and end of what is open
  double last = 0;
  int in_rules = 0;
  for (const json& event : events) {
    EXPECT_EQ(event["ph"], "X");
    EXPECT_EQ(event["pid"], 1);
    EXPECT_EQ(event["tid"], 1);
    const double begin = event["ts"], end = begin + event["dur"].get<double>();
    EXPECT_GE(begin, last);
    last = begin;
    while (!around.empty() && around.back().second <= begin + 1e-6) around.pop_back();
    if (!around.empty()) {
      EXPECT_LE(end, around.back().second + 1e-6) << event;
    }
    // Which operations a rule is made of, and in which order, is no matter of profiles.
    const bool inner = event["cat"] == "backward" && !around.empty();
    in_rules += inner;
    if (events[events.size() / 2]["ts"] > begin && !inner)
      first.push_back(std::string(around.size(), ' ') + event["cat"].get<std::string>() + ": " +
                      event["name"].get<std::string>());
    around.emplace_back(begin, end);
  }
  EXPECT_THAT(first,
              ElementsAre("forward: (network)", " forward: fc1", "  forward: fc1 linear", " forward: act1",
                          "  forward: act1 relu", " forward: fc2", "  forward: fc2 linear",
                          "forward: cross_entropy", "backward: cross_entropy", "backward: fc2 linear",
                          "backward: act1 relu", "backward: fc1 linear", "update: update"));
  EXPECT_GE(in_rules, 2 * 4);
  EXPECT_EQ(events[2]["args"]["flops"], 5 * (100352 + 64));
  EXPECT_EQ(events[0]["args"]["flops"], 5 * 101770);
}

TEST(Profile, ChangesNoBit) {
  const auto weights = [](bool profiled) {
    Rng rng(3);
    models::MLP net = mlp(rng, 0.2);
    optim::Adam adam(net, {});
    std::optional<Profile> profile;
    if (profiled) profile.emplace();
    const Dataset digits = elk::digits(1, 0, 60);
    train::fit(net, adam, digits, rng, {.epochs = 2, .batch_size = 25, .validation = digits});
    return format_safetensors(net.state());
  };
  EXPECT_TRUE(weights(true) == weights(false));
}

TEST(Profile, StagesOfFit) {
  Rng rng(3);
  models::MLP net = mlp(rng);
  optim::SGD sgd(net, {});
  const Dataset digits = elk::digits(1, 0, 60);
  Profile profile;
  const std::uint64_t before = flops();
  const train::Result result =
      train::fit(net, sgd, digits, rng,
                 {.epochs = 2,
                  .batch_size = 25,
                  .gradients = [](Gradients g) { return optim::clip_norm(std::move(g), 0.01); },
                  .validation = digits});
  const std::uint64_t all = flops() - before;
  const std::vector<ProfileRow> rows = profile.rows();
  EXPECT_EQ(profile.steps(), 6);
  EXPECT_EQ(row(rows, "batch").calls, 6);
  EXPECT_EQ(row(rows, "batch").flops, 0u);
  EXPECT_EQ(row(rows, "clip").calls, 6);
  EXPECT_EQ(row(rows, "update").calls, 6);
  EXPECT_EQ(row(rows, "evaluation").calls, 2);
  EXPECT_EQ(row(rows, "forward", "fc1", "linear").calls, 6);  // without those of evaluation
  EXPECT_EQ(all - row(rows, "evaluation").flops, result.history.back().flops);
}

TEST(Profile, WithoutATape) {
  Rng rng(1);
  const models::MLP net = mlp(rng);
  const Tensor x = uniform({5, 784}, rng);
  Profile profile;
  (void)softmax(net(x));
  EXPECT_EQ(profile.steps(), 0);
  EXPECT_THAT(names(profile.rows()), ElementsAre("forward/fc1/linear", "forward/act1/relu",
                                                 "forward/fc2/linear", "forward//softmax", "other//"));
  EXPECT_EQ(row(profile.rows(), "forward", "fc1", "linear").flops, 5u * (100352 + 64));
  EXPECT_THAT(to_string(profile), HasSubstr("\nof everything together: there were no steps\n"));
}

TEST(Profile, OfNothing) {
  const Profile profile;
  EXPECT_THAT(names(profile.rows()), ElementsAre("other//"));
  EXPECT_THAT(to_string(profile), StartsWith("pass "));
  EXPECT_EQ(trace_of(profile).size(), 0u);
}

// Layers that fields() does not list, that do no operations, and that come under two names.
class Odd : public nn::Module {
 public:
  explicit Odd(Rng& rng) : a_(4, 4, rng), unlisted_(4, 4, rng) {}
  Tensor forward(const Tensor& x) const override { return relu(a_(a_(none_(unlisted_(x))))); }
  void fields(Fields& f) override { f("a \"quoted\"", a_)("again", a_)("none", none_); }

 private:
  nn::Linear a_, unlisted_;
  nn::Dropout none_{0.5};
};

TEST(Profile, OddModules) {
  Rng rng(1);
  const Odd net(rng);
  const nn::Linear alone(4, 4, rng);
  const Tensor x = uniform({2, 4}, rng);
  Profile profile;
  (void)alone(net(x));
  EXPECT_THAT(names(profile.rows()),
              ElementsAre("forward/Linear(4, 4)/linear", "forward/none/", "forward/a \"quoted\"/linear",
                          "forward/(network)/relu", "other//"));
  EXPECT_EQ(row(profile.rows(), "forward", "a \"quoted\"", "linear").calls, 2);
  const std::string trace = trace_of(profile).dump();
  EXPECT_THAT(trace, HasSubstr(R"("name":"a \"quoted\" linear")"));
}

struct Failing : nn::Module {
  Tensor forward(const Tensor& x) const override { return matmul(x, x); }
};

TEST(Profile, GoesOnAfterAnError) {
  Rng rng(1);
  const nn::Sequential broken{nn::Linear(4, 3, rng), Failing()};
  const models::MLP net = mlp(rng);
  const Tensor x = uniform({2, 4}, rng);
  Profile profile;
  {
    Tape tape;
    EXPECT_THAT(error_of<ShapeError>([&] { broken(x); }), StartsWith("[matmul] "));
    const Tensor y =
        record("odd", 1 * x, wrt(broken.parameters()[0].slot->value(), [](const Tensor& dy) { return dy; }));
    EXPECT_THAT(error_of<ShapeError>([&] { tape.backward(sum(y)); }), StartsWith("[odd] "));
  }
  (void)net(uniform({5, 784}, rng));
  const std::vector<ProfileRow> rows = profile.rows();
  EXPECT_EQ(row(rows, "forward", "0", "linear").calls, 1);
  EXPECT_EQ(row(rows, "forward", "fc1", "linear").calls, 1);
  EXPECT_EQ(row(rows, "forward", "fc1", "linear").flops, 5u * (100352 + 64));
  EXPECT_EQ(row(rows, "backward", "", "odd").calls, 1);
}

TEST_F(ProfileOfMLP, PausesAndGoesOn) {
  Profile profile;
  step();
  profile.pause();
  profile.pause();
  const std::vector<ProfileRow> before = profile.rows();
  const std::size_t traced = trace_of(profile).size();
  step();
  (void)mlp(rng)(x);
  EXPECT_EQ(profile.steps(), 1);
  ASSERT_EQ(profile.rows().size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(profile.rows()[i].seconds, before[i].seconds);
  EXPECT_EQ(trace_of(profile).size(), traced);
  profile.resume();
  step();
  EXPECT_EQ(profile.steps(), 2);
  EXPECT_EQ(row(profile.rows(), "forward", "fc2", "linear").calls, 2);
  EXPECT_EQ(row(profile.rows(), "other").flops, 0u);
}

// Made, paused and gone on with in the middle of a module.
struct Inside : nn::Module {
  std::function<void()> f;
  Tensor forward(const Tensor& x) const override {
    f();
    return 2 * x;
  }
};

TEST(Profile, BeginsAndPausesInsideAModule) {
  std::optional<Profile> profile;
  Inside module;
  const Tensor x = ones({3});
  module.f = [&] { profile.emplace(); };
  (void)module(x);
  EXPECT_THAT(names(profile->rows()), ElementsAre("forward//mul", "other//"));
  module.f = [&] { profile->pause(); };
  (void)module(x);
  EXPECT_EQ(row(profile->rows(), "forward", "", "mul").calls, 1);
  module.f = [&] { profile->resume(); };
  (void)module(x);
  (void)(x + x);
  EXPECT_EQ(row(profile->rows(), "forward", "", "add").calls, 1);
}

TEST(Profile, SecondDerivativesCountForTheOuterBackward) {
  const Tensor x = scalar(2);
  Profile profile;
  Tape outer;
  outer.watch(x);
  {
    Tape inner;
    inner.watch(x);
    const Gradients first = inner.backward(x * x * x);
    EXPECT_EQ(outer.backward(first[x])[x].item(), 12);
  }
  std::int64_t forward = 0;
  for (const ProfileRow& r : profile.rows())
    if (r.pass == "forward") forward += r.calls;
  EXPECT_EQ(forward, 2);
  EXPECT_GT(row(profile.rows(), "backward", "", "mul").calls, 2);
}

TEST(Profile, AStageOfOnesOwnAndItsInside) {
  const Tensor x = ones({3});
  Profile profile;
  {
    const Stage stage("augment");
    const Stage inner("rotate");
    (void)(x + x);
  }
  (void)(x * x);
  EXPECT_THAT(names(profile.rows()), ElementsAre("augment//", "forward//mul", "other//"));
  EXPECT_EQ(row(profile.rows(), "augment").flops, 3u);
}

TEST(Profile, TwoAtOnceAndNoOtherThreads) {
  const Tensor x = ones({3});
  const Profile a;
  (void)(x + x);
  {
    const Profile b;
    (void)(x * x);
    std::thread([&] { (void)(x - x); }).join();
    EXPECT_THAT(names(b.rows()), ElementsAre("forward//mul", "other//"));
  }
  EXPECT_THAT(names(a.rows()), ElementsAre("forward//add", "forward//mul", "other//"));
}

TEST(Profile, ALongTraceKeepsItsBeginning) {
  const Tensor x = ones({1});
  Profile profile;
  const auto count = static_cast<std::int64_t>(Profile::trace_limit) + 100;
  for (std::int64_t i = 0; i < count; ++i) (void)neg(x);
  EXPECT_EQ(row(profile.rows(), "forward", "", "neg").calls, count);
  EXPECT_EQ(trace_of(profile).size(), Profile::trace_limit);
}

TEST(Profile, ATraceThatCannotBeWritten) {
  const TemporaryFolder folder;
  const std::string path = folder / "nowhere/trace.json";
  EXPECT_THAT(error_of<FileError>([&] { Profile().write_trace(path); }), HasSubstr(path + ": cannot create"));
}

}  // namespace
}  // namespace elk
