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
       "The loss begins at almost 200, where a guess has 0.69, and is in the millions after three steps. "
       "Play on, and "
       "it is no number any more. The table has gradients of thousands where others have a hundredth, and "
       "what the "
       "units give grows from layer to layer.",
       "The weights are drawn from N(0, 1). A unit adds up 16 such products, so each layer makes its "
       "numbers almost three times as large as they were, and backward does the same to the gradients: "
       "after five layers both are a hundred times too large. A step along such a gradient throws the "
       "weights out of all bounds.",
       "Weights whose size fits the number of inputs: He's.", changed(s, [](State& m) { m.init = "he"; }),
       chapter6, "6-numbers.md", "Vanishing and exploding"});

  s = points("circles", "sigmoid", {8, 8, 8, 8, 8, 8});
  s.lr = 0.1;
  list.push_back(
      {"vanishing", "Vanishing", s, 300,
       "The loss stays at 0.69, that of a guess. In the table the gradient gets smaller from the output back "
       "to "
       "layer 1: a layer gets a half to a seventh of what the one behind it has.",
       "The slope of a sigmoid is a quarter at most, and backward multiplies by one at every layer. What "
       "is left after six of them is too small to move the first layer, and without the first layer the "
       "others have nothing to work with.",
       "An activation whose slope is 1 where the unit is on: relu, with weights that fit it.",
       changed(s,
               [](State& m) {
                 m.activation = "relu";
                 m.init = "he";
               }),
       chapter6, "6-numbers.md", "Vanishing and exploding"});

  s = points("circles", "relu", {8, 8});
  s.init = "he";
  s.lr = 4;
  list.push_back(
      {"dead", "Dead units", s, 100,
       "The picture has one colour, the maps of the units are empty, and the table says that units are dead, "
       "in layer 2 "
       "all of them: they give 0 for every example.",
       "The rate is far too high. A step throws the weights so far that a relu gets only numbers below 0. "
       "It then gives 0 for every example, its slope there is 0 as well, and so no gradient ever comes "
       "back to it.",
       "A smaller rate.", changed(s, [](State& m) { m.lr = 0.1; }), chapter6, "6-numbers.md", "Dead units"});

  s = points("circles", "tanh", {32, 32});
  s.init = "normal";
  s.features = {"x2", "y2", "xy", "x", "y"};
  s.lr = 0.02;
  list.push_back(
      {"saturated", "Saturated", s, 100,
       "The maps of the units have hard edges: almost everywhere a unit says -1 or 1. The table tells how "
       "many of the "
       "examples lie in the flat parts of tanh, and what the network has learned is ragged.",
       "The inputs are squares of up to 9, and the weights of 32 inputs are drawn from N(0, 1), so tanh "
       "gets numbers of around 5. There it is flat: its slope is 1 - y², almost 0, and next to no "
       "gradient passes.",
       "Inputs and weights of a size at which tanh is steep: x and y themselves, and Xavier's weights.",
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
  list.push_back(
      {"symmetric", "Symmetric start", s, 300,
       "All eight maps are the same, and stay so: the table says that 1 of 8 units is different. Four "
       "squares cannot be told apart by one unit.",
       "All weights begin with the same number. So all units give the same, get the same gradient, and "
       "take the same step: eight units do the work of one, for ever.",
       "Weights drawn at random, which break the symmetry.", changed(s, [](State& m) { m.init = "xavier"; }),
       chapter4, "4-layers.md", "How the weights begin"});
  return list;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> list = make();
  return list;
}

}  // namespace elk::play
