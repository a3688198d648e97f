// expected: use the one parameter in both places
#include <elk/nn/layers.hpp>
#include <elk/ops/linalg.hpp>

class Tied : public elk::nn::Module {
 public:
#ifdef MISTAKE
  explicit Tied(elk::Rng& rng) : encoder_(4, 4, rng), w_(encoder_.weight()) {}
  elk::Tensor forward(const elk::Tensor& x) const override { return matmul(encoder_(x), w_); }

 private:
  elk::nn::Linear encoder_;
  elk::nn::Parameter w_;
#else
  explicit Tied(elk::Rng& rng) : encoder_(4, 4, rng) {}
  elk::Tensor forward(const elk::Tensor& x) const override { return matmul(encoder_(x), encoder_.weight()); }

 private:
  elk::nn::Linear encoder_;
#endif
};

elk::Tensor use(elk::Rng& rng, const elk::Tensor& x) { return Tied(rng)(x); }
