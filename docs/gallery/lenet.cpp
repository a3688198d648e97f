// lenet, 1998: a convolutional network reads MNIST
//
// Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
// Proc. IEEE 86, 1998: the sizes of LeNet-5, with relu and maxima in place of its sigmoids and means.
#include <cstdio>
#include <cstdlib>

#include <elk/elk.hpp>

int main(int argc, char**) {
  const bool smoke = argc > 1;  // --smoke: some of the built-in digits
  const char* folder = std::getenv("ELK_DATA_DIR");
  const auto [train, test] =
      smoke ? elk::digits_train_test(1, 2000, 500) : elk::load_dataset("mnist", folder ? folder : "data");
  const elk::Index epochs = smoke ? 2 : 10;
  elk::Rng rng(1);
  using namespace elk::nn;
  Sequential net{Function("image",
                          [](const elk::Tensor& x) {
                            return elk::reshape(x, {-1, 1, 28, 28});
                          }),
                 Conv2d(1, 6, 5, rng, {.padding = 2}),
                 ReLU(),
                 MaxPool2d(2),
                 Conv2d(6, 16, 5, rng),
                 ReLU(),
                 MaxPool2d(2),
                 Flatten(),
                 Linear(400, 120, rng),
                 ReLU(),
                 Linear(120, 84, rng),
                 ReLU(),
                 Linear(84, 10, rng)};

  elk::optim::Adam adam(net, {.lr = 3e-3});
  elk::train::Progress progress;
  elk::train::fit(net, adam, train, rng,
                  {.epochs = epochs,
                   .batch_size = 64,
                   .schedule = elk::optim::one_cycle(static_cast<double>(epochs)),
                   .augment = elk::Augment({.shift = 2}, 1),
                   .callbacks = {&progress}});
  const double accuracy = elk::train::evaluate(net, test, elk::cross_entropy).accuracy;
  std::printf("%d parameters, test accuracy %.4f\n", static_cast<int>(net.parameter_count()), accuracy);
  return accuracy > (smoke ? 0.5 : 0.99) ? 0 : 1;
}
