// Two bugs in a training loop (chapter 5)
//
// It should train as the study did: SGD on the mean loss of batches of 50, with a learning rate that begins
// at 0.5 and is multiplied by 0.9 after every epoch. It compiles, it runs, and the loss falls, but it has two
// bugs.
#include <elk/elk.hpp>

void my_training(const elk::nn::Module& net, const elk::Dataset& train, elk::Index epochs, elk::Rng& rng) {
  elk::optim::SGD sgd(net, {.lr = 0.5});
  for (elk::Index epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& [x, labels] : elk::Batches(train, 50, rng)) {
      elk::Tape tape(rng);
      const elk::Tensor loss = elk::cross_entropy(net(x), labels) / static_cast<double>(x.size(0));
      sgd.step(tape.backward(loss));
      sgd.set_lr(0.9 * sgd.lr());
    }
  }
}
