// A program of somebody else's on the installed package: a custom layer, operation and loss, trained; and
// what crosses the border of a library. Prints "consumer: ok".
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include <elk/elk.hpp>
#include <models/model_file.hpp>
#include <models/residual_mlp.hpp>

#if defined(EXPECT_ASSERTS) && defined(NDEBUG)
#error "the asserts of elkgrad's user are gone"
#endif

namespace {

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "consumer: not so: %s\n", what);
  std::exit(1);
}

// An operation: x² / (1 + x²), with its derivative.
elk::Tensor saturate(const elk::Tensor& x) {
  const elk::Tensor s = elk::square(elk::detach(x));
  return elk::record("saturate", s / (1 + s), elk::wrt(x, [x](const elk::Tensor& dy) {
                       return dy * 2 * x / elk::square(1 + elk::square(x));
                     }));
}

// A layer: a scale for each feature, learned.
class Scale : public elk::nn::Module {
 public:
  explicit Scale(elk::Index size) : scale_(elk::ones({size})) {}
  elk::Tensor forward(const elk::Tensor& x) const override { return x * scale_; }
  void fields(Fields& f) override { f("scale", scale_); }
  std::string describe() const override { return "Scale"; }

 private:
  elk::nn::Parameter scale_;
};

// A loss: squared hinge, one class against the others. (K. Crammer, Y. Singer, 2001, squared.)
elk::Tensor hinge(const elk::Tensor& logits, const elk::Tensor& labels) {
  const elk::Tensor hot = elk::one_hot(labels, logits.size(1), logits.dtype());
  const elk::Tensor right = elk::sum(logits * hot, -1, true);
  return elk::mean(elk::square(elk::relu(1 + logits - right) * (1 - hot)));
}

std::string message_of(void (*f)()) {
  try {
    f();
  } catch (const elk::ShapeError& error) {  // a type of the library's, caught outside of it
    return error.what();
  }
  return "";
}

}  // namespace

int main() {
  const auto [train, test] = elk::digits_train_test(1);
  elk::Rng rng(100);
  elk::nn::Sequential net{elk::nn::Linear(784, 32, rng), Scale(32), elk::nn::Function("saturate", saturate),
                          elk::nn::Dropout(0.1), elk::nn::Linear(32, 10, rng)};
  elk::optim::Adam adam(net, {.lr = 3e-3});
  const std::uint64_t flops = elk::flops();
  const auto result = elk::train::fit(net, adam, train, rng, {.loss = hinge, .epochs = 2});
  expect(result.status == elk::train::Status::finished, "training finishes");
  expect(elk::flops() > flops, "operations are counted on this side too");
  const double accuracy = elk::train::evaluate(net, test, hinge).accuracy;
  expect(accuracy > 0.8, "it learns");

  expect(message_of([] {
           elk::matmul(elk::zeros({2, 3}), elk::zeros({4, 5}));
         }) == "[matmul] inner sizes differ: (2, 3) x (4, 5)",
         "errors are caught by their type");
  // By a library, perhaps, that only the package knows of.
  const elk::Tensor image = elk::randn({8, 16, 9, 9}, rng), kernel = elk::randn({16, 16, 3, 3}, rng);
  expect(elk::allclose(elk::cast(elk::conv2d(image, kernel), elk::f64),
                       elk::conv2d(elk::cast(image, elk::f64), elk::cast(kernel, elk::f64)), 1e-4, 1e-4),
         "convolutions are right");
  net.to(elk::f64);
  expect(static_cast<bool>(elk::gradcheck(net, elk::randn({2, 784}, rng, elk::f64), {.max_entries = 10})),
         "the derivatives are right");

  const elk::Profile profile;
  net.forward(elk::ones({1, 784}, elk::f64));
  bool seen = false;
  for (const elk::ProfileRow& row : profile.rows()) seen |= row.operation == "saturate";
  expect(seen, "a profile hears of operations of one's own");

  // A tape of its own in another thread.
  elk::nn::Linear line(3, 1, rng);
  const elk::Tensor x = elk::ones({2, 3});
  elk::Gradients there;
  std::thread([&] {
    elk::Tape tape;
    there = tape.backward(elk::sum(line(x)));
  }).join();
  expect(there[line.weight()].at(0) == 2, "threads have tapes");

  elk::Tape tape;
  elk::Trace trace(tape);
  tape.backward(elk::sum(line(x)));
  trace.write("trace.html", line);

  const elk::models::ResidualMLP residual({.inputs = 4, .width = 8, .classes = 2}, rng);
  elk::models::save_model("model.safetensors", residual,
                          {.kind = "residual_mlp",
                           .sizes = {4, 8, 8, 2},
                           .activation = "gelu",
                           .dataset = "none",
                           .classes = {"a", "b"},
                           .input_shape = {2, 2}});
  expect(elk::models::load_model("model.safetensors").info.sizes.size() == 4, "models are saved and loaded");
  std::printf("consumer: ok, accuracy %.4f\n", accuracy);
}
