#include <functional>

double my_slope(const std::function<double(double)>& f, double w) {
  const double h = 1e-5;
  return (f(w + h) - f(w - h)) / (2 * h);
}
