// What optimizers check of their numbers and networks. Private.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/nn/module.hpp>

namespace elk::optim {

inline void check(const char* optimizer, const char* option, double value, double low, double below) {
  if (!(value >= low && value < below))
    fail<ValueError>("[{}] {} must be from {} to below {}, got {}", optimizer, option, low, below, value);
}

inline std::vector<nn::NamedSlot> parameters_of(const char* optimizer, const nn::Module& module) {
  std::vector<nn::NamedSlot> list = module.parameters();
  if (list.empty())
    fail<ValueError>("[{}] {} lists no parameters: name them in its fields()", optimizer, module.describe());
  return list;
}

// That `x`, loaded under `name`, can take a place of this shape and dtype.
inline void check_loaded(const char* optimizer, const std::string& name, const Tensor& x, const Shape& shape,
                         DType dtype) {
  if (x.shape() != shape)
    fail<ShapeError>("[{}] \"{}\" must be {} {}, got {} {}", optimizer, name, dtype, shape, x.dtype(),
                     x.shape());
  if (x.dtype() != dtype)
    fail<DTypeError>("[{}] \"{}\" must be {}, got {}: convert the state with cast", optimizer, name, dtype,
                     x.dtype());
}

}  // namespace elk::optim
