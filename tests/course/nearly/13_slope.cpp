// WRONG +the slope of w² at 3\n.*\n +all of it is 2 times what it should be
#include <functional>

double my_slope(const std::function<double(double)>& f, double w) {
  const double h = 1e-5;
  return (f(w + h) - f(w - h)) / h;
}
