// What a playground is set to: all that its numbers depend on, as the page's address has it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <elk/tensor/tensor.hpp>

namespace elk::play {

using Json = nlohmann::ordered_json;

/// A number that is changed by hand.
struct Edit {
  Index step = 0;      ///< after so many steps
  std::string tensor;  ///< "x", "labels", or a parameter: "layer1.weight"
  Index element = 0;   ///< row-major; of x and labels in the whole training set
  double value = 0;    ///< of labels as the loss takes them, of digits the digit
};

struct State {
  std::string data = "circles";
  double noise = 0.1;
  std::vector<std::string> features{"x", "y"};  ///< of points; digits have their pixels
  std::vector<Index> hidden{8, 8};              ///< units of each hidden layer
  std::string activation = "tanh";
  std::string init = "xavier";
  std::string loss = "cross_entropy";
  std::string optimizer = "adam";
  double lr = 0.03;
  Index batch = 10;
  double dropout = 0, weight_decay = 0;
  std::uint32_t seed = 1;
  std::vector<std::array<double, 3>> points;  ///< x, y and class of data "own"
  std::vector<Edit> edits;                    ///< in the order of their steps

  bool is_digits() const { return data == "digits"; }
  bool is_curve() const { return data == "curve"; }
  bool is_classes() const { return !is_digits() && !is_curve(); }  ///< points of two classes
  Index inputs() const { return is_digits() ? 196 : static_cast<Index>(features.size()); }
  Index outputs() const { return is_digits() ? 10 : 1; }
};

/// Of an object with any of the members, named as above; the others are as they are here. ValueError that
/// names the member for what is unknown, malformed, or does not go together.
State state_from(const Json& json);
Json to_json(const State& state);

Json edits_json(const State& state);

/// How many edits a state has at most.
constexpr std::size_t most_edits = 200;

/// What the members that are words can be: {"data": ["circles", ...], ...}; "loss" by kind of data.
Json choices();

/// The losses that there are for these data.
const std::vector<std::string>& losses(const State& state);

}  // namespace elk::play
