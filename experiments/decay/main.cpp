// decay: does a decaying learning rate allow a higher initial rate, and give a better result?

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

void ask(Study& study) {
  // Of the mean gradient; under the paper protocol of the sum, which is 50 times as much.
  std::vector<double> rates = {0.05, 0.1, 0.2, 0.4, 0.8, 1.6};
  if (study.paper())
    for (double& rate : rates) rate /= 50;
  rates = study.grid("lrs", rates);
  const std::vector<double> factors = study.grid("decays", {1, 0.98, 0.95, 0.9, 0.8});
  for (const double factor : factors)
    for (const double rate : rates) {
      TrainConfig config = study.base(15);
      config.lr = rate;
      config.schedule = factor == 1 ? "constant" : "exponential:" + text(factor);
      study.add({.series = factor == 1 ? "constant" : "times " + text(factor),
                 .label = text(rate),
                 .x = rate,
                 .config = config});
    }
  const Outcomes all = study.run();
  study.table("Test accuracy by decay and first learning rate", "first learning rate", all);
  study.plot("Test error by first learning rate and decay after each epoch", "first learning rate", all,
             Metric::test_error, {.log_x = true, .log_y = true});
  Outcomes best_by_factor;
  for (std::size_t begin = 0; begin < all.size(); begin += rates.size()) {
    Outcome chosen = best(std::span(all).subspan(begin, rates.size()));
    chosen.cell.label = chosen.cell.series + " from " + chosen.cell.label;
    chosen.cell.series.clear();
    best_by_factor.push_back(std::move(chosen));
  }
  study.table("The best first rate of each decay", "learning rate", best_by_factor);
  study.best_of(best_by_factor, "the learning rate");
  if (best_by_factor.size() > 1)
    study.compare(best(std::span(best_by_factor).subspan(1)), best_by_factor.front(),
                  "Against the best constant rate: ");
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "decay",
       .title = "Decay of the learning rate",
       .question = "Does a learning rate that decays after every epoch allow a higher start, and does it end "
                   "better than the best constant one?",
       .grids = {{"decays", "factors after each epoch; 1 = constant"}, {"lrs", "first learning rates"}}},
      ask);
}
