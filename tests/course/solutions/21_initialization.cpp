#include <cmath>

double my_deviation([[maybe_unused]] int n, [[maybe_unused]] bool relu) {
  return std::sqrt((relu ? 2.0 : 1.0) / n);
}
