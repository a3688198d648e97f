// width: does a wider hidden layer predict better, and where does that end?

#include <algorithm>

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

struct Reported {
  int width;
  double accuracy;
};
// PAPER 3.8: deterministic, so these must come out.
const std::vector<Reported> ten_epochs = {
    {200, 0.9834}, {250, 0.9834}, {300, 0.9831}, {400, 0.9840}, {450, 0.9842}, {500, 0.9828}, {600, 0.9847},
    {650, 0.9843}, {700, 0.9844}, {750, 0.9838}, {800, 0.9841}, {900, 0.9845}, {950, 0.9837}};
const std::vector<Reported> fifteen_epochs = {{500, 0.9830},  {520, 0.9835},  {530, 0.9843},  {540, 0.9850},
                                              {550, 0.9841},  {560, 0.9832},  {580, 0.9845},  {600, 0.9838},
                                              {700, 0.9839},  {800, 0.9840},  {900, 0.9846},  {925, 0.9851},
                                              {950, 0.9847},  {975, 0.9840},  {1000, 0.9849}, {1025, 0.9843},
                                              {1050, 0.9835}, {1075, 0.9846}, {1200, 0.9849}, {1400, 0.9836}};

void as_the_study(Study& study) {
  const auto add = [&](const std::vector<Reported>& rows, int epochs) {
    for (const Reported& row : study.thinned(rows)) {
      TrainConfig config = study.base(epochs);
      config.hidden = std::to_string(row.width);
      if (epochs == 15) config.clip = 9e9;
      study.add({.series = std::to_string(epochs) + " epochs",
                 .label = config.hidden,
                 .x = static_cast<double>(row.width),
                 .config = config,
                 .reported = row.accuracy,
                 .exact = true});
    }
  };
  add(ten_epochs, 10);
  add(fifteen_epochs, 15);
  const Outcomes all = study.run();
  study.table("Test accuracy by width", "width", all);
  study.plot("Test accuracy by width, seed 100", "hidden units", all, Metric::test_accuracy);
  const auto exact = std::count_if(all.begin(), all.end(), [](const Outcome& outcome) {
    return percent(outcome.mean(Metric::test_accuracy).mean) == percent(*outcome.cell.reported);
  });
  study.number("exact", static_cast<double>(exact));
  study.number("widths", static_cast<double>(all.size()));
  study.conclude(std::to_string(exact) + " of " + std::to_string(all.size()) +
                 " of the study's accuracies come out to the digit");
  const auto [low, high] =
      std::minmax_element(all.begin(), all.end(), [](const Outcome& a, const Outcome& b) {
        return a.mean(Metric::test_accuracy).mean < b.mean(Metric::test_accuracy).mean;
      });
  study.conclude("They lie between " + percent(low->mean(Metric::test_accuracy).mean) + " and " +
                 percent(high->mean(Metric::test_accuracy).mean) +
                 " %: one standard error of an accuracy of 98.5 % on 10,000 images is 0.12 points");
}

void soundly(Study& study) {
  for (const double width : study.grid("widths", {16, 32, 64, 128, 256, 540, 925, 1400, 2048})) {
    TrainConfig config = study.base(15);
    config.hidden = text(width);
    study.add({.label = text(width), .x = width, .config = config, .tune = true});
  }
  Outcomes all = study.run();
  study.table("Test accuracy by width", "width", all);
  study.plot("Test accuracy by width", "hidden units", all, Metric::test_accuracy, {.log_x = true});
  study.plot("Test loss by width", "hidden units", all, Metric::test_loss, {.log_x = true, .log_y = true});
  study.best_of(all, "width");
  for (Outcome& outcome : all) outcome.cell.label = "width " + outcome.cell.label;
  const auto find = [&](double width) {
    return std::find_if(all.begin(), all.end(),
                        [&](const Outcome& outcome) { return outcome.cell.x == width; });
  };
  if (find(540) != all.end() && find(925) != all.end()) study.compare(*find(540), *find(925));
  if (all.size() > 1)
    study.compare(all.back(), best(std::span(all).first(all.size() - 1)), "Does accuracy fall in the end? ");
  // Behind the steep part.
  if (find(256) != all.end() && all.back().cell.x > 256)
    study.compare(all.back(), *find(256), "Is it flat from 256 on? ");
}

void ask(Study& study) { study.paper() ? as_the_study(study) : soundly(study); }

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "width",
       .title = "Width",
       .question = "Does a network with one hidden layer predict better the wider it is, and does its "
                   "accuracy fall again in the end?",
       .grids = {{"widths", "hidden widths"}}},
      ask);
}
