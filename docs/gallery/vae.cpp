// vae, 2013: a variational autoencoder arranges the digits on a plane
//
// D. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR 2014.
#include <cstdio>
#include <string>
#include <vector>

#include <elk/elk.hpp>

#include "picture.hpp"

using elk::Index, elk::Tensor;

struct VAE : elk::nn::Module {
  elk::nn::Sequential encoder, decoder;

  explicit VAE(elk::Rng& rng)
      : encoder{elk::nn::Linear(784, 256, rng), elk::nn::ReLU(), elk::nn::Linear(256, 4, rng)},
        decoder{elk::nn::Linear(2, 256, rng), elk::nn::ReLU(), elk::nn::Linear(256, 784, rng)} {}
  void fields(Fields& f) override { f("encoder", encoder)("decoder", decoder); }

  Tensor mean(const Tensor& x) const { return elk::slice(encoder(x), 1, 0, 2); }

  // What is minimised: minus the evidence's lower bound, an image.
  Tensor loss(const Tensor& x, elk::Rng& rng) const {
    const Tensor code = encoder(x), mean = elk::slice(code, 1, 0, 2),
                 log_variance = elk::slice(code, 1, 2, 4);
    const Tensor z = mean + elk::exp(log_variance / 2) * elk::randn(mean.shape(), rng);
    const Tensor divergence = elk::sum(elk::square(mean) + elk::exp(log_variance) - log_variance - 1) / 2;
    return 784 * elk::binary_cross_entropy_with_logits(decoder(z), x) +
           divergence / static_cast<double>(x.size(0));
  }
};

int main(int argc, char**) {
  const bool smoke = argc > 1;  // --smoke
  const auto [train, test] = elk::digits_train_test(1, smoke ? 1000 : 10000, 1000);
  const auto [x_test, labels_test] = *elk::Batches(test, 1000).begin();
  elk::Rng rng(1);
  VAE vae(rng);
  elk::optim::Adam adam(vae, {.lr = 1e-3});

  const double before = vae.loss(x_test, rng).item();
  double after = before;
  for (int epoch = 1; epoch <= (smoke ? 3 : 20); ++epoch) {
    for (const auto& [x, labels] : elk::Batches(train, 100, rng)) {
      elk::Tape tape(rng);
      adam.step(tape.backward(vae.loss(x, rng)));
    }
    after = vae.loss(x_test, rng).item();
    if (smoke || epoch % 5 == 0) std::printf("epoch %2d  -ELBO of new digits %6.2f nats\n", epoch, after);
  }

  // Where the encoder puts new digits, and what the decoder makes of a grid of points.
  const Tensor means = vae.mean(x_test);
  std::vector<picture::Series> series;
  for (int digit = 0; digit < 10; ++digit) {
    std::vector<Index> rows;
    for (Index i = 0; i < 500; ++i)
      if (labels_test.at(i) == digit) rows.push_back(i);
    series.push_back(picture::points(std::to_string(digit), elk::take_rows(means, elk::from(rows))));
  }
  picture::plot("vae.svg", "first latent number", "second", series);
  std::vector<float> grid;
  for (int i = 0; i < 144; ++i)
    for (const int along : {i % 12, i / 12}) grid.push_back(static_cast<float>(along - 5.5) * 0.4F);
  const Tensor drawn = elk::sigmoid(vae.decoder(elk::from(grid, {144, 2})));
  picture::write_png("vae.png", picture::tile(elk::reshape(drawn, {144, 28, 28}), 12));
  return after < (smoke ? before / 2 : 200) ? 0 : 1;
}
