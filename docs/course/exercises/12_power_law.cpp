// A power law through measured losses (chapter 8)
//
// loss = a n^-b: returns a and b, fitted to pairs of n and loss. Below, least squares find a straight line,
// loss = c + d n, which is not a power law.
#include <cmath>
#include <utility>
#include <vector>

// The intercept and the slope of the line that least squares put through the points.
std::pair<double, double> line(const std::vector<double>& x, const std::vector<double>& y) {
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (const double value : x) mean_x += value / static_cast<double>(x.size());
  for (const double value : y) mean_y += value / static_cast<double>(y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return {mean_y - xy / xx * mean_x, xy / xx};
}

std::pair<double, double> my_power_law(const std::vector<double>& n, const std::vector<double>& loss) {
  const auto [a, b] = line(n, loss);  // TODO
  return {a, b};
}
