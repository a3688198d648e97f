// A network of PyTorch's and ours of the same modules: weights travel both ways by name.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include <elk/autograd/tape.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>

#include "io/python.hpp"
#include "io/temporary_folder.hpp"

namespace elk {
namespace {

const std::string golden = ELK_TESTS_DIR "/golden/";

// The modules of tests/golden/torch_weights.py, which makes the file with PyTorch.
nn::Sequential network(Rng& rng) {
  return nn::Sequential{nn::Linear(6, 8, rng), nn::ReLU(), nn::Linear(8, 7, rng),
                        nn::LayerNorm(7),      nn::GELU(), nn::Linear(7, 4, rng)};
}

// The tensors whose names begin with `prefix`, without it.
State under(const std::string& prefix, const State& tensors) {
  State state;
  for (const NamedTensor& item : tensors)
    if (item.name.starts_with(prefix)) state.push_back({item.name.substr(prefix.size()), item.value});
  return state;
}

const Tensor& find(const State& tensors, const std::string& name) {
  for (const NamedTensor& item : tensors)
    if (item.name == name) return item.value;
  throw ValueError("no tensor is named " + name);
}

void expect_close(const Tensor& found, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(found.shape(), expected.shape()) << what;
  for (Index i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found.at(i), expected.at(i), 1e-6 * std::max(1.0, std::abs(expected.at(i))))
        << what << " " << i;
}

TEST(Torch, ItsWeightsGiveItsOutputsAndItsGradients) {
  const State file = load_safetensors(golden + "torch_weights.safetensors").tensors;
  Rng rng(1);
  nn::Sequential net = network(rng);
  const State theirs = under("net.", file), ours = net.state();
  ASSERT_EQ(theirs.size(), ours.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(theirs[i].name, ours[i].name);
  net.load_state(theirs);
  expect_close(net(find(file, "x")), find(file, "y"), "y");

  Tape tape;
  const Gradients grads = tape.backward(cross_entropy(net(find(file, "x")), find(file, "labels")));
  for (const nn::NamedSlot& parameter : net.parameters())
    expect_close(grads[parameter.slot->value()], find(file, "grad." + parameter.name), parameter.name);
}

TEST(Torch, ComputesTheSameFromOurWeights) {
  const std::string python = python_with("torch");
  if (python.empty()) GTEST_SKIP() << "there is no Python with PyTorch";
  Rng rng(2);
  const nn::Sequential net = network(rng);
  const Tensor x = randn({5, 6}, rng);
  State file{{"x", x}, {"y", net(x)}};
  for (const NamedTensor& item : net.state()) file.push_back({"net." + item.name, item.value});
  const TemporaryFolder folder;
  const auto check = [&] {
    save_safetensors(folder / "m.safetensors", file, {{"format", "elkgrad/1"}});
    return std::system(
        (python + " " + golden + "torch_weights.py check " + (folder / "m.safetensors")).c_str());
  };
  EXPECT_EQ(check(), 0);
  file[1].value = net(x + 1e-3);  // what it notices
  testing::internal::CaptureStderr();
  EXPECT_NE(check(), 0);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("not close"), std::string::npos);
}

}  // namespace
}  // namespace elk
