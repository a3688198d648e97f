// WRONG +d loss/dw and d loss/db at x = 1.5\n +at \[0\]
#include <cmath>
#include <utility>

std::pair<double, double> my_unit(double x, double w, double b) {
  const double p = std::tanh(w * x + b), e = p - 1;
  const double de = 2 * e;
  const double du = de * (1 - p * p);
  const double dw = du * w, db = du;
  return {dw, db};
}
