#include <functional>

double my_descent(const std::function<double(double)>& loss, double w, double rate, int steps) {
  const double h = 1e-5;
  for (int step = 0; step < steps; ++step) {
    const double slope = (loss(w + h) - loss(w - h)) / (2 * h);
    w = w - rate * slope;
  }
  return w;
}
