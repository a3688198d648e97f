// architecture: what is a convolutional network's prior worth, in data and in compute, against an MLP?

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lab/architectures.hpp>
#include <lab/fit/worth.hpp>
#include <lab/law.hpp>
#include <lab/program.hpp>
#include <lab/study.hpp>
#include <lab/trainings.hpp>

namespace {

using namespace elk;
using namespace elk::lab;

constexpr const char* three_sets = "mnist,fashion-mnist,cifar-10";

std::string label_of(Architecture architecture, Index width) {
  return fmt::format("{} {}", name_of(architecture), width);
}

// Outcomes of one network or kind of networks, beside their sizes or those of their data.
struct Line {
  std::string title, phrase;  // "MLP", "an MLP"
  std::vector<double> sizes;
  std::vector<const Outcome*> outcomes;

  std::vector<scaling::Cell> cells(const Metric& metric) const {
    std::vector<scaling::Cell> all;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::vector<double> values = usable_losses(outcomes[i]->values(metric));
      if (!values.empty()) all.push_back({sizes[i], values});
    }
    return all;
  }
};

// What the report has of all sets.
struct Sections {
  Table laws, worth;
  Plot parameters, flops, images;
};

// A size as tables and sentences have it.
std::string number_of(double size, const std::string& of) {
  return of.starts_with("FLOPs") ? flops_text(size) : fmt::format("{:.0f}", size);
}

// A law of each architecture over one kind of size.
struct Side {
  std::optional<scaling::Report> mlp, convolutional;
};

std::optional<scaling::Report> law_of(Study& study, const std::string& set, const Line& line,
                                      const Metric& metric, const std::string& what, Table& table) {
  const std::vector<scaling::Cell> cells = line.cells(metric);
  try {
    Rng rng(static_cast<std::uint64_t>(study.options().seed));
    scaling::Options options;
    if (study.options().smoke) options.resamples = 50;
    const scaling::Report report = fit_cells(cells, options, rng);
    const scaling::Law& law = report.law();
    const auto [least, most] = std::minmax_element(line.sizes.begin(), line.sizes.end());
    table.rows.push_back(
        {set, metric.name, line.title,
         fmt::format("{} {}, {} to {}", cells.size(), what, number_of(*least, what), number_of(*most, what)),
         report.prefers_e ? shown(law.e) : "0", shown(report.alpha()), share(law.left_out_error),
         law.fit.converged ? "yes" : "no"});
    if (cells.size() >= sizes_for_a_law && law.fit.converged) return report;
  } catch (const ValueError& error) {
    study.warn(
        fmt::format("the law of {}, {}, {} by {}: {}", set, line.title, metric.name, what, error.what()));
  }
  return std::nullopt;
}

std::string power(const scaling::Report& report) {
  const scaling::Estimate alpha = report.alpha();
  return fmt::format("{:.3g} ({:.3g} to {:.3g})", -alpha.value, -alpha.interval.high, -alpha.interval.low);
}

// The two laws of one kind of size in a sentence.
void tell_side(Study& study, const std::string& set, const std::string& what, const Side& side) {
  if (!side.mlp || !side.convolutional) {
    study.conclude(
        fmt::format("Of the laws of {} by {} nothing is concluded: that needs {} sizes of both "
                    "networks, and fits that have converged",
                    set, what, sizes_for_a_law));
    return;
  }
  const scaling::Interval a = side.mlp->alpha().interval, b = side.convolutional->alpha().interval;
  const auto floor = [](const scaling::Report& report) {
    return report.has_floor() ? " towards " + shown(report.with_e.e)
                              : std::string(", with a floor or without,");
  };
  study.conclude(fmt::format(
      "The test loss of {} falls with {} to the power of {}{} for the MLP and of {}{} for the convolutional "
      "network: their intervals {}",
      set, what, power(*side.mlp), floor(*side.mlp), power(*side.convolutional), floor(*side.convolutional),
      a.high < b.low || b.high < a.low ? "have nothing in common" : "overlap"));
}

