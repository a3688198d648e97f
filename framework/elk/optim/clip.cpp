#include <cmath>

#include <elk/autograd/scope.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/optim/clip.hpp>

namespace elk::optim {

namespace {

void check_limit(const char* operation, double limit) {
  if (!(limit > 0)) fail<ValueError>("[{}] expected a limit above 0, got {}", operation, limit);
}

}  // namespace

double norm(const Gradients& gradients) {
  double sum = 0;
  for (const Tensor& gradient : gradients.values()) sum += kernels::sum_of_squares(gradient);
  return std::sqrt(sum);
}

Gradients clip_norm(Gradients gradients, double limit) {
  check_limit("clip_norm", limit);
  const Stage stage("clip");
  if (const double size = norm(gradients); size > limit) gradients *= limit / size;
  return gradients;
}

Gradients clip_value(Gradients gradients, double limit) {
  check_limit("clip_value", limit);
  const Stage stage("clip");
  gradients.apply([limit](const Tensor& g) { return kernels::clamp(g, -limit, limit); });
  return gradients;
}

}  // namespace elk::optim
