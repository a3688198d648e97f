#include <vector>

#include "link.hpp"

std::vector<double> my_walk(const std::vector<std::vector<Link>>& tape) {
  std::vector<double> gradient(tape.size(), 0.0);
  gradient.back() = 1;
  for (std::size_t entry = tape.size(); entry-- > 0;)
    for (const Link& link : tape[entry]) gradient[link.to] += gradient[entry] * link.derivative;
  return gradient;
}
