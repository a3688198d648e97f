// All numbers of a state in a row, to compare two of them to the bit.
#pragma once

#include <vector>

#include <elk/tensor/tensor.hpp>

#include "support.hpp"

namespace elk::test {

inline std::vector<double> numbers(const State& state) {
  std::vector<double> all;
  for (const NamedTensor& item : state)
    for (const double v : values(item.value)) all.push_back(v);
  return all;
}

}  // namespace elk::test
