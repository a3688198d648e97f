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
