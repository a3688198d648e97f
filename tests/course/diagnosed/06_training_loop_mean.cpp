// WRONG +what one step adds to the weights\n.*98 %.*\n +all of it is 50 times too small, and 50 is a size
// here
#include <elk/elk.hpp>

void my_training(const elk::nn::Module& net, const elk::Dataset& train, elk::Index epochs, elk::Rng& rng) {
  elk::optim::SGD sgd(net, {.lr = 0.5});
  for (elk::Index epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& [x, labels] : elk::Batches(train, 50, rng)) {
      elk::Tape tape(rng);
      sgd.step(tape.backward(elk::cross_entropy(net(x), labels) / static_cast<double>(x.size(0))));
    }
    sgd.set_lr(0.9 * sgd.lr());
  }
}