std::string times(const scaling::Worth& worth, std::int64_t seeds) {
  using Place = scaling::Reached::Place;
  const auto number = [&](double size) { return fmt::format("{:.2g}", size / worth.size); };
  // By the interval: that the mean lies beyond what was measured does not tell that the truth does.
  if (worth.other.place == Place::after) return "more than " + number(worth.interval.low);
  if (worth.other.place == Place::before) return "less than " + number(worth.interval.high);
  if (seeds == 1) return number(worth.other.size) + " (one seed)";
  return fmt::format("{} ({}{} to {}{})", number(worth.other.size), worth.low_open ? "less than " : "",
                     number(worth.interval.low), worth.high_open ? "more than " : "",
                     number(worth.interval.high));
}

// How many times as much `other` needs for the test losses of `line`.
void tell_worth(Study& study, const std::string& set, const std::string& key, const Line& line,
                const Line& other, const std::string& what, Table& table) {
  std::vector<scaling::Worth> found;
  try {
    Rng rng(static_cast<std::uint64_t>(study.options().seed));
    found = worths(line.cells(Metric::test_loss), other.cells(Metric::test_loss),
                   study.options().smoke ? 50 : 1000, rng);
  } catch (const ValueError& error) {
    study.warn(fmt::format("what {} of {} are worth: {}", what, set, error.what()));
  }
  std::vector<std::string> list;
  for (const scaling::Worth& worth : found) {
    const std::string size = number_of(worth.size, what), factor = times(worth, study.options().seeds);
    table.rows.push_back({set, line.title, size + " " + what, fmt::format("{:.4f}", worth.loss), factor});
    list.push_back(list.empty() ? fmt::format("with {} {} {} times as many", size, what, factor)
                                : fmt::format("with {} {}", size, factor));
    if (worth.other.place == scaling::Reached::Place::within)
      study.number(fmt::format("{}_{}_{:.0f}", set, key, worth.size), worth.times());
  }
  if (!list.empty())
    study.conclude(fmt::format("On {}, {} needs for the test loss of {}: {}", set, other.phrase, line.phrase,
                               fmt::join(list, ", ")));
}

Series drawn(const std::string& set, const Line& line) {
  Series series{.title = set + ", " + line.title};
  for (std::size_t i = 0; i < line.sizes.size(); ++i) {
    const Interval loss = line.outcomes[i]->mean(Metric::test_loss);
    if (!std::isfinite(loss.mean)) continue;
    series.x.push_back(line.sizes[i]);
    series.y.push_back(loss.mean);
    series.low.push_back(loss.low);
    series.high.push_back(loss.high);
  }
  if (std::any_of(series.low.begin(), series.low.end(), [](double low) { return !(low > 0); }))
    series.low.clear(), series.high.clear();
  return series;
}

Plot plot_of(const std::string& title, const std::string& x_label) {
  return {.title = title,
          .x_label = x_label,
          .y_label = "test loss",
          .note = "bands: 95 % intervals over seeds",
          .legend_title = "set and network",
          .log_x = true,
          .log_y = true};
}

// One data set: the networks, and where in the outcomes their cells are.
struct Set {
  std::string name;
  std::vector<NetworkSize> mlps;
  std::vector<Partners> partners;
  std::vector<NetworkSize> convolutional = {};  // all partners, by width
  std::vector<std::size_t> mlp_at = {}, convolutional_at = {};
  // The middle MLP and its partners, by the number of images.
  std::vector<std::vector<std::size_t>> images_at = {};

  std::size_t middle() const { return mlps.size() / 2; }
  std::size_t at(const NetworkSize& size) const {
    const auto found = std::find_if(convolutional.begin(), convolutional.end(),
                                    [&](const NetworkSize& one) { return one.width == size.width; });
    return convolutional_at[static_cast<std::size_t>(found - convolutional.begin())];
  }
  // The networks that are trained on all numbers of images.
  std::vector<std::pair<Architecture, Index>> of_images() const {
    const Partners& partner = partners[middle()];
    std::vector<std::pair<Architecture, Index>> all{{Architecture::mlp, mlps[middle()].width},
                                                    {Architecture::convolutional, partner.parameters.width}};
    if (partner.flops.width != partner.parameters.width)
      all.emplace_back(Architecture::convolutional, partner.flops.width);
    return all;
  }
};

