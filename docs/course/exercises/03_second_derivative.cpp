// A second derivative by two tapes (chapter 2)
//
// f works element by element. Return d²f/dx² at every element of x. Below is the first derivative.
#include <functional>

#include <elk/elk.hpp>

elk::Tensor my_second_derivative(const std::function<elk::Tensor(const elk::Tensor&)>& f,
                                 const elk::Tensor& x) {
  elk::Tape tape;
  tape.watch(x);
  const elk::Gradients gradients = tape.backward(elk::sum(f(x)));
  return gradients[x];  // TODO
}
