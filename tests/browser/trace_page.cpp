// trace_page <folder>: small.html, large.html, odd.html and blocks.html, pages for trace.test.mjs, and beside
// each, as .json, what it is to show: every step is computed twice, followed by a Trace for the page, and
// without one for the tensors of the .json.
#include <cmath>

#include <nlohmann/json.hpp>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>

namespace {

using namespace elk;
using Json = nlohmann::ordered_json;

struct Example : nn::Module {
  // Of all operations in their order; the last is the loss.
  virtual std::vector<Tensor> results(const Tensor& x) const = 0;
  Tensor forward(const Tensor& x) const override { return results(x).back(); }
};

// With a rule of the program's own; it may be wrong.
Tensor isru(const Tensor& x, double factor = 1) {
  const Tensor v = detach(x);
  return record(factor == 1 ? "isru" : "wrong", v / sqrt(1 + square(v)),
                wrt(x, [x, factor](const Tensor& dy) { return factor * dy / pow(1 + square(x), 1.5); }));
}

// Few numbers, modules, and a tensor that two operations take.
struct Small : Example {
  nn::Linear first, second;
  Tensor target = from({0, 1, 1, 0}, {4, 1});
  explicit Small(Rng& rng) : first(2, 3, rng), second(3, 1, rng) {}
  std::vector<Tensor> results(const Tensor& x) const override {
    const Tensor z = first(x), h = tanh(z), s = isru(h), r = h + s, y = second(r),
                 d = y - cast(target, y.dtype()), q = square(d);
    return {z, h, s, r, y, d, q, sum(q)};
  }
  void fields(Fields& f) override { f("first", first)("second", second); }
};

// More numbers than a page has, and a wrong gradient.
struct Large : Example {
  nn::Linear linear;
  explicit Large(Rng& rng) : linear(200, 8, rng) {}
  std::vector<Tensor> results(const Tensor& x) const override {
    const Tensor z = linear(x), s = isru(z, 1.5), q = square(s);
    return {z, s, q, sum(q)};
  }
  void fields(Fields& f) override { f("linear", linear); }
};

// Numbers that are not finite.
struct Odd : Example {
  nn::Parameter w{from({4, -1, 0})};
  std::vector<Tensor> results(const Tensor& x) const override {
    const Tensor r = sqrt(w), m = r * x;
    return {r, m, sum(m)};
  }
  void fields(Fields& f) override { f("w", w); }
};

// A bias that is stretched over rows, and two residual blocks.
struct Block : nn::Module {
  nn::Linear first, second;
  explicit Block(Rng& rng) : first(4, 4, rng), second(4, 4, rng) {}
  Tensor forward(const Tensor& x) const override { return x + second(tanh(first(x))); }
  void fields(Fields& f) override { f("first", first)("second", second); }
  std::string describe() const override { return "Block"; }
};

struct Blocks : Example {
  nn::Parameter bias{from({0.5, -1, 0.25, 2})};
  Block block1, block2;
  explicit Blocks(Rng& rng) : block1(rng), block2(rng) {}
  std::vector<Tensor> results(const Tensor& x) const override {
    const Tensor a = x + bias, b = block1(a), c = block2(b), q = square(c);
    return {a, b, c, q, sum(q)};
  }
  void fields(Fields& f) override { f("bias", bias)("block1", block1)("block2", block2); }
};

Json numbers(const Tensor& x) {
  Json list = Json::array();
  for (Index i = 0; i < x.size(); ++i) {
    const double value = x.at(i);
    std::isfinite(value) ? list.push_back(value) : list.push_back(std::isnan(value) ? "NaN" : "Infinity");
  }
  return list;
}

Json described(const Tensor& x, const Gradients& gradients) {
  return {{"value", numbers(x)}, {"gradient", gradients.has(x) ? numbers(gradients[x]) : Json()}};
}

void write(const std::string& path, Example& net, const Tensor& x, int steps, const std::string& name) {
  optim::SGD sgd(net, {.lr = 0.1});
  Trace trace;
  trace.name(x, name);
  trace.explain("isru", {.formula = "y = x / √(1 + x²)",
                         .words = "Brings any number between −1 and 1.",
                         .rules = {"dx = dy / (1 + x²)^1.5"},
                         .rule_words = "Less and less passes further out."});
  Json all = Json::array();
  for (int i = 0; i < steps; ++i) {
    {
      Tape tape;
      tape.watch(x);
      trace.follow(tape);
      (void)tape.backward(net(x));
      trace.check(net, x, [&](const Tensor& in) { return net(in); });
    }
    Tape tape;
    tape.watch(x);
    const std::vector<Tensor> results = net.results(x);
    for (const Tensor& y : results) tape.watch(y);
    const Gradients gradients = tape.backward(results.back());
    Json step{{"operations", Json::array()}, {"leaves", {{name, described(x, gradients)}}}};
    for (const Tensor& y : results) step["operations"].push_back(described(y, gradients));
    for (const nn::NamedSlot& p : net.parameters())
      step["leaves"][p.name] = described(p.slot->value(), gradients);
    all.push_back(step);
    sgd.step(gradients);
  }
  trace.write(path + ".html", net);
  write_file_atomically(path + ".json", all.dump());
}

}  // namespace

int main(int, char** argv) {
  const std::string folder = argv[1];
  Rng rng(1);
  Small small(rng);
  write(folder + "/small", small, from({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2}), 3, "x");
  Large large(rng);
  write(folder + "/large", large, randn({64, 200}, rng), 1, "many");
  Blocks blocks(rng);
  write(folder + "/blocks", blocks, randn({6, 4}, rng), 3, "x");
  Odd odd;
  write(folder + "/odd", odd, from({1, 2, 3}), 1, "</script><b>x</b>");
}
