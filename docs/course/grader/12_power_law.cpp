#include <cmath>
#include <utility>
#include <vector>

#include <elk/elk.hpp>

#include "grader.hpp"

std::pair<double, double> my_power_law(const std::vector<double>& n, const std::vector<double>& loss);

namespace {

elk::Tensor fitted(const std::vector<double>& n, const std::vector<double>& loss) {
  const auto [a, b] = my_power_law(n, loss);
  return elk::from({a, b}, elk::f64);
}

}  // namespace

const course::Exercise power_law("12_power_law", [](course::Grader& grader) {
  const std::vector<double> n{100, 200, 400, 800, 1600};
  std::vector<double> exact, scattered;
  for (const double value : n) exact.push_back(3 * std::pow(value, -0.25));
  for (std::size_t i = 0; i < n.size(); ++i) scattered.push_back(exact[i] * (i % 2 == 0 ? 1.1 : 0.9));
  grader.value(
      "a and b of a law without noise", [&] { return fitted(n, exact); }, elk::from({3, 0.25}, elk::f64));
  // Noise that is symmetric about the middle of log n tilts no line: it moves a alone.
  const double mean = (3 * std::log(1.1) + 2 * std::log(0.9)) / 5;
  grader.value(
      "a and b of a law with noise", [&] { return fitted(n, scattered); },
      elk::from({3 * std::exp(mean), 0.25}, elk::f64));
});
