// The walk back through a list (chapter 2)
//
// Each entry of the tape has links. A link has an earlier entry, and the derivative of the value with respect
// to it. Returns the gradient of the last entry with respect to each entry. Below, an entry that is used
// twice loses one of its two contributions.
#include <vector>

#include "link.hpp"

std::vector<double> my_walk(const std::vector<std::vector<Link>>& tape) {
  std::vector<double> gradient(tape.size(), 0.0);
  gradient.back() = 1;
  for (std::size_t entry = tape.size(); entry-- > 0;)
    for (const Link& link : tape[entry]) gradient[link.to] = gradient[entry] * link.derivative;  // TODO
  return gradient;
}
