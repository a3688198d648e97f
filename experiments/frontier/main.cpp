// frontier: which loss can be had for which compute, and by a net of which size?

#include <algorithm>

#include <lab/study.hpp>

namespace {

using namespace elk::lab;
using elk::train::HistoryRow;

std::vector<double> widths_of(const Study& study) {
  std::vector<double> widths;
  if (study.paper() || study.options().full)
    for (int width = 32; width <= 1932; width += 100) widths.push_back(width);
  if (!study.paper())
    for (int width = study.options().full ? 64 : 32; width <= 2048; width *= 2) widths.push_back(width);
  std::sort(widths.begin(), widths.end());
  return study.grid("widths", widths);
}

void ask(Study& study) {
  const bool long_runs = study.paper() || study.options().full;
  for (const double width : widths_of(study)) {
    TrainConfig config = study.base(long_runs ? 100 : 40);
    config.hidden = text(width);
    config.schedule = "exponential:0.95";
    config.dtype = "f32";  // the study's runs had no seed: there are no digits to reproduce
    config.test_every_epoch = true;
    study.add({.label = text(width), .x = width, .config = config, .tune = !study.paper()});
  }
  const Outcomes all = study.run();
  study.table("Results by width", "width", all);
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "frontier",
       .title = "The frontier of compute",
       .question = "Which test loss can be had for which compute, by a net of which size, and does a power "
                   "law tell what more compute would bring?",
       .grids = {{"widths", "hidden widths"}}},
      ask);
}
