#include <elk/elk.hpp>

#include "grader.hpp"

elk::Tensor my_scale(const elk::Tensor& x, const elk::Tensor& s);

const course::Exercise scale("17_scale", [](course::Grader& grader) {
  elk::Rng rng(7);
  const elk::Tensor x = elk::randn({4, 3}, rng, elk::f64), s = elk::randn({4, 1}, rng, elk::f64);
  grader.value(
      "the value", [&] { return my_scale(x, s); }, x * s);
  grader.derivatives([](const course::Inputs& in) { return my_scale(in[0], in[1]); }, {{"x", x}, {"s", s}},
                     {"my_scale", [](const course::Inputs& in) { return in[0] * in[1]; }});
});
