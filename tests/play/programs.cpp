// play_programs NAME PROGRAM EXPECTED: writes what the playground exports for a preset, or for one of the
// states below, and what that program has to print.
#include <cstdio>
#include <string>

#include <elk/io/atomic_file.hpp>
#include <play/session.hpp>

namespace {

using namespace elk;
using namespace elk::play;

struct Job {
  play::State state;
  Index steps;
};

Job job(const std::string& name) {
  for (const Preset& preset : presets())
    if (preset.name == name) return {preset.state, preset.steps};
  Json state{{"data", name}, {"seed", 3}, {"loss", "mse"}};
  if (name == "own") {
    state["points"] = Json::array();
    for (int i = 0; i < 14; ++i) state["points"].push_back({i * 0.2 - 1.5, (i % 5) * 0.5 - 1, i % 2});
  }
  if (name == "curve")
    state.update({{"features", {"x", "sinx"}}, {"optimizer", "momentum"}, {"init", "orthogonal"}});
  if (name == "digits") state.update({{"hidden", {12}}, {"activation", "relu"}, {"lr", 0.01}, {"batch", 50}});
  if (name == "many")  // as much as one state can have
    state.update({{"data", "moons"},
                  {"features", {"x", "y", "x2", "y2", "xy", "sinx", "siny"}},
                  {"loss", "hinge"},
                  {"activation", "gelu"},
                  {"optimizer", "adamw"},
                  {"dropout", 0.2},
                  {"weight_decay", 0.01},
                  {"noise", 0.25},
                  {"batch", 33}});
  // Numbers changed by hand: of the first step, between two batches of an epoch, and behind the last step.
  if (name == "edited")
    state.update({{"data", "moons"},
                  {"loss", "cross_entropy"},
                  {"dropout", 0.1},
                  {"edits",
                   {{0, "layer1.weight", 3, 0.25},
                    {0, "x", 14, -1.5},
                    {30, "labels", 7, 1},
                    {30, "x", 201, 0.125},
                    {33, "layer1.bias", 5, -0.5},
                    {75, "layer2.weight", 9, 1.75}}}});
  if (name == "edited_digits")
    state.update(
        {{"data", "digits"},
         {"hidden", {12}},
         {"activation", "relu"},
         {"batch", 50},
         {"edits", {{0, "labels", 3, 9}, {4, "labels", 400, 2}, {5, "x", 30000, 1}, {90, "x", 3, 1}}}});
  if (name == "edited_curve")
    state.update({{"data", "curve"},
                  {"features", {"x"}},
                  {"batch", 40},
                  {"edits", {{2, "labels", 3, 1.5}, {7, "labels", 120, -2}, {8, "x", 11, 0.5}}}});
  return {state_from(state), 75};
}

}  // namespace

int main(int, char** argv) {
  const auto [state, steps] = job(argv[1]);
  Playground playground(state);
  for (Index i = 0; i < steps; ++i) playground.step(false);
  write_file_atomically(argv[2], playground.as_cpp(steps));
  char line[200];
  std::snprintf(line, sizeof line, "training loss %.12g, test loss %.12g\n",
                playground.score(playground.data().train).loss,
                playground.score(playground.data().test).loss);
  write_file_atomically(argv[3], line);
}
