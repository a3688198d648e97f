// xor, 1986: backpropagation finds the hidden units that XOR needs
//
// D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating errors", Nature 323,
// 1986.
#include <cstdio>

#include <elk/elk.hpp>

int main() {
  const elk::Tensor x = elk::from({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2}), y = elk::from({0, 1, 1, 0}, {4, 1});
  elk::Rng rng(2);
  elk::nn::Sequential hidden{elk::nn::Linear(2, 2, rng), elk::nn::Sigmoid()};
  elk::nn::Sequential net{hidden, elk::nn::Linear(2, 1, rng), elk::nn::Sigmoid()};
  elk::optim::SGD sgd(net, {.lr = 0.5, .momentum = 0.9});

  elk::Tensor loss;
  for (int epoch = 0; epoch <= 2000; ++epoch) {
    elk::Tape tape;
    loss = elk::mse(net(x), y);
    if (epoch % 400 == 0) std::printf("epoch %4d  mean squared error %.5f\n", epoch, loss.item());
    sgd.step(tape.backward(loss));
  }

  const elk::Tensor units = net[0](x), out = net(x);
  std::printf("\n x1  x2   hidden units  output\n");
  for (int i = 0; i < 4; ++i)
    std::printf("%3.0f %3.0f   %5.2f  %5.2f  %6.3f\n", x.at(2 * i), x.at(2 * i + 1), units.at(2 * i),
                units.at(2 * i + 1), out.at(i));
  return loss.item() < 0.01 ? 0 : 1;
}