Set set_of(const std::string& name, std::span<const double> widths) {
  const ImageTask task{name == "cifar-10" ? Shape{3, 32, 32} : Shape{28, 28}, 10};
  Set set{.name = name, .mlps = {}, .partners = {}};
  for (const double width : widths)
    set.mlps.push_back(size_of(Architecture::mlp, static_cast<Index>(width), task));
  set.partners = partners_of(set.mlps, task);
  for (const Partners& partners : set.partners)
    for (const NetworkSize& size : {partners.parameters, partners.flops}) set.convolutional.push_back(size);
  auto& all = set.convolutional;
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.width < b.width; });
  all.erase(
      std::unique(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.width == b.width; }),
      all.end());
  return set;
}

// Few images are seen more often.
std::int64_t usual_epochs(double images) {
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(40000 / images), 10, 40);
}

// The rate that the search begins at: the best one of many cells.
double first_rate(const std::string& set, Architecture architecture) {
  if (set == "cifar-10") return 0.025;
  return architecture == Architecture::mlp ? 0.1 : 0.05;
}

// Of more images it could only be said that the MLP needs more than a few times as many.
bool of_convolutional(double count, std::span<const double> images) {
  return count == images.front() || 4 * count <= images.back();
}

std::vector<double> widths_for(const Study& study, const std::string& set) {
  std::vector<double> widths{20, 36, 64, 112, 200};
  if (set == "cifar-10") widths = {16, 26, 42, 68, 110};
  if (study.options().smoke) widths = {8, 32};
  // Beyond that the convolutional partner of an MLP has weights of gigabytes.
  widths = study.grid("widths", widths, {.at_least = widths.size(), .most = 10000});
  std::sort(widths.begin(), widths.end());
  return widths;
}

Line line_of(const std::string& title, const std::string& phrase, std::span<const NetworkSize> sizes,
             double NetworkSize::*of, std::span<const std::size_t> at, const Outcomes& all) {
  Line line{title, phrase, {}, {}};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    line.sizes.push_back(sizes[i].*of);
    line.outcomes.push_back(&all[at[i]]);
  }
  return line;
}

void tell_sizes(Study& study, const std::vector<Set>& sets) {
  Table table{
      .title = "The networks",
      .columns = {"", "MLP of width", "parameters", "FLOPs an image", "convolutional, equal parameters",
                  "its parameters", "its FLOPs", "convolutional, equal FLOPs", "its parameters", "its FLOPs"},
      .note =
          "FLOPs of training for one image, as they are counted when a batch is learned from. Equal: "
          "the width that comes nearest."};
  const auto number = [](double value) { return fmt::format("{:.0f}", value); };
  for (const Set& set : sets)
    for (std::size_t i = 0; i < set.mlps.size(); ++i) {
      const NetworkSize &mlp = set.mlps[i], &a = set.partners[i].parameters, &b = set.partners[i].flops;
      table.rows.push_back({set.name, std::to_string(mlp.width), number(mlp.parameters),
                            flops_text(mlp.flops), std::to_string(a.width), number(a.parameters),
                            flops_text(a.flops), std::to_string(b.width), number(b.parameters),
                            flops_text(b.flops)});
    }
  study.table(std::move(table));
}

