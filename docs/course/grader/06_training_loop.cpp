#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

void my_training(const elk::nn::Module& net, const elk::Dataset& train, elk::Index epochs, elk::Rng& rng);

namespace {

// All weights of a network one after another, after `train` has trained it on `images` digits.
template <class Train>
elk::Tensor weights_after(const Train& train, elk::Index images, elk::Index epochs) {
  elk::Rng rng(100);
  const elk::nn::Sequential net{elk::nn::Linear(784, 8, rng), elk::nn::ReLU(), elk::nn::Linear(8, 10, rng)};
  const auto gather = [&] {
    std::vector<elk::Tensor> parts;
    for (const auto& [name, value] : net.state()) parts.push_back(elk::reshape(value, {-1}));
    return elk::concat(parts);
  };
  const elk::Tensor before = gather();
  train(net, elk::digits(1, 0, images), epochs, rng);
  return gather() - before;
}

void as_it_should(const elk::nn::Module& net, const elk::Dataset& train, elk::Index epochs, elk::Rng& rng) {
  elk::optim::SGD sgd(net, {.lr = 0.5});
  elk::train::fit(const_cast<elk::nn::Module&>(net), sgd, train, rng,
                  {.epochs = epochs, .schedule = elk::optim::exponential(0.9)});
}

}  // namespace

const course::Exercise training_loop(
    "06_training_loop",
    [](course::Grader& grader) {
      const auto check = [&](const char* what, elk::Index images, elk::Index epochs) {
        grader.value(what, [&] { return weights_after(my_training, images, epochs); },
                     weights_after(as_it_should, images, epochs), 1e-4, {}, {50});
      };
      check("what one step adds to the weights", 50, 1);
      check("what an epoch of four steps adds", 200, 1);
      check("what four epochs of two steps add", 100, 4);
    },
    []() -> std::string {
      elk::Rng rng(1);
      const elk::nn::Sequential net{elk::nn::Linear(784, 16, rng), elk::nn::ReLU(),
                                    elk::nn::Linear(16, 10, rng)};
      my_training(net, elk::digits(1, 0, 1000), 4, rng);
      return course::reads("a network that your loop trained",
                           net(elk::cast(course::digits().test_x, elk::f32)));
    });
