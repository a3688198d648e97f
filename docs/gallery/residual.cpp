// residual, 2015: shortcuts and batch normalization make a deep network on CIFAR-10 easy to train
//
// K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", 2015; S. Ioffe, C.
// Szegedy, "Batch normalization", 2015. A small one of three blocks.
#include <cstdio>
#include <cstdlib>

#include <elk/elk.hpp>

using namespace elk::nn;
using elk::Index, elk::Tensor;

struct Block : Module {
  Sequential body, shortcut;  // the shortcut is x itself where the shapes are the same

  Block(Index in, Index out, Index stride, elk::Rng& rng)
      : body{Conv2d(in, out, 3, rng, {.stride = stride, .padding = 1, .bias = false}), BatchNorm2d(out),
             ReLU(), Conv2d(out, out, 3, rng, {.padding = 1, .bias = false}), BatchNorm2d(out)} {
    if (in != out)
      shortcut.add(Conv2d(in, out, 1, rng, {.stride = stride, .bias = false})).add(BatchNorm2d(out));
  }
  Tensor forward(const Tensor& x) const override { return elk::relu(body(x) + shortcut(x)); }
  void fields(Fields& f) override { f("body", body)("shortcut", shortcut); }
};

int main(int argc, char**) {
  const bool smoke = argc > 1;  // --smoke
  const char* folder = std::getenv("ELK_DATA_DIR");
  auto [train, test] = elk::load_dataset("cifar-10", folder ? folder : "data");
  if (smoke) train = train.take(0, 200), test = test.take(0, 50);
  const Index epochs = smoke ? 2 : 12;
  elk::Rng rng(1);
  Sequential net{Function("image",
                          [](const Tensor& x) {
                            return elk::reshape(4 * x - 2, {-1, 3, 32, 32});
                          }),
                 Conv2d(3, 32, 3, rng, {.padding = 1, .bias = false}),
                 BatchNorm2d(32),
                 ReLU(),
                 MaxPool2d(2),
                 Block(32, 32, 1, rng),
                 Block(32, 64, 2, rng),
                 Block(64, 128, 2, rng),
                 AdaptiveAvgPool2d(1),
                 Flatten(),
                 Linear(128, 10, rng)};

  elk::optim::SGD sgd(net, {.lr = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4});
  elk::train::Progress progress;
  const auto result = elk::train::fit(net, sgd, train, rng,
                                      {.epochs = epochs,
                                       .batch_size = smoke ? 25 : 128,
                                       .schedule = elk::optim::one_cycle(static_cast<double>(epochs)),
                                       .augment = elk::Augment({.flip = 0.5, .crop = 4}, 1),
                                       .callbacks = {&progress}});
  const double accuracy = elk::train::evaluate(net, test, elk::cross_entropy).accuracy;
  std::printf("%d parameters, test accuracy %.4f\n", static_cast<int>(net.parameter_count()), accuracy);
  const auto& history = result.history;
  return smoke ? (history.back().train_loss < history.front().train_loss ? 0 : 1) : (accuracy > 0.8 ? 0 : 1);
}
