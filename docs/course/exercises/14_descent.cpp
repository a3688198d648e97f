// Downhill by wiggling (chapter 0)
//
// Starts at `w`, takes `steps` steps against the slope of `loss`, each the slope times the rate, and returns
// the w that it reaches. Measure the slope to both sides, with h = 1e-5. Below, w never changes.
#include <functional>

double my_descent(const std::function<double(double)>& loss, double w, double rate, int steps) {
  for (int step = 0; step < steps; ++step) {
    const double slope = 0 * loss(w);  // TODO
    w = w - rate * slope;
  }
  return w;
}
