#include <lab/architectures.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include <elk/autograd/tape.hpp>
#include <elk/base/error.hpp>
#include <elk/base/flops.hpp>
#include <elk/nn/convolution.hpp>
#include <elk/nn/initializers.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/pooling.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/optim/schedule.hpp>
#include <elk/train/fit.hpp>
#include <lab/function.hpp>
#include <lab/trainings.hpp>
#include <models/mlp.hpp>

namespace elk::lab {

namespace {

constexpr Index kernel = 5, window = 2;

// Side of an image behind a convolution without padding and its pooling.
Index pooled(Index side) { return (side - kernel + 1) / window; }

Architecture architecture_of(const std::string& name) {
  for (const Architecture architecture : {Architecture::mlp, Architecture::convolutional})
    if (name == name_of(architecture)) return architecture;
  throw ValueError(fmt::format("[architecture] expected the model MLP or convolutional, got \"{}\"", name));
}

nn::Conv2d he_convolution(Index in, Index out, Rng& rng) {
  nn::Conv2d layer(in, out, kernel, rng);
  nn::init::kaiming_normal_(layer.weight(), rng);
  nn::init::zeros_(layer.bias());
  return layer;
}

nn::Sequential convolutional(Index width, const ImageTask& task, Rng& rng) {
  const Shape& image = task.image;
  const Index channels = image.rank() == 3 ? image[0] : 1, height = image[image.rank() - 2],
              across = image[image.rank() - 1];
  const Index left = pooled(pooled(height)) * pooled(pooled(across)), hidden = 20 * width;
  if (left < 1)
    throw ValueError(
        fmt::format("[architecture] expected images of at least 16 x 16, got {} x {}", height, across));
  nn::Sequential net;
  net.add("image", nn::Function("image", [channels, height, across](const Tensor& x) {
            return reshape(x, {x.size(0), channels, height, across});
          }));
  net.add("conv1", he_convolution(channels, width, rng));
  net.add("act1", nn::ReLU());
  net.add("pool1", nn::MaxPool2d(window));
  net.add("conv2", he_convolution(width, 2 * width, rng));
  net.add("act2", nn::ReLU());
  net.add("pool2", nn::MaxPool2d(window));
  net.add("flatten", nn::Flatten());
  net.add("fc1", nn::Linear(2 * width * left, hidden, rng));
  net.add("act3", nn::ReLU());
  net.add("fc2", nn::Linear(hidden, task.classes, rng));
  return net;
}

// Of training, counted while a step is made.
double flops_of_image(Architecture architecture, Index width, const ImageTask& task) {
  Rng rng(1);
  nn::Sequential net = make_network(architecture, width, task, rng);
  const Tensor x = uniform({architecture_batch, task.image.size()}, rng, 0, 1);
  optim::SGD sgd(net, {.lr = 0.01, .momentum = 0.9});
  const std::uint64_t before = flops();
  Tape tape;
  const Tensor loss = cross_entropy(net(x), zeros({architecture_batch}, i64));
  sgd.step(tape.backward(loss));
  return static_cast<double>(flops() - before) / static_cast<double>(architecture_batch);
}

double parameters_of(Architecture architecture, Index width, const ImageTask& task) {
  Rng rng(1);
  return static_cast<double>(make_network(architecture, width, task, rng).parameter_count());
}

// Of what grows with the width: the one at which it is nearest to `wanted`, as a ratio.
Index nearest_width(double wanted, const std::function<double(Index)>& of) {
  Index low = 0, high = 1;  // of(low) < wanted <= of(high)
  double before = 0, found = of(high);
  while (found < wanted) low = high, before = found, high *= 2, found = of(high);
  while (high - low > 1) {
    const Index middle = low + (high - low) / 2;
    const double there = of(middle);
    if (there < wanted)
      low = middle, before = there;
    else
      high = middle, found = there;
  }
  return before * found > wanted * wanted ? low : high;
}

class ArchitectureRuns : public FunctionWork {
 public:
  explicit ArchitectureRuns(std::string data_dir)
      : FunctionWork(
            [this](const Settings& settings, Progress& progress) { return learn(settings, progress); }, "",
            {"test_loss", "test_accuracy", "validation_loss"},
            [](const Settings& settings) { return optim::cosine(settings.number("epochs")); }),
        sets_(std::move(data_dir)) {}

  std::string data(const std::string& text) override {
    return sets_.digest(Settings::parse(text).text("dataset"));
  }
  std::string data_name(const std::string& text) override {
    return "data set of the name " + Settings::parse(text).text("dataset");
  }

