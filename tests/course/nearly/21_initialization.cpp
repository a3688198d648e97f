// right +without an activation\n +WRONG +with a ReLU\n +after thirty layers the numbers are [0-9.e-]+ times
// as large
#include <cmath>

double my_deviation([[maybe_unused]] int n, [[maybe_unused]] bool relu) {
  return std::sqrt(1.0 / n) + (relu ? 0 : 0);
}
