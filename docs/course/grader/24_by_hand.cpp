#include <string>
#include <utility>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

std::pair<elk::Tensor, elk::Tensor> my_training_by_hand(const elk::Tensor& x, const elk::Tensor& labels);

const course::Exercise by_hand(
    "24_by_hand",
    [](course::Grader& grader) {
      const auto batch = [](elk::Index first, elk::Index count) {
        return *elk::Batches(elk::digits(1, first, count), count).begin();
      };
      const auto train = batch(0, 1000);
      elk::Rng rng(1);
      elk::nn::Linear layer(784, 10, rng, elk::nn::Linear::Options{elk::nn::init_from("he")});
      elk::State zeros = layer.state();
      for (elk::NamedTensor& item : zeros) item.value = elk::zeros(item.value.shape());
      layer.load_state(zeros);
      elk::optim::SGD sgd(layer, {.lr = 0.5});
      for (int step = 0; step < 100; ++step) {
        elk::Tape tape;
        sgd.step(tape.backward(elk::cross_entropy(layer(train.x), train.labels)));
      }
      std::pair<elk::Tensor, elk::Tensor> yours;
      grader.value(
          "the weights after a hundred steps",
          [&] {
            yours = my_training_by_hand(train.x, train.labels);
            return yours.first;
          },
          layer.state()[0].value, 1e-4);
      grader.value(
          "the biases after them", [&] { return yours.second; }, layer.state()[1].value, 1e-4);
    },
    []() -> std::string {
      const course::Digits& all = course::digits();
      const auto [weight, bias] = my_training_by_hand(elk::cast(all.x, elk::f32), all.labels);
      return course::reads("what your loop trained",
                           elk::linear(elk::cast(all.test_x, elk::f32), weight, bias));
    });
