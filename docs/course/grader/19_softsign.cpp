#include <elk/elk.hpp>

#include "grader.hpp"

elk::Tensor my_softsign(const elk::Tensor& x);

const course::Exercise softsign("19_softsign", [](course::Grader& grader) {
  const elk::Tensor x = elk::from({-4, -1.5, -0.1, 0.2, 0.5, 3}, {2, 3}, elk::f64);
  grader.value(
      "the value", [&] { return my_softsign(x); }, elk::softsign(x));
  grader.derivatives([](const course::Inputs& in) { return my_softsign(in[0]); }, {{"x", x}},
                     {"my_softsign", [](const course::Inputs& in) { return elk::softsign(in[0]); }});
});
