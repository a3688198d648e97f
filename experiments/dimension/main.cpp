// dimension: does the intrinsic dimension of images tell how fast the loss falls with their number?

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/data/batches.hpp>
#include <elk/ops/shape.hpp>
#include <lab/fit/dimension.hpp>
#include <lab/law.hpp>
#include <lab/program.hpp>
#include <lab/study.hpp>
#include <lab/training.hpp>
#include <lab/trainings.hpp>

namespace {

using namespace elk;
using namespace elk::lab;

constexpr std::size_t neighbours = 20;
constexpr Index most_images = 10000;  // of a test set, whose dimension is told
constexpr double powers[] = {1, 2, 4};

// Of the same points by two estimators.
struct Dimensions {
  scaling::Estimate two_nn, likelihood;
  std::size_t points, duplicates;

  double low() const { return std::min(two_nn.value, likelihood.value); }
  double high() const { return std::max(two_nn.value, likelihood.value); }
};

Dimensions dimensions_of(const Tensor& points) {
  const scaling::Neighbours found = scaling::nearest(points, neighbours);
  return {scaling::two_nn(found), scaling::max_likelihood(found), found.points, found.duplicates};
}

Tensor pixels(const Dataset& images) {
  std::vector<Index> rows(static_cast<std::size_t>(images.size()));
  std::iota(rows.begin(), rows.end(), Index{0});
  return reshape(gather(images, rows).x, {images.size(), images.features()});
}

// What the last hidden layer makes of the images, after the training that an outcome's first seed had.
Tensor hidden(const Outcome& outcome, const TrainTest& data, const Dataset& images) {
  Training training(outcome.cell.config, data);
  training.run();
  const nn::Sequential& net = training.net();
  Tensor x = pixels(images);
  for (std::size_t i = 0; i + 1 < net.size(); ++i) x = net[i].forward(x);
  return x;
}

// A data set: what is known of its images, and of the loss by their number.
struct Found {
  std::string name;
  std::optional<Dimensions> images = {}, hidden = {};
  std::vector<double> numbers = {};         // of images,
  std::vector<Dimensions> by_numbers = {};  // and the dimension that so many have, a mean over disjoint sets
  std::optional<scaling::Report> law = {};

