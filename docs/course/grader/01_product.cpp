#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b);

const course::Exercise product(
    "01_product",
    [](course::Grader& grader) {
      elk::Rng rng(7);  // not the seed of the directions that gradcheck draws
      const elk::Tensor a = elk::randn({5}, rng, elk::f64), b = elk::randn({5}, rng, elk::f64);
      grader.value(
          "the value", [&] { return my_product(a, b); }, a * b);
      grader.derivatives([](const course::Inputs& in) { return my_product(in[0], in[1]); },
                         {{"a", a}, {"b", b}},
                         {"my_product", [](const course::Inputs& in) { return in[0] * in[1]; }});
    },
    []() -> std::string {
      course::Weights w = course::layers({784, 16, 10});
      for (const elk::Tensor& gate : course::layers({784, 16})) w.push_back(elk::sigmoid(gate));
      return course::learns("a network whose units are products, made by yours,", w,
                            [](const elk::Tensor& x, const course::Weights& all) {
                              const elk::Tensor a = elk::linear(x, all[0], all[1]),
                                                b = elk::sigmoid(elk::linear(x, all[4], all[5]));
                              return elk::linear(my_product(a, b), all[2], all[3]);
                            });
    });
