#include <lab/fit/frontier.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/statistics.hpp>

namespace elk::lab::scaling {

namespace {

std::vector<std::size_t> seeds_of(const std::vector<Net>& nets) {
  std::vector<std::size_t> seeds;
  for (const Net& net : nets) seeds.push_back(net.seeds.size());
  return seeds;
}

std::vector<Point> frontier(const std::vector<Net>& nets) {
  return lower_envelope(seed_means(nets, everything(seeds_of(nets))));
}

}  // namespace

std::vector<Epoch> best_epochs(std::span<const Epoch> epochs) {
  std::vector<Epoch> all;
  Epoch best{0, nan, nan};
  for (const Epoch& epoch : epochs) {
    const bool lower = std::isnan(best.val_loss) ? epoch.val_loss < HUGE_VAL : epoch.val_loss < best.val_loss;
    if (std::isfinite(epoch.test_loss) && lower) best = epoch;
    best.flops = epoch.flops;
    all.push_back(best);
  }
  return all;
}

std::vector<double> best_so_far(std::span<const Epoch> epochs) {
  std::vector<double> losses;
  for (const Epoch& epoch : best_epochs(epochs)) losses.push_back(epoch.test_loss);
  return losses;
}

std::vector<Point> seed_means(const std::vector<Net>& nets, const Resample& resample) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < nets.size(); ++i) {
    const std::vector<std::size_t>& drawn = resample[i].seeds;
    if (drawn.empty()) continue;
    std::vector<double> flops;
    for (const std::size_t seed : drawn) {
      const std::vector<Epoch>& epochs = nets[i].seeds[seed];
      for (std::size_t k = 0; k < epochs.size(); ++k) {
        if (k == flops.size()) flops.push_back(epochs[k].flops);
        if (epochs[k].flops != flops[k])
          throw ValueError(fmt::format(
              "[fit_frontier] seeds of the net of size {} differ in FLOPs after epoch {}: {} and {}",
              nets[i].size, k + 1, flops[k], epochs[k].flops));
        if (!(flops[k] > (k == 0 ? 0 : flops[k - 1])) || std::isinf(flops[k]))
          throw ValueError(
              fmt::format("[fit_frontier] FLOPs must grow, found {} after epoch {} of the net of size {}",
                          flops[k], k + 1, nets[i].size));
      }
    }
    std::vector<Epoch> sum(flops.size());
    for (const std::size_t seed : drawn) {
      const std::vector<Epoch> best = best_epochs(nets[i].seeds[seed]);
      if (best.empty() || std::isnan(best.back().test_loss))
        throw ValueError(fmt::format(
            "[fit_frontier] the net of size {}, seed {}, has no epoch of finite losses", nets[i].size, seed));
      for (std::size_t k = 0; k < sum.size(); ++k) {
        sum[k].val_loss += best[std::min(k, best.size() - 1)].val_loss;
        sum[k].test_loss += best[std::min(k, best.size() - 1)].test_loss;
      }
    }
    const auto count = static_cast<double>(drawn.size());
    for (std::size_t k = 0; k < sum.size(); ++k)
      if (!std::isnan(sum[k].test_loss))
        points.push_back(
            {flops[k], sum[k].test_loss / count, resample[i].weight, i, sum[k].val_loss / count});
  }
  return points;
}

std::vector<Point> lower_envelope(std::vector<Point> points) {
  const auto height = [](const Point& point) {
    return std::isnan(point.val_loss) ? point.loss : point.val_loss;
  };
  std::sort(points.begin(), points.end(), [&](const Point& one, const Point& other) {
    return one.x != other.x ? one.x < other.x : height(one) < height(other);
  });
  std::vector<Point> envelope;
  for (const Point& point : points)
    if (envelope.empty() || height(point) < height(envelope.back())) envelope.push_back(point);
  for (std::size_t i = 0; i < envelope.size(); ++i) {
    const double left = envelope[i == 0 ? i : i - 1].x,
                 right = envelope[std::min(i + 1, envelope.size() - 1)].x;
    envelope[i].weight *= std::log(right / left) / 2;
  }
  return envelope;
}

Report fit_frontier(const std::vector<Net>& nets, const Options& options, Rng& rng) {
  Options redrawn = options;
  redrawn.cells = Cells::drawn;
  return fit_law(
      seeds_of(nets), [&](const Resample& resample) { return lower_envelope(seed_means(nets, resample)); },
      redrawn, rng);
}

Holdout hold_out_nets(const std::vector<Net>& nets, std::size_t largest, const Options& options, Rng& rng) {
  std::vector<double> sizes;
  for (const Net& net : nets) sizes.push_back(net.size);
  std::vector<Net> smaller;
  for (const std::size_t i : all_but_largest(sizes, largest)) smaller.push_back(nets[i]);
  return hold_out(frontier(nets), frontier(smaller), options,
                  [&](const Options& at_points) { return fit_frontier(smaller, at_points, rng); });
}

}  // namespace elk::lab::scaling
