#include "state.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <elk/base/format.hpp>

namespace elk::play {

namespace {

using Words = std::vector<std::string>;

const Words data_sets{"circles", "moons", "spiral", "xor", "own", "curve", "digits"};
const Words all_features{"x", "y", "x2", "y2", "xy", "sinx", "siny"}, curve_features{"x", "x2", "sinx"};
const Words activations{"tanh", "relu", "leaky_relu", "sigmoid", "gelu", "linear"};
const Words inits{"xavier", "he", "normal", "orthogonal", "same", "zeros"};
const Words optimizers{"adam", "sgd", "momentum", "rmsprop", "adagrad", "adamw"};
const Words class_losses{"cross_entropy", "mse", "hinge"}, curve_losses{"mse", "l1", "huber"},
    digit_losses{"cross_entropy", "mse"};

constexpr std::size_t most_layers = 8, most_points = 500;
constexpr Index most_units = 32;

std::string one_of(const char* member, const std::string& word, const Words& words) {
  if (std::find(words.begin(), words.end(), word) == words.end())
    fail<ValueError>("[state] {}: expected {}, got {}", member, fmt::join(words, ", "), shown(word, 40));
  return word;
}

std::string text(const char* member, const Json& json) {
  if (!json.is_string())
    fail<ValueError>("[state] {}: expected a word, got {}", member, shown(json.dump(), 40));
  return json.get<std::string>();
}

double number(const char* member, const Json& json, double low, double high) {
  const double value = json.is_number() ? json.get<double>() : NAN;
  if (!(value >= low && value <= high))
    fail<ValueError>("[state] {}: expected a number from {} to {}, got {}", member, low, high,
                     shown(json.dump(), 40));
  return value;
}

std::int64_t whole(const char* member, const Json& json, double low, double high) {
  const double value = number(member, json, low, high);
  if (value != std::floor(value))
    fail<ValueError>("[state] {}: expected a whole number, got {}", member, value);
  return static_cast<std::int64_t>(value);
}

const Json& list(const char* member, const Json& json, std::size_t most) {
  if (!json.is_array() || json.size() > most)
    fail<ValueError>("[state] {}: expected a list of at most {}, got {}", member, most,
                     shown(json.dump(), 40));
  return json;
}

Edit edit(const Json& json) {
  if (list("edits", json, 4).size() != 4)
    fail<ValueError>("[state] edits: expected step, tensor, element and value");
  return {whole("edits", json[0], 0, 1e6), text("edits", json[1]), whole("edits", json[2], 0, 1e6),
          number("edits", json[3], -1e300, 1e300)};
}

using Read = std::function<void(State&, const Json&)>;
const std::map<std::string, Read>& readers() {
  static const std::map<std::string, Read> all{
      {"data", [](State& s, const Json& j) { s.data = one_of("data", text("data", j), data_sets); }},
      {"noise", [](State& s, const Json& j) { s.noise = number("noise", j, 0, 1); }},
      {"features",
       [](State& s, const Json& j) {
         s.features.clear();
         for (const Json& one : list("features", j, all_features.size()))
           s.features.push_back(one_of("features", text("features", one), all_features));
       }},
      {"hidden",
       [](State& s, const Json& j) {
         s.hidden.clear();
         for (const Json& one : list("hidden", j, most_layers))
           s.hidden.push_back(whole("hidden", one, 1, static_cast<double>(most_units)));
       }},
      {"activation",
       [](State& s, const Json& j) {
         s.activation = one_of("activation", text("activation", j), activations);
       }},
      {"init", [](State& s, const Json& j) { s.init = one_of("init", text("init", j), inits); }},
      {"loss", [](State& s, const Json& j) { s.loss = text("loss", j); }},
      {"optimizer",
       [](State& s, const Json& j) { s.optimizer = one_of("optimizer", text("optimizer", j), optimizers); }},
      {"lr", [](State& s, const Json& j) { s.lr = number("lr", j, 0, 1000); }},
      {"batch", [](State& s, const Json& j) { s.batch = whole("batch", j, 1, 500); }},
      {"dropout", [](State& s, const Json& j) { s.dropout = number("dropout", j, 0, 0.9); }},
      {"weight_decay", [](State& s, const Json& j) { s.weight_decay = number("weight_decay", j, 0, 1); }},
      {"seed",
       [](State& s, const Json& j) { s.seed = static_cast<std::uint32_t>(whole("seed", j, 0, UINT32_MAX)); }},
      {"points",
       [](State& s, const Json& j) {
         s.points.clear();
         for (const Json& one : list("points", j, most_points)) {
           if (list("points", one, 3).size() != 3)
             fail<ValueError>("[state] points: expected x, y and class");
           s.points.push_back({number("points", one[0], -3, 3), number("points", one[1], -3, 3),
                               static_cast<double>(whole("points", one[2], 0, 1))});
         }
       }},
      {"edits",
       [](State& s, const Json& j) {
         s.edits.clear();
         for (const Json& one : list("edits", j, most_edits)) s.edits.push_back(edit(one));
         std::stable_sort(s.edits.begin(), s.edits.end(),
                          [](const Edit& a, const Edit& b) { return a.step < b.step; });
       }},
  };
  return all;
}

}  // namespace

const Words& losses(const State& state) {
  return state.is_digits() ? digit_losses : state.is_curve() ? curve_losses : class_losses;
}

State state_from(const Json& json) {
  if (!json.is_object()) fail<ValueError>("[state] expected an object, got {}", shown(json.dump(), 40));
  State state;
  for (const auto& [member, value] : json.items()) {
    const auto reader = readers().find(member);
    if (reader == readers().end()) fail<ValueError>("[state] there is no {}", shown(member, 40));
    reader->second(state, value);
  }
  one_of("loss", state.loss, losses(state));
  if (state.is_digits()) return state;
  if (state.features.empty()) fail<ValueError>("[state] features: expected one at least");
  for (std::size_t i = 0; i < state.features.size(); ++i) {
    if (state.is_curve()) one_of("features of a curve", state.features[i], curve_features);
    if (std::count(state.features.begin(), state.features.end(), state.features[i]) > 1)
      fail<ValueError>("[state] features: {} is there twice", state.features[i]);
  }
  return state;
}

Json to_json(const State& s) {
  Json json{{"data", s.data},     {"noise", s.noise},           {"features", s.features},
            {"hidden", s.hidden}, {"activation", s.activation}, {"init", s.init},
            {"loss", s.loss},     {"optimizer", s.optimizer},   {"lr", s.lr},
            {"batch", s.batch},   {"dropout", s.dropout},       {"weight_decay", s.weight_decay},
            {"seed", s.seed}};
  if (s.data == "own") json["points"] = s.points;
  if (!s.edits.empty()) json["edits"] = edits_json(s);
  return json;
}

Json edits_json(const State& state) {
  Json list = Json::array();
  for (const Edit& e : state.edits) list.push_back({e.step, e.tensor, e.element, e.value});
  return list;
}

Json choices() {
  return {{"data", data_sets},
          {"features", {{"points", all_features}, {"curve", curve_features}}},
          {"activation", activations},
          {"init", inits},
          {"optimizer", optimizers},
          {"loss", {{"points", class_losses}, {"curve", curve_losses}, {"digits", digit_losses}}},
          {"most_layers", most_layers},
          {"most_units", most_units},
          {"most_points", most_points}};
}

}  // namespace elk::play
