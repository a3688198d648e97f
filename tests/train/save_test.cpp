// A network as one file, with its optimizer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::train {
namespace {

using test::error_of;
using test::values;
using testing::HasSubstr;

class Net : public nn::Module {
 public:
  explicit Net(Rng& rng, bool forgets = false) : fc1_(3, 4, rng), fc2_(4, 2, rng), forgets_(forgets) {}
  Tensor forward(const Tensor& x) const override { return fc2_(relu(fc1_(x - mean_))); }
  void fields(Fields& f) override {
    f("fc1", fc1_)("mean", mean_);
    if (!forgets_) f("fc2", fc2_);
  }

 private:
  nn::Linear fc1_, fc2_;
  Tensor mean_ = ones({3});
  bool forgets_;
};

void step(const nn::Module& net, optim::Optimizer& optimizer) {
  Tape tape;
  optimizer.step(tape.backward(sum(square(net(full({2, 3}, 3))))));
}

std::vector<double> flat(const nn::Module& net) {
  std::vector<double> all;
  for (const NamedTensor& item : net.state())
    for (const double v : values(item.value)) all.push_back(v);
  return all;
}

TEST(Save, ANetworkComesBack) {
  const TemporaryFolder folder;
  Rng rng(1);
  const Net net(rng);
  save(folder / "net.safetensors", net);
  Net other(rng);
  load(folder / "net.safetensors", other);
  EXPECT_EQ(flat(other), flat(net));
  EXPECT_EQ(load_safetensors(folder / "net.safetensors").tensors[0].name, "fc1.weight");  // for other tools
}

TEST(Save, WithItsOptimizerTrainingGoesOnToTheSameBits) {
  const TemporaryFolder folder;
  Rng rng(1);
  Net net(rng), other(rng);
  optim::Adam adam(net, {}), of_other(other, {});
  step(net, adam);
  save(folder / "both.safetensors", net, adam);
  load(folder / "both.safetensors", other, of_other);
  const std::vector<double> saved = flat(net);
  for (int i = 0; i < 3; ++i) {
    step(net, adam);
    step(other, of_other);
  }
  EXPECT_EQ(flat(other), flat(net));
  EXPECT_NE(flat(net), saved);
  Net third(rng);
  load(folder / "both.safetensors", third);  // without
}

TEST(Save, RefusesANetworkThatListsTooLittle) {
  const TemporaryFolder folder;
  Rng rng(1);
  EXPECT_EQ(error_of<ValueError>([&] { save(folder / "x", nn::ReLU()); }),
            "[save] ReLU lists nothing: name what it holds in its fields()");
  const Net net(rng, true);
  optim::SGD sgd(net, {});
  EXPECT_THROW(step(net, sgd), TapeError);
  EXPECT_EQ(
      error_of<ValueError>([&] { save(folder / "x", net); }),
      "[save] the forward pass used 4 parameters, the network lists 2: not listed: Linear(4, 2): name it "
      "in fields()");
  nn::Sequential named;
  named.add("optimizer", nn::Linear(2, 2, rng));
  EXPECT_EQ(error_of<ValueError>([&] { save(folder / "x", named, optim::SGD(named, {})); }),
            "[save] \"optimizer.weight\" is a name for what an optimizer keeps: give the field another");
  save(folder / "x", named);
  load(folder / "x", named);
}

TEST(Load, RefusesWhatDoesNotFitAndChangesNothing) {
  const TemporaryFolder folder;
  Rng rng(1);
  Net net(rng);
  optim::Adam adam(net, {});
  optim::SGD momentum(net, {.momentum = 0.9});
  step(net, momentum);
  const std::string path = folder / "net.safetensors";
  save(path, net, momentum);
  const std::vector<double> before = flat(net);
  step(net, momentum);
  const std::vector<double> now = flat(net);
  EXPECT_NE(now, before);
  EXPECT_THAT(error_of<FileError>([&] { load(path, net, adam); }), HasSubstr("[load] " + path + ": "));
  EXPECT_EQ(flat(net), now);
  save(path, net);
  EXPECT_EQ(error_of<FileError>([&] { load(path, net, adam); }),
            "[load] " + path + ": it holds no optimizer: load(path, net)");
  nn::Linear other(3, 4, rng);
  EXPECT_EQ(error_of<FileError>([&] { load(path, other); }),
            "[load] " + path + ": [load_state] \"weight\" is missing");
  // A flipped bit.
  std::string bytes = read_file(path);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_THROW(load(path, net), FileError);
  EXPECT_EQ(flat(net), now);
  EXPECT_THROW(load(folder / "none", net), FileError);
}

}  // namespace
}  // namespace elk::train
