#include <string>
#include <vector>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"
#include "link.hpp"

std::vector<double> my_walk(const std::vector<std::vector<Link>>& tape);

const course::Exercise walk(
    "16_walk",
    [](course::Grader& grader) {
      const auto check = [&](const char* what, const std::vector<std::vector<Link>>& tape,
                             const std::vector<double>& expected) {
        grader.value(
            what, [&] { return elk::from(my_walk(tape)); }, elk::from(expected));
      };
      check("a chain", {{}, {{0, 3}}, {{1, -2}}, {{2, 0.5}}}, {-3, -1, 0.5, 1});
      check("a value that is used twice", {{}, {{0, 4}, {0, 4}}}, {8, 1});
      check("ways of different lengths", {{}, {{0, 2}}, {{1, 3}}, {{0, 5}, {1, 7}, {2, 11}}},
            {85, 40, 11, 1});
    },
    []() -> std::string {
      // One layer, number by number: 490 weights of 7 x 7 numbers of the image, 10 biases, 10 logits and the
      // loss.
      const course::Digits& all = course::digits();
      const auto small = [](const elk::Tensor& x) {
        return elk::reshape(elk::mean(elk::reshape(x, {x.size(0), 7, 4, 7, 4}), {2, 4}), {x.size(0), 49});
      };
      const elk::Tensor x = small(all.x);
      std::vector<double> w(500, 0.0);
      const auto matrix = [&] {
        return elk::from(std::vector<double>(w.begin(), w.begin() + 490), {10, 49});
      };
      const auto biases = [&] { return elk::from(std::vector<double>(w.begin() + 490, w.end())); };
      for (elk::Index i = 0; i < 1000; ++i) {
        const elk::Tensor image = elk::slice(x, 0, i, i + 1);
        const elk::Tensor p = elk::softmax(elk::linear(image, matrix(), biases()));
        std::vector<std::vector<Link>> tape(500);
        for (std::size_t c = 0; c < 10; ++c) {
          std::vector<Link> links{{490 + c, 1}};
          for (std::size_t k = 0; k < 49; ++k)
            links.push_back({49 * c + k, image.at(static_cast<elk::Index>(k))});
          tape.push_back(links);
        }
        std::vector<Link> of_loss;
        for (std::size_t c = 0; c < 10; ++c) {
          const double target = all.labels.at(i) == static_cast<double>(c) ? 1 : 0;
          of_loss.push_back({500 + c, p.at(static_cast<elk::Index>(c)) - target});
        }
        tape.push_back(of_loss);
        const std::vector<double> gradient = my_walk(tape);
        for (std::size_t k = 0; k < 500; ++k) w[k] -= 0.3 * gradient[k];
      }
      return course::reads("a layer whose gradients are from your walk over tapes of 511 entries",
                           elk::linear(small(all.test_x), matrix(), biases()));
    });
