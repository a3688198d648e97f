#include "digits.hpp"

#include <fmt/format.h>

#include <cmath>

#include <elk/elk.hpp>

namespace course {

using elk::Index;
using elk::Tensor;

const Digits& digits() {
  static const Digits all = [] {
    const auto images = [](Index first) {
      return *elk::Batches(elk::digits(1, first, 1000), 1000, elk::f64).begin();
    };
    const auto train = images(0), test = images(Index{1} << 31);
    return Digits{train.x, train.labels, elk::one_hot(train.labels, 10, elk::f64), test.x, test.labels};
  }();
  return all;
}

Tensor nearness(const Tensor& x) {
  const Digits& all = digits();
  const Tensor means = elk::matmul_tn(all.targets, all.x) / elk::reshape(elk::sum(all.targets, {0}), {10, 1});
  return (elk::matmul_nt(x, means) - elk::sum(elk::square(means), {1}) / 2) / 5;
}

Weights layers(const std::vector<Index>& sizes) {
  elk::Rng rng(1);
  Weights list;
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    const double deviation = std::sqrt(2 / static_cast<double>(sizes[i - 1]));
    list.push_back(deviation * elk::randn({sizes[i], sizes[i - 1]}, rng, elk::f64));
    list.push_back(elk::zeros({sizes[i]}, elk::f64));
  }
  return list;
}

std::string learns(const std::string& who, Weights weights, const Model& model, const Learning& how) {
  const Digits& all = digits();
  const auto loss = [&](const Tensor& logits, const Tensor& targets) {
    return how.loss ? how.loss(logits, targets) : elk::cross_entropy(logits, elk::argmax(targets));
  };
  int step = 0;
  for (int epoch = 0; epoch < how.epochs; ++epoch)
    for (Index first = 0; first < all.x.size(0); first += 50) {
      elk::Tape tape;
      for (const Tensor& w : weights) tape.watch(w);
      const elk::Gradients gradients =
          tape.backward(loss(model(elk::slice(all.x, 0, first, first + 50), weights),
                             elk::slice(all.targets, 0, first, first + 50)));
      ++step;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const Tensor gradient = gradients[weights[i]];
        weights[i] =
            how.update ? how.update(i, weights[i], gradient, step) : weights[i] - how.rate * gradient;
      }
    }
  return reads(who, model(all.test_x, weights));
}

std::string reads(const std::string& who, const Tensor& logits) {
  const Tensor right = elk::equal(elk::argmax(logits), digits().test_labels);
  return fmt::format("{} reads {:.1f} % of {} digits that it has not seen", who,
                     100 * elk::mean(elk::cast(right, elk::f64)).item(), right.size());
}

}  // namespace course
