#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

std::pair<double, double> my_power_law(const std::vector<double>& n, const std::vector<double>& loss);

namespace {

elk::Tensor fitted(const std::vector<double>& n, const std::vector<double>& loss) {
  const auto [a, b] = my_power_law(n, loss);
  return elk::from({a, b}, elk::f64);
}

}  // namespace

const course::Exercise power_law(
    "12_power_law",
    [](course::Grader& grader) {
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
    },
    []() -> std::string {
      // The test loss of a layer by the number of digits that it learned from.
      const course::Digits& all = course::digits();
      std::vector<double> n, loss;
      double largest = 0;
      for (const elk::Index count : {50, 100, 200, 400, 800}) {
        course::Weights w = course::layers({784, 10});
        const elk::Tensor x = elk::slice(all.x, 0, 0, count), labels = elk::slice(all.labels, 0, 0, count);
        for (int step = 0; step < 100; ++step) {
          elk::Tape tape;
          tape.watch(w[0]);
          tape.watch(w[1]);
          const elk::Gradients g = tape.backward(elk::cross_entropy(elk::linear(x, w[0], w[1]), labels));
          w = {w[0] - 0.3 * g[w[0]], w[1] - 0.3 * g[w[1]]};
        }
        largest = elk::cross_entropy(elk::linear(all.test_x, w[0], w[1]), all.test_labels).item();
        if (count == 800) break;  // which the law is to tell
        n.push_back(static_cast<double>(count));
        loss.push_back(largest);
      }
      const auto [a, b] = my_power_law(n, loss);
      return fmt::format(
          "the test loss of a layer that learned 50, 100, 200 and 400 digits is by your fit {:.2f} "
          "n^-{:.2f}; for "
          "800 it says {:.2f}, and measured is {:.2f}",
          a, b, a * std::pow(800, -b), largest);
    });
