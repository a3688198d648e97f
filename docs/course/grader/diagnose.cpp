#include "diagnose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include <elk/ops/linalg.hpp>
#include <elk/ops/shape.hpp>

namespace course {

namespace {

using elk::Index;
using elk::Tensor;

bool near(const Tensor& a, const Tensor& b, double factor = 1) {
  if (a.shape() != b.shape()) return false;
  double most = 0, error = 0;
  for (Index i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(factor * b.at(i)));
    error = std::max(error, std::abs(a.at(i) - factor * b.at(i)));
  }
  return most > 0 && error <= 1e-4 * most;  // f32 and finite differences have no more digits
}

// The c for which a is c b, or 0.
double factor_of(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return 0;
  double ab = 0, bb = 0;
  for (Index i = 0; i < a.size(); ++i) {
    ab += a.at(i) * b.at(i);
    bb += b.at(i) * b.at(i);
  }
  const double c = bb > 0 ? ab / bb : 0;
  return c != 0 && std::isfinite(c) && near(a, b, c) ? c : 0;
}

bool is(double a, double b) { return std::abs(a - b) <= 1e-4 * std::abs(b); }

}  // namespace

std::string see(const Help& help) { return fmt::format("see docs/course/{}: \"{}\"", help.file, help.words); }

std::string diagnose(const Tensor& found, const Tensor& expected, const std::vector<Index>& sizes) {
  if (const double c = factor_of(found, expected); c != 0) {
    if (is(c, 1)) return "";
    if (is(c, -1))
      return "all of it is exactly -1 times what it should be: a sign is wrong.\n" + see(help::sign);
    for (const Index n : sizes) {
      if (n < 2) continue;
      const auto size = static_cast<double>(n);
      if (is(c, size))
        return fmt::format(
            "all of it is {0} times too large, and {0} is a size here: is a mean missing, a division "
            "by {0}?\n{1}",
            n, see(help::summed));
      if (is(c, 1 / size))
        return fmt::format(
            "all of it is {0} times too small, and {0} is a size here: a mean where a sum belongs?\n{1}", n,
            see(help::summed));
    }
    return fmt::format("all of it is {:.6g} times what it should be: a constant factor is wrong.\n{}", c,
                       see(help::sign));
  }
  if (expected.rank() == 2 && found.rank() == 2 && near(found, elk::transpose(expected)))
    return "it is the transpose of what it should be.\n" + see(help::shapes);
  return "";
}

std::string diagnose_message(const std::string& message) {
  static const std::regex shapes(R"(returned f64 \((\d+), (\d+)\), the input is f64 \((\d+), (\d+)\))");
  std::smatch match;
  if (!std::regex_search(message, match, shapes) || match[1] != match[4] || match[2] != match[3]) return "";
  return "it is the transpose of what it should be, by its shape.\n" + see(help::shapes);
}

}  // namespace course
