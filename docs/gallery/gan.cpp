// gan, 2014: two networks play against each other until one draws the other's data
//
// I. Goodfellow et al., "Generative adversarial nets", NIPS 2014. The data are eight Gaussians on a ring. A
// penalty on the discriminator's slope (L. Mescheder, A. Geiger, S. Nowozin, 2018) keeps the generator from
// drawing a few of them only.
#include <cmath>
#include <cstdio>
#include <numbers>
#include <set>
#include <vector>

#include <elk/elk.hpp>

#include "picture.hpp"

using elk::Index, elk::Tensor;

constexpr double deviation = 0.1;  // of each Gaussian; the ring has the radius 2

double angle(Index i) { return static_cast<double>(i) * std::numbers::pi / 4; }

Tensor ring(Index n, elk::Rng& rng) {
  std::vector<float> x;
  for (Index i = 0; i < n; ++i) {
    const double a = angle(rng.integer(0, 8));
    for (const double centre : {2 * std::cos(a), 2 * std::sin(a)})
      x.push_back(static_cast<float>(centre + deviation * rng.normal()));
  }
  return elk::from(x, {n, 2});
}

elk::nn::Sequential network(Index in, Index out, elk::Rng& rng) {
  return elk::nn::Sequential{elk::nn::Linear(in, 128, rng), elk::nn::ReLU(), elk::nn::Linear(128, 128, rng),
                             elk::nn::ReLU(), elk::nn::Linear(128, out, rng)};
}

int main(int argc, char**) {
  const bool smoke = argc > 1;  // --smoke
  elk::Rng rng(1);
  elk::nn::Sequential generator = network(8, 2, rng), discriminator = network(2, 1, rng);
  elk::optim::Adam of_generator(generator, {.lr = 1e-3, .beta1 = 0.5});
  elk::optim::Adam of_discriminator(discriminator, {.lr = 1e-3, .beta1 = 0.5});
  // The loss of a discriminator that should say `real`.
  const auto judged = [&](const Tensor& x, double real) {
    return elk::binary_cross_entropy_with_logits(discriminator(x), elk::full({x.size(0), 1}, real));
  };

  // How many of the Gaussians are drawn, and the share of points within three deviations of one.
  const auto measure = [&] {
    const Tensor x = generator(elk::randn({2000, 8}, rng));
    std::multiset<Index> near;
    for (Index i = 0; i < 2000; ++i)
      for (Index k = 0; k < 8; ++k)
        if (std::hypot(x.at(2 * i) - 2 * std::cos(angle(k)), x.at(2 * i + 1) - 2 * std::sin(angle(k))) <
            3 * deviation)
          near.insert(k);
    Index found = 0;
    for (Index k = 0; k < 8; ++k) found += near.count(k) >= 20;
    return std::pair{found, static_cast<double>(near.size()) / 2000};
  };

  for (int step = 1; step <= (smoke ? 300 : 5000); ++step) {
    {
      const Tensor real = ring(256, rng), fake = generator(elk::randn({256, 8}, rng));
      elk::Tape tape(rng);
      const Tensor slope = elk::grad([&](const Tensor& x) { return elk::sum(discriminator(x)); })(real);
      const Tensor penalty = 0.05 * elk::sum(elk::square(slope)) / 256;
      of_discriminator.step(tape.backward(judged(real, 1) + judged(fake, 0) + penalty));
    }
    elk::Tape tape(rng);
    of_generator.step(tape.backward(judged(generator(elk::randn({256, 8}, rng)), 1)));
    if (step % (smoke ? 100 : 1000) == 0) {
      const elk::Pause pause;
      const auto [found, good] = measure();
      std::printf("step %4d  %d of 8 Gaussians drawn, %3.0f%% of the points near one\n", step,
                  static_cast<int>(found), 100 * good);
    }
  }
  const auto [found, good] = measure();
  picture::plot("gan.svg", "x", "y",
                {picture::points("data", ring(500, rng)),
                 picture::points("generator", generator(elk::randn({500, 8}, rng)))});
  return smoke ? (good > 0.02 ? 0 : 1) : (found == 8 && good > 0.7 ? 0 : 1);
}
