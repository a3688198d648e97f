// A training step as train::fit does it.
#pragma once

#include <algorithm>
#include <memory>

#include "common.hpp"

namespace elk::bench {

class TrainingStep {
 public:
  TrainingStep(const Sizes& sizes, Index batch, const std::string& optimizer = "sgd", DType dtype = f32)
      : data_(noise(std::max<Index>(4096, batch), sizes.front(), rng_)),
        order_(rng_.permutation(data_.size())),
        batch_(batch),
        dtype_(dtype),
        net_(net(sizes, rng_, dtype)) {
    // Rates so low that nothing grows, however many steps there are.
    if (optimizer == "adam")
      optimizer_ = std::make_unique<optim::Adam>(net_, optim::Adam::Options{.lr = 1e-6});
    else
      optimizer_ = std::make_unique<optim::SGD>(net_, optim::SGD::Options{.lr = 1e-4});
  }

  /// Of the next batch; returns its loss.
  double operator()() {
    if (next_ + batch_ > data_.size()) next_ = 0;
    const std::span rows(order_.data() + next_, static_cast<std::size_t>(batch_));
    next_ += batch_;
    const auto [x, labels] = gather(data_, rows, dtype_);
    Tape tape(rng_);
    const Tensor loss = cross_entropy(net_(x), labels);
    optimizer_->step(tape.backward(loss));
    return loss.item();
  }

 private:
  Rng rng_{1};
  Dataset data_;
  std::vector<Index> order_;
  Index batch_, next_ = 0;
  DType dtype_;
  models::MLP net_;
  std::unique_ptr<optim::Optimizer> optimizer_;
};

}  // namespace elk::bench
