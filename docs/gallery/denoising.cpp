// denoising, 2008: an autoencoder with tied weights fills in missing pixels
//
// P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, "Extracting and composing robust features with
// denoising autoencoders", ICML 2008: half of the pixels are 0, and the network gives back all of them.
#include <cstdio>

#include <elk/elk.hpp>

#include "picture.hpp"

using elk::Tensor;

struct Autoencoder : elk::nn::Module {
  elk::nn::Linear encode;
  elk::nn::Parameter bias;

  explicit Autoencoder(elk::Rng& rng) : encode(784, 128, rng), bias(elk::zeros({784})) {}
  Tensor forward(const Tensor& x) const override {  // logits; decoding is the same weight the other way round
    return elk::matmul(elk::sigmoid(encode(x)), encode.weight()) + bias;
  }
  void fields(Fields& f) override { f("encode", encode)("bias", bias); }
};

Tensor spoil(const Tensor& x, elk::Rng& rng) {
  return x * elk::cast(elk::less(elk::uniform(x.shape(), rng), 0.5), elk::f32);
}

int main(int argc, char**) {
  const bool smoke = argc > 1;  // --smoke
  const auto [train, test] = elk::digits_train_test(1, smoke ? 1000 : 10000, 1000);
  elk::Rng rng(1);
  Autoencoder net(rng);
  elk::optim::Adam adam(net, {.lr = 1e-3});

  const Tensor clean = (*elk::Batches(test, 1000).begin()).x, noisy = spoil(clean, rng);
  const double before = elk::mse(noisy, clean).item();
  double first = 0, after = 0;
  for (int epoch = 1; epoch <= (smoke ? 10 : 20); ++epoch) {
    for (const auto& [x, labels] : elk::Batches(train, 50, rng)) {
      elk::Tape tape(rng);
      adam.step(tape.backward(elk::binary_cross_entropy_with_logits(net(spoil(x, rng)), x)));
    }
    after = elk::mse(elk::sigmoid(net(noisy)), clean).item();
    if (epoch == 1) first = after;
    if (epoch % 5 == 0)
      std::printf("epoch %2d  mean squared error %.4f as they come, %.4f denoised\n", epoch, before, after);
  }

  const auto ten = [](const Tensor& images) {
    return elk::reshape(elk::slice(images, 0, 0, 10), {10, 28, 28});
  };
  picture::write_png("denoising.png",
                     picture::tile(elk::concat({ten(clean), ten(noisy), ten(elk::sigmoid(net(noisy)))}), 10));
  return after < (smoke ? first : before) / 2 ? 0 : 1;
}
