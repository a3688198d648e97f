#include "session.hpp"

namespace elk::play {

namespace {

const char* const chapter4 = "4. Layers and the MLP";
const char* const chapter6 = "6. Numbers that break";

State points(const std::string& data, const std::string& activation, std::vector<Index> hidden) {
  State s;
  s.data = data;
  s.activation = activation;
  s.hidden = std::move(hidden);
  s.optimizer = "sgd";
  return s;
}

template <class F>
State changed(State state, F change) {
  change(state);
  return state;
}

std::vector<Preset> make() {
  std::vector<Preset> list;

  State s = points("circles", "relu", {16, 16, 16, 16, 16});
  s.init = "normal";
  s.lr = 0.05;
  list.push_back(
      {"exploding", "Exploding", s, 3,
       "The loss begins at almost 200, while guessing has 0.69, and is in the millions after three steps. "
       "Play on, and it becomes NaN. The table shows gradients of thousands where other networks have a "
       "hundredth, and the outputs of the units grow from layer to layer.",
       "The weights are drawn from N(0, 1). A unit adds up 16 products with such weights, so each layer "
       "makes its numbers almost three times as large, and backward does the same to the gradients: after "
       "five layers both are a hundred times too large. A step along such a gradient makes the weights huge.",
       "Weights whose size fits the number of inputs: He's initialization.",
       changed(s, [](State& m) { m.init = "he"; }), chapter6, "6-numbers.md", "Vanishing and exploding"});

  s = points("circles", "sigmoid", {8, 8, 8, 8, 8, 8});
  s.lr = 0.1;
  list.push_back(
      {"vanishing", "Vanishing", s, 300,
       "The loss stays at 0.69, the loss of guessing. In the table the gradient gets smaller from the output "
       "back to layer 1: each layer gets a half to a seventh of the gradient of the layer after it.",
       "The slope of a sigmoid is a quarter at most, and backward multiplies by such a slope at every layer. "
       "After six layers the gradient is too small to change the first layer, and without the first layer "
       "the others get nothing useful.",
       "An activation whose slope is 1 where the unit is active: relu, with weights that fit it.",
       changed(s,
               [](State& m) {
                 m.activation = "relu";
                 m.init = "he";
               }),
       chapter6, "6-numbers.md", "Vanishing and exploding"});

  s = points("circles", "relu", {8, 8});
  s.init = "he";
  s.lr = 4;
  list.push_back({"dead", "Dead units", s, 100,
                  "The picture has one colour, the maps of the units are empty, and the table says that "
                  "units are dead, in layer 2 all of them: their output is 0 for every example.",
                  "The learning rate is far too high. One step moves the weights so far that a relu gets "
                  "only numbers below 0. Its output is then 0 for every example, its slope there is 0 as "
                  "well, and so it never gets a gradient again.",
                  "A smaller learning rate.", changed(s, [](State& m) { m.lr = 0.1; }), chapter6,
                  "6-numbers.md", "Dead units"});

  s = points("circles", "tanh", {32, 32});
  s.init = "normal";
  s.features = {"x2", "y2", "xy", "x", "y"};
  s.lr = 0.02;
  list.push_back(
      {"saturated", "Saturated", s, 100,
       "The maps of the units have hard edges: almost everywhere the output of a unit is -1 or 1. The table "
       "shows how many of the examples lie in the flat parts of tanh. What the network has learned is "
       "ragged.",
       "The inputs are squares of up to 9, and the weights of 32 inputs are drawn from N(0, 1), so tanh gets "
       "numbers around 5. There it is flat: its slope is 1 - y², almost 0, and almost no gradient passes.",
       "Inputs and weights of a size for which tanh is steep: x and y themselves, and Xavier's weights.",
       changed(s,
               [](State& m) {
                 m.init = "xavier";
                 m.features = {"x", "y"};
                 m.lr = 0.3;
               }),
       chapter6, "6-numbers.md", "Saturated units"});

  s = points("xor", "tanh", {8});
  s.init = "same";
  s.lr = 0.3;
  list.push_back({"symmetric", "Symmetric start", s, 300,
                  "All eight maps are the same, and stay the same: in the table, 1 of 8 units is different. "
                  "One unit cannot separate four squares.",
                  "All weights begin with the same number. So all units have the same output, get the same "
                  "gradient, and take the same step: eight units do the work of one, for ever.",
                  "Random weights, which break the symmetry.",
                  changed(s, [](State& m) { m.init = "xavier"; }), chapter4, "4-layers.md",
                  "How the weights begin"});
  return list;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> list = make();
  return list;
}

}  // namespace elk::play
