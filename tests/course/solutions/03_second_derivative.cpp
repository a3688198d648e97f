#include <functional>

#include <elk/elk.hpp>

elk::Tensor my_second_derivative(const std::function<elk::Tensor(const elk::Tensor&)>& f,
                                 const elk::Tensor& x) {
  elk::Tape outer;
  outer.watch(x);
  elk::Tape inner;
  inner.watch(x);
  const elk::Tensor first = inner.backward(elk::sum(f(x)))[x];
  return outer.backward(elk::sum(first))[x];
}
