// What kind of mistake a wrong result or gradient is, told from all of its elements.
#pragma once

#include <string>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace course {

/// A sentence of the course that helps with a mistake.
struct Help {
  const char *file, *words;
};

/// `see docs/course/3-tensors.md: "The shapes leave no choice"`
std::string see(const Help& help);

/// Which known mistake makes `found` of `expected`: -1 times, N times too large or too small for one of the
/// `sizes`, another constant factor, transposed. A sentence, or "" where it is none of these.
std::string diagnose(const elk::Tensor& found, const elk::Tensor& expected,
                     const std::vector<elk::Index>& sizes);

/// The same for a gradient that the tape refused: whether the message says that a rule returned the
/// transposed shape.
std::string diagnose_message(const std::string& message);

namespace help {

inline constexpr Help sign{"1-derivative.md", "each step multiplies what arrives by its own derivative"};
inline constexpr Help ignores_dy{"1-derivative.md", "what arrives is dy"};
inline constexpr Help no_gradient{"1-derivative.md", "Return what `record` gave"};
inline constexpr Help composed{"1-derivative.md", "has the name that you gave it"};
inline constexpr Help no_rule{"1-derivative.md", "it is never exact"};
inline constexpr Help summed{"3-tensors.md", "sum over the axes that were stretched"};
inline constexpr Help shapes{"3-tensors.md", "The shapes leave no choice"};
inline constexpr Help tapes{"2-tape.md", "Every derivative takes a tape of its own"};

}  // namespace help

}  // namespace course
