// A link of the tape of chapter 2, for exercise 16.
#pragma once

#include <cstddef>

struct Link {
  std::size_t to;     ///< an earlier entry
  double derivative;  ///< of the value with respect to that entry's
};
