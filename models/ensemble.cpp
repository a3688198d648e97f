#include <models/ensemble.hpp>

#include <cmath>

#include <elk/base/format.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk::models {

Tensor Ensemble::forward(const Tensor& x) const {
  if (size() == 0) fail<ValueError>("[ensemble] it has no networks");
  std::vector<Tensor> logs;
  for (std::size_t i = 0; i < size(); ++i) {
    logs.push_back(log_softmax((*this)[i](x)));
    if (logs[i].shape() != logs[0].shape())
      fail<ShapeError>("[ensemble] network {} gives logits {}, network 1 {}", i + 1, logs[i].shape(),
                       logs[0].shape());
  }
  // Not the logarithm of a sum of probabilities, which may all be too small for their dtype.
  return logsumexp(stack(logs, 0), 0) - std::log(static_cast<double>(size()));
}

nn::Sequential as_one(const std::vector<nn::Sequential>& networks) {
  if (networks.empty()) fail<ValueError>("[ensemble] expected networks, got none");
  if (networks.size() == 1) return networks.front();
  Ensemble ensemble;
  for (std::size_t i = 0; i < networks.size(); ++i)
    ensemble.add("member" + std::to_string(i + 1), networks[i]);
  nn::Sequential net;
  net.add("ensemble", std::move(ensemble));
  return net;
}

}  // namespace elk::models
