#include <elk/elk.hpp>

void my_training(const elk::nn::Module& net, const elk::Dataset& train, elk::Index epochs, elk::Rng& rng) {
  elk::optim::SGD sgd(net, {.lr = 0.5});
  for (elk::Index epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& [x, labels] : elk::Batches(train, 50, rng)) {
      elk::Tape tape(rng);
      const elk::Tensor loss = elk::cross_entropy(net(x), labels);
      sgd.step(tape.backward(loss));
    }
    sgd.set_lr(0.9 * sgd.lr());
  }
}
