#include <cmath>

#include <elk/base/format.hpp>
#include <elk/nn/init.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::nn {

Tensor initial_weight(Index in, Index out, Init init, Rng& rng, DType dtype) {
  if (in < 1 || out < 1)
    fail<ShapeError>("[init] expected sizes of at least 1, got {} inputs and {} outputs", in, out);
  const double fan_in = static_cast<double>(in);
  const double std = init == Init::he       ? std::sqrt(2 / fan_in)
                     : init == Init::xavier ? 1 / std::sqrt(fan_in)
                                            : 1;
  Tensor weight = empty({out, in}, dtype);
  const auto fill = [&]<class T>(T* w) {
    for (Index i = 0; i < in; ++i)
      for (Index j = 0; j < out; ++j) w[j * in + i] = static_cast<T>(rng.normal() * std);
  };
  if (dtype == f32)
    fill(detail::writable<float>(weight));
  else if (dtype == f64)
    fill(detail::writable<double>(weight));
  else
    fail<DTypeError>("[init] expected f32 or f64, got {}", dtype);
  return weight;
}

Init init_from(const std::string& name) {
  if (name == "he") return Init::he;
  if (name == "xavier") return Init::xavier;
  if (name == "normal") return Init::normal;
  fail<ValueError>("[init] expected he, xavier or normal, got \"{}\"", name);
}

}  // namespace elk::nn
