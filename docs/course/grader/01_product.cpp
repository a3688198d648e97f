#include <elk/elk.hpp>

#include "grader.hpp"

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b);

const course::Exercise product("01_product", [](course::Grader& grader) {
  elk::Rng rng(7);  // not the seed of the directions that gradcheck draws
  const elk::Tensor a = elk::randn({5}, rng, elk::f64), b = elk::randn({5}, rng, elk::f64);
  grader.value(
      "the value", [&] { return my_product(a, b); }, a * b);
  grader.derivatives([](const course::Inputs& in) { return my_product(in[0], in[1]); }, {{"a", a}, {"b", b}},
                     {"my_product", [](const course::Inputs& in) { return in[0] * in[1]; }});
});
