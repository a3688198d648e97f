// How large weights should begin (chapter 6)
//
// Returns the standard deviation s of the initial weights of a layer with n inputs. With it, a batch must
// keep its size through thirty such layers, with a ReLU after each layer or without one. Below, all weights
// begin with N(0, 1).
#include <cmath>

double my_deviation([[maybe_unused]] int n, [[maybe_unused]] bool relu) {
  return 1;  // TODO
}
