// A slope, to both sides (chapter 0)
//
// The slope of f at w: the difference of f a little to the right and a little to the left, over the distance.
// Below it is measured to one side only, which is less exact.
#include <functional>

double my_slope(const std::function<double(double)>& f, double w) {
  const double h = 1e-5;
  return (f(w + h) - f(w)) / h;  // TODO
}