// By the size of the networks.
void tell_networks(Study& study, const Set& set, const Outcomes& all, Sections& told) {
  for (std::size_t i = 0; i < set.mlps.size(); ++i) {
    const Outcome& mlp = all[set.mlp_at[i]];
    const Partners& partners = set.partners[i];
    study.compare(all[set.at(partners.parameters)], mlp,
                  fmt::format("On {}, at {:.0f} parameters, ", set.name, set.mlps[i].parameters));
    study.compare(all[set.at(partners.flops)], mlp,
                  fmt::format("On {}, at {} FLOPs an image, ", set.name, flops_text(set.mlps[i].flops)));
  }
  struct Kind {
    double NetworkSize::*of;
    const char *what, *key;
    Plot& plot;
  };
  for (const Kind& kind : {Kind{&NetworkSize::parameters, "parameters", "parameters", told.parameters},
                           Kind{&NetworkSize::flops, "FLOPs an image", "flops", told.flops}}) {
    const Line mlp = line_of("MLP", "an MLP", set.mlps, kind.of, set.mlp_at, all),
               other = line_of("convolutional", "a convolutional network", set.convolutional, kind.of,
                               set.convolutional_at, all);
    const Side loss{law_of(study, set.name, mlp, Metric::test_loss, kind.what, told.laws),
                    law_of(study, set.name, other, Metric::test_loss, kind.what, told.laws)};
    tell_side(study, set.name, kind.what, loss);
    for (const Line& line : {mlp, other}) {
      law_of(study, set.name, line, Metric::test_error, kind.what, told.laws);
      kind.plot.series.push_back(drawn(set.name, line));
    }
    tell_worth(study, set.name, kind.key, other, mlp, kind.what, told.worth);
  }
}

// By the number of images.
void tell_images(Study& study, const Set& set, const Outcomes& all, Sections& told) {
  const auto networks = set.of_images();
  std::vector<Line> lines;
  std::size_t cells = 0;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const std::string label = label_of(networks[i].first, networks[i].second);
    Line line{label, label, {}, {}};
    for (const std::size_t at : set.images_at[i]) {
      line.sizes.push_back(all[at].cell.x);
      line.outcomes.push_back(&all[at]);
    }
    cells += line.sizes.size();
    lines.push_back(std::move(line));
  }
  study.table("Images of " + set.name, "images",
              std::span(all).subspan(set.images_at.front().front(), cells));
  // Of the same numbers.
  Line few = lines[0];
  few.sizes.resize(lines[1].sizes.size()), few.outcomes.resize(lines[1].sizes.size());
  std::vector<std::optional<scaling::Report>> laws;
  for (const Line& line : {few, lines[1]})
    laws.push_back(law_of(study, set.name, line, Metric::test_loss, "images", told.laws));
  tell_side(study, set.name, "the number of images", {laws[0], laws[1]});
  for (std::size_t i = 1; i < lines.size(); ++i)
    tell_worth(study, set.name, i == 1 ? "images_at_equal_parameters" : "images_at_equal_flops", lines[i],
               lines[0], "images", told.worth);
  for (std::size_t i = 0; i < 2; ++i) told.images.series.push_back(drawn(set.name, lines[i]));
}

