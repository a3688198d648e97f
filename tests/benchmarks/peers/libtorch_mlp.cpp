// The same MLP with libtorch's C++ front end: a peer to time against.
// --version prints that of libtorch; for the options see peer.hpp. DATA holds the unpacked MNIST files.
#include <torch/torch.h>
#include <torch/version.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "peer.hpp"

torch::Tensor idx(const std::string& path) {
  auto raw = read_bytes(path);
  std::vector<int64_t> dims;
  for (int i = 0; i < raw.at(3); ++i)
    dims.push_back((raw[4 + 4 * i] << 24) | (raw[5 + 4 * i] << 16) | (raw[6 + 4 * i] << 8) | raw[7 + 4 * i]);
  return torch::from_blob(raw.data() + 4 + 4 * dims.size(), dims, torch::kUInt8).clone();
}

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts(TORCH_VERSION);
    return 0;
  }
  const Options o = parse(argc, argv);
  const std::vector<int64_t> sizes(o.layers.begin(), o.layers.end());
  const int64_t batch = o.batch;
  torch::set_num_threads(o.threads);
  torch::manual_seed(100);

  auto x = idx(o.data + "/train-images-idx3-ubyte").flatten(1).to(torch::kFloat) / 255;
  auto y = idx(o.data + "/train-labels-idx1-ubyte").to(torch::kLong);
  auto tx = idx(o.data + "/t10k-images-idx3-ubyte").flatten(1).to(torch::kFloat) / 255;
  auto ty = idx(o.data + "/t10k-labels-idx1-ubyte").to(torch::kLong);

  torch::nn::Sequential model;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    torch::nn::Linear linear(sizes[i], sizes[i + 1]);
    torch::nn::init::normal_(linear->weight, 0, std::sqrt(2. / sizes[i]));
    torch::nn::init::zeros_(linear->bias);
    model->push_back(linear);
    if (i + 2 < sizes.size()) model->push_back(torch::nn::ReLU());
  }
  double lr = o.lr;
  torch::optim::SGD sgd(model->parameters(), lr);
  const int64_t n = x.size(0);
  for (int epoch = 0; epoch < o.epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    auto order = torch::randperm(n);
    auto xs = x.index_select(0, order), ys = y.index_select(0, order);
    double total = 0;
    for (int64_t i = 0; i < n; i += batch) {
      const int64_t m = std::min(batch, n - i);
      auto loss =
          torch::nn::functional::cross_entropy(model->forward(xs.narrow(0, i, m)), ys.narrow(0, i, m));
      sgd.zero_grad();
      loss.backward();
      sgd.step();
      total += loss.item<float>() * m;
    }
    static_cast<torch::optim::SGDOptions&>(sgd.param_groups()[0].options()).lr(lr *= o.decay);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    torch::NoGradGuard no_grad;
    const double acc = model->forward(tx).argmax(1).eq(ty).to(torch::kFloat).mean().item<float>();
    std::printf("epoch %d sec %.3f loss %.4f acc %.4f\n", epoch + 1, seconds, total / n, acc);
    std::fflush(stdout);
  }
}
