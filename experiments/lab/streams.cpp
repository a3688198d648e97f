#include <lab/streams.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include <elk/autograd/tape.hpp>
#include <elk/base/flops.hpp>
#include <elk/data/batches.hpp>
#include <elk/data/digits.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/optim/schedule.hpp>
#include <elk/train/evaluate.hpp>
#include <lab/digest.hpp>
#include <lab/function.hpp>
#include <lab/program.hpp>
#include <lab/statistics.hpp>
#include <lab/trainings.hpp>
#include <models/mlp.hpp>

namespace elk::lab {

namespace {

// The images of a run, one batch after the other.
class Stream {
 public:
  /// Digits without end.
  Stream(std::uint32_t seed, Index count) : seed_(seed), left_(count) {}
  /// The examples of a set, shuffled for each pass.
  Stream(Dataset set, Rng rng) : rng_(rng), block_(std::move(set)) {}

  Batch next(Index count) {
    if (at_ == order_.size()) refill();
    const std::size_t end = std::min(order_.size(), at_ + static_cast<std::size_t>(count));
    const std::vector<Index> rows(order_.begin() + static_cast<std::ptrdiff_t>(at_),
                                  order_.begin() + static_cast<std::ptrdiff_t>(end));
    at_ = end;
    return gather(block_, rows);
  }

 private:
  void refill() {
    at_ = 0;
    if (rng_) {
      order_ = rng_->permutation(block_.size());
      return;
    }
    constexpr Index at_once = 100 * stream_batch;
    const Index count = std::min(at_once, left_);
    block_ = digits(seed_, drawn_, count);
    drawn_ += count, left_ -= count;
    order_.resize(static_cast<std::size_t>(count));
    std::iota(order_.begin(), order_.end(), Index{0});
  }

  std::uint32_t seed_ = 0;
  Index drawn_ = 0, left_ = 0;
  std::optional<Rng> rng_;
  Dataset block_;
  std::vector<Index> order_;
  std::size_t at_ = 0;
};

class Runs : public FunctionWork {
 public:
  Runs(std::string dataset, std::string data_dir)
      : FunctionWork(
            [this](const Settings& settings, Progress& progress) { return learn(settings, progress); }, "",
            {"test_loss", "test_accuracy", "validation_loss"}),
        dataset_(std::move(dataset)),
        sets_(std::move(data_dir)) {}

  std::string data(const std::string&) override {
    if (!fresh()) return sets_.digest(dataset_);
    if (drawn_digest_.empty()) {
      // The upper half of the series that all programs know, of which none trains.
      constexpr Index tests = 50000, validation = 20000, half = Index{1} << 31;
      drawn_ = {digits(digits_seed, half + tests, validation), digits(digits_seed, half, tests)};
      drawn_digest_ = data_digest(drawn_);
    }
    return drawn_digest_;
  }
  std::int64_t unique(const std::string& text) override {
    const Settings settings = Settings::parse(text);
    if (fresh()) return settings.has("unique") ? settings.integer("unique") : 0;
    return sets_[dataset_].train.size() - stream_held_out;
  }
  std::string data_name(const std::string&) override { return "data set of the name " + dataset_; }

  double estimate(const std::string& text) override {
    const Settings settings = Settings::parse(text);
    const Index width = settings.integer("hidden");
    const TrainTest& sets = held_out();
    const double weights = static_cast<double>(width) * static_cast<double>(sets.test.features() + 10);
    // Seconds to draw or gather an image and of its share of a step, and FLOP/s of a core: of this decade.
    const double image = fresh() ? 7e-6 : 2e-6, rate = 70e9;
    const auto held_out =
        static_cast<double>(sets.test.size() + (fresh() ? sets.train.size() : stream_held_out));
    return static_cast<double>(settings.integer("examples")) * (image + 4 * weights / rate) +
           held_out * (0.5e-6 + 2 * weights / rate);
  }

 private:
  bool fresh() const { return dataset_ == "digits"; }
  // With the digits, `train` is what is held out; data() has been called.
  const TrainTest& held_out() {
    if (!fresh()) return sets_[dataset_];
    data("");
    return drawn_;
  }

  Metrics learn(const Settings& settings, Progress& progress) {
    const auto seed = static_cast<std::uint32_t>(settings.integer("seed"));
    const Index examples = settings.integer("examples");
    Dataset train, validation;
    if (fresh()) {
      validation = drawn_.train;
    } else {
      Rng rng = Rng::keyed({seed, 1});  // as `train` holds them out
      std::tie(train, validation) = split(sets_[dataset_].train, stream_held_out, rng);
    }
    const Dataset& test = fresh() ? drawn_.test : sets_[dataset_].test;
    Rng rng(seed);
    models::MLP net(
        {.sizes = {test.features(), settings.integer("hidden"), static_cast<Index>(test.classes.size())},
         .activation = models::activation("relu")},
        rng);
    progress.about(net);
    const Index unique = settings.has("unique") ? settings.integer("unique") : examples;
    const bool endless = fresh() && unique >= examples;
    if (fresh() && !endless) train = digits(seed, 0, unique);
    Stream stream = endless ? Stream(seed, examples) : Stream(std::move(train), rng);
    optim::SGD sgd(net, {.lr = settings.number("lr")});
    const double top = sgd.lr();
    const optim::Schedule schedule = optim::cosine(1);
    train::HistoryRow row;
    double sum = 0;
    Index last = 0;  // images of the last tenth, of which train_loss is: each before it is learned from
    for (Index seen = 0; seen < examples;) {
      const Batch batch = stream.next(std::min(stream_batch, examples - seen));
      sgd.set_lr(schedule(top, static_cast<double>(seen) / static_cast<double>(examples)));
      const std::uint64_t before = flops();
      Tape tape;
      const Tensor loss = cross_entropy(net(batch.x), batch.labels);
      const double value = loss.item();
      if (!std::isfinite(value)) {
        progress.diverged(fmt::format("the loss of step {} is {}", row.step + 1, value));
        return not_finite();
      }
      sgd.step(tape.backward(loss));
      row.flops += flops() - before;
      ++row.step;
      seen += batch.size();
      if (10 * seen > 9 * examples) sum += value * static_cast<double>(batch.size()), last += batch.size();
      progress.check();
    }
    row.train_loss = sum / static_cast<double>(last);
    const train::Evaluation tested = train::evaluate(net, test, cross_entropy),
                            validated = train::evaluate(net, validation, cross_entropy);
    row.lr = top;
    progress.epoch(row);
    return {
        {"test_loss", tested.loss}, {"test_accuracy", tested.accuracy}, {"validation_loss", validated.loss}};
  }

  static Metrics not_finite() {
    return {{"test_loss", nan}, {"test_accuracy", nan}, {"validation_loss", nan}};
  }

  std::string dataset_;
  DataSets sets_;
  TrainTest drawn_;
  std::string drawn_digest_;
};

}  // namespace

std::unique_ptr<Work> stream_runs(const std::string& dataset, const std::string& data_dir) {
  return std::make_unique<Runs>(dataset, data_dir);
}

}  // namespace elk::lab
