// frontier: which loss can be reached with which compute, and by a network of which size?

#include <algorithm>

#include <elk/base/rng.hpp>
#include <lab/fit/frontier.hpp>
#include <lab/law.hpp>

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
  if (study.options().smoke) widths = {8, 16, 32, 64};
  return study.grid("widths", widths, {.at_least = 4});  // a law has three parameters
}

// What the study drew: a curve for each net, against compute. Without held-out examples, as in the study, the
// test loss itself tells the best epoch.
std::vector<scaling::Net> nets_of(Study& study, std::span<const Outcome> outcomes) {
  std::vector<scaling::Net> nets;
  for (const Outcome& outcome : outcomes) {
    scaling::Net net{outcome.cell.x, {}};
    for (const RunSummary& run : outcome.runs) {
      std::vector<scaling::Epoch> epochs;
      for (const HistoryRow& row : study.history(run))
        if (row.test_loss)
          epochs.push_back(
              {static_cast<double>(row.flops), row.val_loss.value_or(*row.test_loss), *row.test_loss});
      if (!epochs.empty()) net.seeds.push_back(std::move(epochs));
    }
    if (!net.seeds.empty()) nets.push_back(std::move(net));
  }
  return nets;
}

// The curves' own losses, best so far, with their seeds.
Series curve_of(const scaling::Net& net) {
  Series line{.title = text(net.size), .style = SeriesStyle::line};
  for (const auto& epochs : net.seeds) line.members.push_back(scaling::best_so_far(epochs));
  for (std::size_t i = 0; i < net.seeds.front().size(); ++i) {
    double sum = 0;
    for (const auto& member : line.members) sum += i < member.size() ? member[i] : member.back();
    line.x.push_back(net.seeds.front()[i].flops);
    line.y.push_back(sum / static_cast<double>(line.members.size()));
  }
  return line;
}

// Which net the envelope, which comes by compute, is of at each power of ten.
std::string best_sizes(const std::vector<scaling::Net>& nets, const std::vector<scaling::Point>& envelope) {
  std::string sentence;
  for (double budget = 1e6; budget < 10 * envelope.back().x; budget *= 10) {
    const auto above =
        std::find_if(envelope.begin(), envelope.end(), [&](const auto& point) { return point.x > budget; });
    if (above == envelope.begin()) continue;
    sentence += (sentence.empty() ? "The best width is " : ", ") + text(nets[std::prev(above)->cell].size) +
                " for " + flops_text(budget);
  }
  return sentence + " FLOPs";
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
  study.table("Results by width", "width", all,
              study.paper() ? "Of the last epoch." : "Of the epoch with the lowest validation loss.");
  study.table(compute_table(all));
  if (study.paper())
    study.check("frontier",
                "without held-out examples the test loss itself chooses epochs and nets: it is lower than "
                "another test set's would be");
  else
    study.check("frontier", "validation loss chooses epochs and nets, in every resample anew");

  const std::vector<scaling::Net> nets = nets_of(study, all);
  Plot plot{.title = "Test loss against compute, best epoch so far",
            .x_label = "training compute, FLOPs",
            .y_label = "test loss",
            .legend_title = "hidden units",
            .log_x = true,
            .log_y = true};
  for (const scaling::Net& net : nets) plot.series.push_back(curve_of(net));
  const std::int64_t examples = all.front().examples;
  const auto fit = [&](const scaling::Options& options, elk::Rng& rng) {
    return fit_frontier(nets, options, rng);
  };
  const auto hold_out = [&](std::size_t largest, const scaling::Options& options, elk::Rng& rng) {
    return hold_out_nets(nets, largest, options, rng);
  };
  const std::string data = std::to_string(examples) + " training examples";
  const auto law = nets.empty() ? std::nullopt
                                : tell_law(study,
                                           {"The frontier L(C)", "compute", "frontier",
                                            "what these " + data + " leave, whatever the compute"},
                                           nets.size(), {fit, hold_out});
  if (nets.empty()) study.warn("the runs have no curves, from which alone a frontier could be told");
  if (law) {
    Series envelope{.title = "frontier", .style = SeriesStyle::envelope};
    for (const scaling::Point& point : law->points) {
      envelope.x.push_back(point.x);
      envelope.y.push_back(point.loss);
    }
    plot.series.push_back(std::move(envelope));
    plot.series.push_back(line_of(*law));
    study.conclude(best_sizes(nets, law->points));
  }
  if (!nets.empty()) study.draw("frontier", std::move(plot));

  const auto by_parameters = tell_law(
      study,
      {"L(N)", "the number of parameters", "parameters", "what these " + data + " leave, whatever the size"},
      all, [](const Outcome& o) { return static_cast<double>(o.runs.front().parameters); });
  Outcomes by_size = all;
  for (Outcome& outcome : by_size) outcome.cell.x = static_cast<double>(outcome.runs.front().parameters);
  study.plot("Test loss by size", "parameters", by_size, Metric::test_loss, {.log_x = true, .log_y = true},
             by_parameters ? std::vector{line_of(*by_parameters)} : std::vector<Series>{});
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
