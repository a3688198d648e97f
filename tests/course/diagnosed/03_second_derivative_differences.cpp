// WRONG +the second derivative of x³\n +numerically it is right, or nearly, but f was called 2 times: two
// tapes need it once
#include <functional>

#include <elk/elk.hpp>

elk::Tensor my_second_derivative(const std::function<elk::Tensor(const elk::Tensor&)>& f,
                                 const elk::Tensor& x) {
  const auto first = [&](const elk::Tensor& at) {
    elk::Tape tape;
    tape.watch(at);
    return tape.backward(elk::sum(f(at)))[at];
  };
  const double h = 1e-5;
  return (first(x + h) - first(x - h)) / (2 * h);
}