  double estimate(const std::string& text) override {
    const Settings settings = Settings::parse(text);
    const TrainTest& sets = sets_[settings.text("dataset")];
    const std::string model = settings.text("model");
    const auto key = std::tuple(settings.text("dataset"), model, settings.integer("width"));
    auto known = flops_.find(key);
    if (known == flops_.end())
      known =
          flops_
              .emplace(key, size_of(architecture_of(model), settings.integer("width"),
                                    {sets.test.sample_shape(), static_cast<Index>(sets.test.classes.size())})
                                .flops)
              .first;
    // FLOP/s of a core, and seconds of an image's share of a step beside: of this decade. What is evaluated
    // costs a third.
    const bool plain = model == name_of(Architecture::mlp);
    const double rate = plain ? 80e9 : 42e9, image = plain ? 2e-6 : 20e-6;
    const auto epochs = settings.number("epochs");
    const double images = epochs * (settings.number("examples") + settings.number("validation") / 3) +
                          static_cast<double>(sets.test.size()) / 3;
    return images * (image + known->second / rate);
  }

 private:
  Metrics learn(const Settings& settings, Progress& progress) {
    const TrainTest& sets = sets_[settings.text("dataset")];
    const auto seed = static_cast<std::uint32_t>(settings.integer("seed"));
    const Index examples = settings.integer("examples"), validation = settings.integer("validation"),
                epochs = settings.integer("epochs");
    if (examples + validation > sets.train.size())
      throw ValueError(fmt::format("--images: there are {} examples to learn from, {} were asked for",
                                   std::max<Index>(0, sets.train.size() - validation), examples));
    Rng held_out = Rng::keyed({seed, 1}), few = Rng::keyed({seed, 3});  // as `train` draws them
    Dataset train, chooser;
    std::tie(train, chooser) = split(sets.train, validation, held_out);
    if (examples < train.size()) train = split(train, examples, few).second;

    Rng rng(seed);
    nn::Sequential net =
        make_network(architecture_of(settings.text("model")), settings.integer("width"),
                     {sets.test.sample_shape(), static_cast<Index>(sets.test.classes.size())}, rng);
    optim::SGD sgd(net, {.lr = settings.number("lr"), .momentum = settings.number("momentum")});
    train::EarlyStopping best(epochs);  // which never stops: it restores the weights of the best epoch
    const train::Result result = train::fit(net, sgd, train, rng,
                                            {.epochs = epochs,
                                             .batch_size = architecture_batch,
                                             .schedule = optim::cosine(static_cast<double>(epochs)),
                                             .validation = chooser,
                                             .callbacks = {&best, &progress}});
    if (result.status == train::Status::stopped) return {};
    double lowest = std::numeric_limits<double>::infinity();
    for (const train::HistoryRow& row : result.history)
      lowest = std::fmin(lowest, row.val_loss.value_or(lowest));
    const Dataset test = settings.has("test") ? sets.test.take(0, settings.integer("test")) : sets.test;
    const train::Evaluation tested = train::evaluate(net, test, cross_entropy);
    return {{"test_loss", tested.loss}, {"test_accuracy", tested.accuracy}, {"validation_loss", lowest}};
  }

  DataSets sets_;
  std::map<std::tuple<std::string, std::string, std::int64_t>, double> flops_;
};

}  // namespace

const char* name_of(Architecture architecture) {
  return architecture == Architecture::mlp ? "MLP" : "convolutional";
}

nn::Sequential make_network(Architecture architecture, Index width, const ImageTask& task, Rng& rng) {
  if (architecture == Architecture::convolutional) return convolutional(width, task, rng);
  return models::MLP({.input = nn::Sequential{nn::Flatten()},
                      .sizes = {task.image.size(), width, task.classes},
                      .activation = models::activation("relu")},
                     rng);
}

NetworkSize size_of(Architecture architecture, Index width, const ImageTask& task) {
  return {width, parameters_of(architecture, width, task), flops_of_image(architecture, width, task)};
}

std::vector<Partners> partners_of(std::span<const NetworkSize> others, const ImageTask& task) {
  std::vector<Partners> partners;
  for (const NetworkSize& other : others)
    partners.push_back(
        {size_of(Architecture::convolutional,
                 nearest_width(
                     other.parameters,
                     [&](Index width) { return parameters_of(Architecture::convolutional, width, task); }),
                 task),
         size_of(Architecture::convolutional,
                 nearest_width(
                     other.flops,
                     [&](Index width) { return flops_of_image(Architecture::convolutional, width, task); }),
                 task)});
  return partners;
}

std::unique_ptr<Work> architecture_runs(const std::string& data_dir) {
  return std::make_unique<ArchitectureRuns>(data_dir);
}

}  // namespace elk::lab
