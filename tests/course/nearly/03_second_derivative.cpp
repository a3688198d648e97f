// WRONG +the second derivative of x³\n +\[backward\] this tensor is not on the tape
#include <functional>

#include <elk/elk.hpp>

elk::Tensor my_second_derivative(const std::function<elk::Tensor(const elk::Tensor&)>& f,
                                 const elk::Tensor& x) {
  elk::Tape outer, inner;
  inner.watch(x);
  const elk::Tensor first = inner.backward(elk::sum(f(x)))[x];
  return outer.backward(elk::sum(first))[x];
}