  scaling::Estimate alpha() const { return law->alpha(); }
};

// The mean over disjoint sets of `count` images; intervals are the means of theirs.
Dimensions mean_of_disjoint(const Tensor& points, Index count) {
  Dimensions mean{};
  const Index sets = points.size(0) / count;
  for (Index i = 0; i < sets; ++i) {
    const Dimensions one = dimensions_of(points(range(i * count, (i + 1) * count)));
    mean.two_nn.value += one.two_nn.value / static_cast<double>(sets);
    mean.likelihood.value += one.likelihood.value / static_cast<double>(sets);
  }
  return mean;
}

void measure(Study& study, Found& found, const Outcome& largest) {
  const TrainTest& data = study.data(found.name);
  const Dataset images = data.test.take(0, std::min(most_images, data.test.size()));
  const Tensor points = pixels(images);
  try {
    found.images = dimensions_of(points);
    for (const double share : {0.0625, 0.125, 0.25, 0.5}) {
      const auto count = static_cast<Index>(share * static_cast<double>(images.size()));
      if (count <= 4 * static_cast<Index>(neighbours)) continue;
      found.by_numbers.push_back(mean_of_disjoint(points, count));
      found.numbers.push_back(static_cast<double>(count));
    }
    found.by_numbers.push_back(*found.images);
    found.numbers.push_back(static_cast<double>(found.images->points));
    found.hidden = dimensions_of(hidden(largest, data, images));
  } catch (const Error& error) {
    study.warn(fmt::format("the dimension of {}: {}", found.name, error.what()));
  }
}

std::string range_of(const Dimensions& d, double power) {
  return fmt::format("{:.2g} to {:.2g}", power / d.high(), power / d.low());
}

void tell_table(Study& study, const std::vector<Found>& sets) {
  Table table{
      .title = "The exponent and the dimension",
      .columns = {"", "d, TwoNN", "d, likelihood", "d, hidden, TwoNN", "d, hidden, likelihood", "α_D", "1/d",
                  "2/d", "4/d", "4/d, hidden"},
      .note = fmt::format(
          "d: intrinsic dimension of up to {} test images, and of what the last hidden layer of one net "
          "makes "
          "of them; likelihood: maximum likelihood of {} neighbours. Its 95 % intervals are of the sampling "
          "of "
          "images, the bias is not in them. α_D: power of the number of training images, 95 % interval over "
          "seeds and sizes, for these test sets. 1/d to 4/d: by the two estimates of d.",
          most_images, neighbours)};
  for (const Found& set : sets) {
    std::vector<std::string> row{set.name};
    for (const auto* d : {&set.images, &set.hidden})
      for (const auto estimate : {&Dimensions::two_nn, &Dimensions::likelihood})
        row.push_back(*d ? shown((**d).*estimate) : "-");
    row.push_back(set.law ? shown(set.alpha()) : "-");
    for (const double power : powers) row.push_back(set.images ? range_of(*set.images, power) : "-");
    row.push_back(set.hidden ? range_of(*set.hidden, 4) : "-");
    table.rows.push_back(std::move(row));
  }
  study.table(std::move(table));

  Table numbers{.title = "The dimension by the number of images",
                .columns = {"", "images", "d, TwoNN", "d, likelihood"},
                .note =
                    "Means over disjoint sets of so many images. Where neighbours are far apart both "
                    "estimates are biased, the more so the higher the dimension is: boundaries make them "
                    "too small, strong curvature and noise too large. One that still moves with the "
                    "number of images has not settled."};
  for (const Found& set : sets)
    for (std::size_t i = 0; i < set.numbers.size(); ++i)
      numbers.rows.push_back({set.name, text(set.numbers[i]),
                              fmt::format("{:.3g}", set.by_numbers[i].two_nn.value),
                              fmt::format("{:.3g}", set.by_numbers[i].likelihood.value)});
  study.table(std::move(numbers));
}

void draw_exponents(Study& study, const std::vector<Found>& sets, const std::optional<Dimensions> Found::*of,
                    const std::string& file, const std::string& what) {
  Plot plot{.title = "Exponent of the loss and dimension " + what,
            .x_label = "intrinsic dimension d, by two estimators",
            .y_label = "exponent of the number of training images",
            .note = "of each set: from one estimate of d to the other, with the exponent's 95 % interval",
            .legend_title = "set",
            .log_x = true,
            .log_y = true};
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (const Found& set : sets) {
    const std::optional<Dimensions>& d = set.*of;
    if (!d || !set.law) continue;
    Series line{.title = set.name};
    for (const double x : {d->low(), d->high()}) {
      line.x.push_back(x);
      line.y.push_back(set.alpha().value);
      line.low.push_back(set.alpha().interval.low);
      line.high.push_back(set.alpha().interval.high);
    }
    least = std::min(least, d->low()), most = std::max(most, d->high());
    plot.series.push_back(std::move(line));
  }
  if (plot.series.empty()) return;
  for (const double power : powers) {
    Series line{.title = fmt::format("{}/d", power), .style = SeriesStyle::reference};
    for (const double d : {least / 1.2, most * 1.2}) line.x.push_back(d), line.y.push_back(power / d);
    plot.series.push_back(std::move(line));
  }
  study.draw(file, std::move(plot));
}

void draw_numbers(Study& study, const std::vector<Found>& sets) {
  Plot plot{.title = "Dimension by the number of images",
            .x_label = "images",
            .y_label = "intrinsic dimension by TwoNN",
            .log_x = true,
            .log_y = true};
  for (const Found& set : sets) {
    Series line{.title = set.name, .x = set.numbers};
    for (const Dimensions& d : set.by_numbers) line.y.push_back(d.two_nn.value);
    if (line.x.size() > 1) plot.series.push_back(std::move(line));
  }
  if (!plot.series.empty()) study.draw("numbers", std::move(plot));
}

std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

// How alpha lies to power / d of each set, by the lower estimate and the higher: of an estimate of d that is
// too small, as it may be, power / d is too large.
void compare_with(Study& study, const std::vector<const Found*>& sets,
                  const std::optional<Dimensions> Found::*of, double power, const std::string& claim) {
  std::vector<std::string> above, around, below;
  for (const Found* set : sets) {
    const Dimensions& d = *(set->*of);
    const scaling::Interval alpha = set->alpha().interval;
    auto& side = alpha.low > power / d.low() ? above : alpha.high < power / d.high() ? below : around;
    side.push_back(set->name);
  }
  study.conclude(
      fmt::format("{}: α_D lies above {}/d for {}, below it for {}, and its interval meets that of "
                  "{}/d by the two estimates for {}",
                  claim, power, listed(above), listed(below), power, listed(around)));
}

void tell(Study& study, const std::vector<Found>& sets) {
  std::vector<const Found*> whole;
  for (const Found& set : sets) {
    const auto number = [&](const char* name, const scaling::Estimate& estimate) {
      study.number(set.name + name, estimate.value);
      study.number(set.name + name + "_low", estimate.interval.low);
      study.number(set.name + name + "_high", estimate.interval.high);
    };
    if (set.images) {
      number("_two_nn", set.images->two_nn), number("_likelihood", set.images->likelihood);
      const Dimensions &fewer = set.by_numbers.front(), &all = *set.images;
      std::string sentence = fmt::format(
          "{} images of {} have dimension {} by TwoNN and {} by maximum likelihood (95 % intervals)",
          set.images->points, set.name, shown(all.two_nn), shown(all.likelihood));
      if (all.duplicates > 0) sentence += fmt::format("; {} copies were left out", all.duplicates);
      if (set.numbers.size() > 1)
        sentence += fmt::format("; {} images have {:.3g} and {:.3g}", text(set.numbers.front()),
                                fewer.two_nn.value, fewer.likelihood.value);
      study.conclude(sentence);
    }
    if (set.hidden) {
      number("_hidden_two_nn", set.hidden->two_nn), number("_hidden_likelihood", set.hidden->likelihood);
      study.conclude(fmt::format("The last hidden layer makes {} and {} of {}", shown(set.hidden->two_nn),
                                 shown(set.hidden->likelihood), set.name));
    }
    if (set.images && set.hidden && set.law && set.law->points.size() >= sizes_for_a_law)
      whole.push_back(&set);
  }
  if (whole.size() < 2) {
    study.conclude(fmt::format(
        "Of exponents and dimensions nothing is concluded: that needs two data sets of {} sizes or "
        "more, got {}",
        sizes_for_a_law, whole.size()));
    return;
  }
  compare_with(study, whole, &Found::images, 1, "Bahri et al., at least 1/d");
  compare_with(study, whole, &Found::images, 2,
               "At least 2/d, of losses that are smooth where they are least");
  compare_with(study, whole, &Found::images, 4,
               "Sharma and Kaplan, about 4/d, by the dimension of the images");
  compare_with(study, whole, &Found::hidden, 4, "The same by the dimension of the last hidden layer, theirs");
  for (const bool in_hidden : {false, true}) {
    std::vector<std::string> products;
    double least = std::numeric_limits<double>::infinity(), most = 0;
    for (const Found* set : whole) {
      const double product = set->alpha().value * (in_hidden ? set->hidden : set->images)->two_nn.value;
      least = std::min(least, product), most = std::max(most, product);
      products.push_back(fmt::format("{:.2g} ({})", product, set->name));
    }
    study.conclude(fmt::format(
        "α_D times the dimension {} by TwoNN is {}: were α_D the same multiple of 1/d it would be one "
        "number, "
        "but the largest is {:.2g} times the smallest",
        in_hidden ? "of the last hidden layer" : "of the images", fmt::join(products, ", "), most / least));
  }
}

void ask(Study& study) {
  const Study::Options& options = study.options();
  if (study.paper()) throw UsageError("--protocol: the study has no such part; only sound");
  const std::vector<std::string> names = sets_named(options.dataset);
  const std::vector<double> sizes =
      study.grid("sizes",
                 options.smoke ? std::vector<double>{50, 100, 200, 400, 700}
                               : std::vector<double>{500, 1000, 2000, 4000, 8000, 16000},
                 {.at_least = 5});
  for (const std::string& name : names)
    for (const double size : sizes) {
      // The rate falls along half a cosine to the end of each run, for which it is found.
      TrainConfig config =
          study.base(std::clamp<std::int64_t>(static_cast<std::int64_t>(320000 / size), 10, 100));
      config.dataset = name;
      config.hidden = "256";
      config.schedule = "cosine";
      config.lr = name == "cifar-10" ? 0.05 : 0.2;  // where the search begins
      config.train_size = static_cast<std::int64_t>(size);
      if (!options.smoke) config.validation = 2000;
      study.add({.series = name, .label = text(size), .x = size, .config = config, .tune = true});
    }
  study.tell_cost();
  const Outcomes all = study.run();
  study.table("Test loss by training images", "images", all);
  study.plot("Test loss by training images", "training images D", all, Metric::test_loss,
             {.log_x = true, .log_y = true});

  std::vector<Found> sets;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto sweep = std::span(all).subspan(i * sizes.size(), sizes.size());
    Found found{.name = names[i]};
    found.law = tell_law(study,
                         {"L(D) of " + names[i], "the number of training images", names[i],
                          "what a net of width 256 leaves, whatever the data"},
                         sweep, [](const Outcome& outcome) { return outcome.cell.x; });
    // Of what could be run.
    const auto rank = [](const Outcome& outcome) {
      return std::pair(std::isfinite(outcome.mean(Metric::test_loss).mean), outcome.cell.x);
    };
    const auto largest = std::max_element(sweep.begin(), sweep.end(),
                                          [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    measure(study, found, *largest);
    sets.push_back(std::move(found));
  }
  tell_table(study, sets);
  draw_exponents(study, sets, &Found::images, "dimension", "of the images");
  draw_exponents(study, sets, &Found::hidden, "dimension-hidden", "of the last hidden layer");
  draw_numbers(study, sets);
  tell(study, sets);
  study.check("data",
              "training images are drawn from the training set anew for each seed; the digits are the "
              "first 20,000 of their series, and 10,000 others to test on");
  study.check("dimension",
              fmt::format("of the test images, in Euclidean distance between pixels, copies left out; by the "
                          "ratio of two neighbours' distances and by those of {}; both are biased where "
                          "neighbours are far apart, by how much is not known",
                          neighbours));
  study.check("exponent",
              "of one width, 256, for all sets: where the size of the net limits the loss, the law "
              "has a floor or a smaller exponent");
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "dimension",
       .title = "Intrinsic dimension",
       .question = "Does the intrinsic dimension of images tell how fast the test loss falls with their "
                   "number, as α = 1/d, 2/d or 4/d?",
       .grids = {{"sizes", "numbers of training images"}},
       .dataset = all_sets,
       .digits = 20000},
      ask);
}
