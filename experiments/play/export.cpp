// "As C++": the program that does with the library what the playground does.
#include <elk/base/format.hpp>

#include "playground.hpp"

namespace elk::play {

namespace {

std::string features_function(const State& state) {
  std::string columns;
  bool x = false, y = false;
  for (const std::string& feature : state.features) {
    columns += (columns.empty() ? "" : ", ") + feature_text(feature);
    x = x || feature.find('x') != std::string::npos;
    y = y || feature.find('y') != std::string::npos;
  }
  return fmt::format(
      "// What the network gets of points (N, 2).\n"
      "Tensor features(const Tensor& points) {{\n{}{}  return concat({{{}}}, 1);\n}}\n",
      x ? "  const Tensor x = slice(points, 1, 0, 1);\n" : "",
      y ? "  const Tensor y = slice(points, 1, 1, 2);\n" : "", columns);
}

std::string own_points(const State& state) {
  std::string text =
      "// Points of one's own: x, y and class of each.\nstd::pair<Tensor, Tensor> points_of_my_own() {\n";
  text += "  const std::vector<double> all{";
  for (std::size_t i = 0; i < state.points.size(); ++i)
    text += fmt::format("{}{}, {}, {}",
                        i == 0       ? ""
                        : i % 6 == 0 ? ",\n                                "
                                     : ", ",
                        state.points[i][0], state.points[i][1], state.points[i][2]);
  return text + fmt::format(
                    "}};\n  const Tensor table = from(all, {{{}, 3}});\n"
                    "  return {{slice(table, 1, 0, 2), slice(table, 1, 2, 3)}};\n}}\n",
                    state.points.size());
}

std::string layer_function(const State& state) {
  const std::string init = state.init == "xavier" || state.init == "normal" ? state.init : "he";
  std::string text = fmt::format(
      "  const auto linear = [&](Index in, Index out) {{\n"
      "    nn::Linear layer(in, out, rng, {{.init = nn::Init::{}, .dtype = f64}});\n",
      init);
  if (state.init == "orthogonal") text += "    nn::init::orthogonal_(layer.weight(), rng);\n";
  if (state.init == "same") text += "    nn::init::constant_(layer.weight(), 0.5);\n";
  if (state.init == "zeros") text += "    nn::init::zeros_(layer.weight());\n";
  return text + "    return layer;\n  };\n";
}

std::string network(const State& state) {
  std::string text = "  nn::Sequential net;\n";
  const std::string activation = state.activation == "tanh"         ? "nn::Tanh()"
                                 : state.activation == "relu"       ? "nn::ReLU()"
                                 : state.activation == "leaky_relu" ? "nn::LeakyReLU()"
                                 : state.activation == "sigmoid"    ? "nn::Sigmoid()"
                                 : state.activation == "gelu"       ? "nn::GELU()"
                                                                    : "";
  Index in = state.inputs();
  for (const Index units : state.hidden) {
    text += fmt::format("  net.add(linear({}, {}));\n", in, units);
    if (!activation.empty()) text += fmt::format("  net.add({});\n", activation);
    if (state.dropout > 0) text += fmt::format("  net.add(nn::Dropout({}));\n", state.dropout);
    in = units;
  }
  return text + fmt::format("  net.add(linear({}, {}));\n", in, state.outputs());
}

// Where a number stands, in a tensor of so many columns; 0 of a vector.
std::string place(Index element, Index columns) {
  return columns == 0 ? fmt::format("{{{}}}", element)
                      : fmt::format("{{{}, {}}}", element / columns, element % columns);
}

std::string change_text(const State& s, const Edit& e) {
  if (e.tensor == "x") return fmt::format("x = index_put(x, {}, {});", place(e.element, s.inputs()), e.value);
  if (e.tensor == "labels" && s.is_digits() && s.loss == "mse")
    return fmt::format("y = index_put(index_put(y, {{{0}}}, 0), {{{0}, {1}}}, 1);", e.element, e.value);
  if (e.tensor == "labels")
    return fmt::format("y = index_put(y, {}, {});", place(e.element, s.is_digits() ? 0 : 1), e.value);
  const bool weight = e.tensor.ends_with(".weight");
  const std::string layer = e.tensor.substr(0, e.tensor.find('.'));
  const std::size_t number = layer == "output" ? s.hidden.size() : std::stoul(layer.substr(5)) - 1;
  const Index in = number == 0 ? s.inputs() : s.hidden[number - 1];
  return fmt::format("put({}, {}, {});  // {}", 2 * number + (weight ? 0 : 1),
                     place(e.element, weight ? in : 0), e.value, e.tensor);
}

// What was changed by hand, up to `steps`; nothing where nothing was.
std::string changes(const State& s, Index steps) {
  std::string put, text;
  for (const Edit& e : s.edits) {
    if (e.step > steps) break;
    text += fmt::format("    if (step == {}) {}\n", e.step, change_text(s, e));
    if (e.tensor.find('.') != std::string::npos)
      put =
          "  const auto put = [&](std::size_t parameter, const std::vector<At>& at, double value) {\n"
          "    const auto slot = net.parameters()[parameter].slot;\n"
          "    slot->set(index_put(slot->value(), at, value));\n"
          "  };\n";
  }
  if (text.empty()) return "";
  return put +
         "  // What was changed by hand, after how many steps.\n  const auto change = [&](int step) {\n" +
         text + "  };\n";
}

// The training. Where something is changed by hand, each batch is made when its turn comes.
std::string loop(const State& s, const std::string& change) {
  const auto step = [&](const char* indent) {
    return fmt::format(
        "{0}Tape tape(rng);\n"
        "{0}const Tensor loss = {1}(net(inputs), targets);\n"
        "{0}optimizer.step(tape.backward(loss));\n",
        indent, loss_text(s));
  };
  if (change.empty())
    return fmt::format(
        "  int step = 0;\n"
        "  while (step < steps)\n"
        "    for (const auto& [inputs, targets] : Batches({{x, y}}, {}, rng, f64)) {{\n"
        "{}"
        "      if (++step == steps) break;\n"
        "    }}\n",
        s.batch, step("      "));
  return fmt::format(
      "  const int batches = {};  // of an epoch\n"
      "  std::vector<Index> order;\n"
      "  for (int step = 0; step < steps; ++step) {{\n"
      "    change(step);\n"
      "    if (step % batches == 0) order = rng.permutation({});\n"
      "    const auto [inputs, targets] = *Batches({{x, y}}, {}, order, f64, step % batches).begin();\n"
      "{}"
      "  }}\n"
      "  change(steps);\n",
      (train_count(s) + s.batch - 1) / s.batch, train_count(s), s.batch, step("    "));
}

}  // namespace

std::string Playground::as_cpp(Index steps) const {
  const State& s = state_;
  if (train_count(s) == 0) fail<ValueError>("[cpp] there are no examples: add points first");
  const bool own = s.data == "own";
  const auto call = [&](Index n, Index first) { return own ? "points_of_my_own()" : call_of(s, n, first); };
  const std::string in = s.is_digits() ? "points" : "features(points)",
                    in_test = s.is_digits() ? "test_points" : "features(test_points)";
  std::string target_test = target_text(s);
  target_test.replace(target_test.find("labels"), 6, "test_labels");
  std::string text = fmt::format("// {} steps of elkgrad's playground, as a program.\n", steps) +
                     "#include <cmath>\n#include <cstdio>\n#include <utility>\n#include <vector>\n\n"
                     "#include <elk/elk.hpp>\n\nusing namespace elk;\n\n";
  text += own ? own_points(s) : std::string(source_of(s));
  if (!s.is_digits()) text += "\n" + features_function(s);
  text += fmt::format(
      "\nint main() {{\n"
      "  Rng rng({});\n"
      "  const auto [points, labels] = {};\n"
      "  const auto [test_points, test_labels] = {};\n"
      "  {}Tensor x = {}, y = {};\n"
      "  const Tensor test_x = {}, test_y = {};\n\n",
      s.seed, call(train_count(s), 0), call(test_count(s), 1), s.edits.empty() ? "const " : "", in,
      target_text(s), in_test, target_test);
  const std::string change = changes(s, steps);
  text += layer_function(s) + network(s);
  text += fmt::format(
      "{}\n  {}\n\n"
      "  const int steps = {};\n{}"
      "  std::printf(\"training loss %.12g, test loss %.12g\\n\", {}(net(x), y).item(),\n"
      "              {}(net(test_x), test_y).item());\n"
      "}}\n",
      change, optimizer_text(s), steps, loop(s, change), loss_text(s), loss_text(s));
  return text;
}

}  // namespace elk::play
