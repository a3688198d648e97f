// How large weights should begin (chapter 6)
//
// Returns the standard deviation s of the first weights of a layer with n inputs, so that what goes through
// thirty such layers keeps its size: with a ReLU behind each layer, or with nothing. Below, every layer
// begins at N(0, 1).
#include <cmath>

double my_deviation([[maybe_unused]] int n, [[maybe_unused]] bool relu) {
  return 1;  // TODO
}
