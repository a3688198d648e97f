#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_scale(const elk::Tensor& x, const elk::Tensor& s);

const course::Exercise scale(
    "17_scale",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor x = elk::randn({4, 3}, rng, elk::f64), s = elk::randn({4, 1}, rng, elk::f64);
      grader.value(
          "the value", [&] { return my_scale(x, s); }, x * s);
      grader.derivatives([](const course::Inputs& in) { return my_scale(in[0], in[1]); },
                         {{"x", x}, {"s", s}},
                         {"my_scale", [](const course::Inputs& in) { return in[0] * in[1]; }});
    },
    []() -> std::string {
      course::Weights w = course::layers({784, 16, 10});
      for (const elk::Tensor& of_scale : course::layers({784, 1})) w.push_back(of_scale);
      return course::learns("a network that scales each image by itself, with your scale,", w,
                            [](const elk::Tensor& x, const course::Weights& all) {
                              const elk::Tensor s = 2 * elk::sigmoid(elk::linear(x, all[4], all[5]));
                              return elk::linear(my_scale(elk::relu(elk::linear(x, all[0], all[1])), s),
                                                 all[2], all[3]);
                            });
    });
