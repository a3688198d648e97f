// Checks gradients against finite differences.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <elk/nn/module.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk {

/// Options of gradcheck().
struct GradcheckOptions {
  double step = 1e-5;        ///< of the central difference, times max(1, |x|)
  double tolerance = 1e-6;   ///< of |tape - difference|, relative to the input's largest derivative
  bool second_order = true;  ///< also check the derivative of the gradient
  Index max_entries = 200;   ///< checked in each input, evenly spaced; all if it has no more
  std::uint64_t seed = 1;    ///< of the random direction that results are projected on
};

/// The result of gradcheck(); converts to true if all gradients agree.
struct GradcheckReport {
  bool ok = true;
  Index checked = 0;
  // The worst entry:
  int order = 1;          ///< 1: of the gradient; 2: of its derivative
  std::string input;      ///< its name: "input 0", or a parameter's
  Index element = 0;      ///< row-major
  double tape = 0;        ///< by the tape
  double difference = 0;  ///< by the finite difference
  double error = 0;  ///< |tape - difference|, relative to the largest derivative with respect to this input
                     ///< (and at least to what rounding does to the difference)

  /// Whether all agree.
  explicit operator bool() const { return ok; }
  /// "ok: 24 entries, worst ..." or what disagrees, with both numbers.
  std::string to_string() const;
};

/// Compares the derivatives of a random projection of f's result, with respect to every input. Inputs must be
/// f64. Dropout does nothing.
GradcheckReport gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                          const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// The same with respect to x and every trained parameter of a module of f64 (see Module::to).
GradcheckReport gradcheck(nn::Module& module, const Tensor& x, const GradcheckOptions& options = {});

}  // namespace elk