void ask(Study& study) {
  const Study::Options& options = study.options();
  if (study.paper()) throw UsageError("--protocol: the study has no such part; only sound");
  const std::vector<std::string> names = sets_named(options.dataset);
  std::vector<double> images{500, 1000, 2000, 4000, 8000, 16000, 32000};
  if (options.quick) images = {250, 500, 1000, 2000, 4000};
  if (options.smoke) images = {50, 100, 200};
  images = study.grid("images", images, {.at_least = images.size()});
  std::sort(images.begin(), images.end());
  const double usual = images[images.size() / 2];  // of the comparison of sizes
  const std::int64_t held_out = options.smoke ? 200 : 1000;

  std::vector<Set> sets;
  std::size_t cells = 0;
  for (const std::string& name : names) {
    Set& set = sets.emplace_back(set_of(name, widths_for(study, name)));
    const auto add = [&](Architecture architecture, Index width, double count, bool by_images) {
      const std::string network = label_of(architecture, width);
      Settings settings{{"dataset", name},
                        {"model", name_of(architecture)},
                        {"width", static_cast<std::int64_t>(width)},
                        {"examples", static_cast<std::int64_t>(count)},
                        {"validation", held_out},
                        {"epochs", study.epochs(usual_epochs(count))},
                        {"momentum", 0.9},
                        {"lr", first_rate(name, architecture)}};
      if (options.smoke) settings.set("test", std::int64_t{200});
      study.add({.series = name + ", " + (by_images ? network : name_of(architecture)),
                 .label = by_images ? text(count) : network,
                 .x = by_images ? count : static_cast<double>(width),
                 .settings = settings,
                 .tune = true});
      return cells++;
    };
    for (const NetworkSize& mlp : set.mlps)
      set.mlp_at.push_back(add(Architecture::mlp, mlp.width, usual, false));
    for (const NetworkSize& one : set.convolutional)
      set.convolutional_at.push_back(add(Architecture::convolutional, one.width, usual, false));
    for (const auto& [architecture, width] : set.of_images()) {
      std::vector<std::size_t>& at = set.images_at.emplace_back();
      for (const double count : images)
        if (architecture == Architecture::mlp || of_convolutional(count, images))
          at.push_back(add(architecture, width, count, true));
    }
  }
  study.tell_cost();
  const Outcomes all = study.run();

  tell_sizes(study, sets);
  Sections told{
      .laws =
          {.title = "The laws side by side",
           .columns = {"", "", "network", "of", "E", "α", "each left out", "converged"},
           .note = fmt::format(
               "E + A x^-α, with or without E, whichever predicts sizes better that are left out. 95 % "
               "intervals over seeds and over sizes, for this test set. Laws of networks are of {} images.",
               text(usual))},
      .worth =
          {.title = "What the prior is worth",
           .columns = {"", "network", "with", "test loss", "times as many of the MLP"},
           .note = "How many times as many images, FLOPs or parameters the MLP needs for the same test loss: "
                   "between its measured points along straight lines in log-log axes; beyond them only a "
                   "bound is known. 95 % intervals over seeds, for this test set."},
      .parameters = plot_of(fmt::format("Test loss on {} images by parameters", text(usual)), "parameters"),
      .flops =
          plot_of(fmt::format("Test loss on {} images by FLOPs", text(usual)), "training FLOPs an image"),
      .images = plot_of("Test loss by training images, at equal parameters", "training images")};
  for (const Set& set : sets) {
    study.table(fmt::format("Networks on {} images of {}", text(usual), set.name), "network",
                std::span(all).subspan(set.mlp_at.front(), set.mlps.size() + set.convolutional.size()));
    tell_networks(study, set, all, told);
    tell_images(study, set, all, told);
  }
  study.table(std::move(told.laws));
  study.table(std::move(told.worth));
  study.draw("parameters", std::move(told.parameters));
  study.draw("flops", std::move(told.flops));
  study.draw("images", std::move(told.images));
  study.check(
      "counted of networks",
      "all parameters, biases and the last layer among them; FLOPs as they ran in training, the update "
      "included, evaluations not");
  study.check("equal FLOPs",
              "of one image; both see as many images, as often. Networks come in whole widths: the table of "
              "networks tells how near they are");
  study.check("schedule",
              "SGD with momentum 0.9 on batches of 50, its rate falling to 0 along half a cosine that ends "
              "with the run; no augmentation, no dropout, pixels from 0 to 1");
  study.check("epochs", options.epochs > 0
                            ? fmt::format("{}, of which validation chooses", options.epochs)
                            : "40,000 divided by the images, 10 to 40, of which validation chooses; fewer "
                              "with --quick and --smoke");
  study.check("validation",
              fmt::format("{} training images, others for each seed, from training; the test set, measured "
                          "once a run",
                          held_out));
  study.check("the convolutional network",
              "one plan, LeNet-5's, in one proportion of channels to hidden units; another might use its "
              "parameters or FLOPs better");
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "architecture",
       .title = "What the prior of convolutions is worth",
       .question =
           "What is a small convolutional network worth against an MLP, at equal parameters, at equal "
           "FLOPs, and in images?",
       .grids = {{"widths", "hidden widths of the MLP, to each of which come two convolutional networks"},
                 {"images", "numbers of training images; networks are compared at the middle one"}},
       .dataset = three_sets,
       .metrics = {Metric::test_loss, Metric::test_accuracy},
       .chosen_by = Metric::val_loss,
       .work = [](const std::string&, const std::string& data_dir) { return architecture_runs(data_dir); }},
      ask);
}
