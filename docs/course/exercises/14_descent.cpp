// Downhill by wiggling (chapter 0)
//
// Returns the w that is reached from `w` by so many steps, each against the slope of `loss`, times the rate.
// Measure the slope to both sides, with h = 1e-5. Below, w stays where it is.
#include <functional>

double my_descent(const std::function<double(double)>& loss, double w, double rate, int steps) {
  for (int step = 0; step < steps; ++step) {
    const double slope = 0 * loss(w);  // TODO
    w = w - rate * slope;
  }
  return w;
}
