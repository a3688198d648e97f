#include <lab/fit/dimension.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/index.hpp>
#include <lab/statistics.hpp>

namespace elk::lab::scaling {

namespace {

constexpr std::size_t groups = 20;  // of the jackknife

template <class T>
class Search {
 public:
  Search(const Tensor& x, std::size_t k) : x_(x), rows_(x.size(0)), features_(x.size(1)), k_(k) {}

  Neighbours find() {
    Neighbours found{.k = k_};
    const std::vector<Index> kept = different();
    found.points = kept.size();
    found.duplicates = static_cast<std::size_t>(rows_) - kept.size();
    if (kept.size() <= k_)
      throw ValueError(fmt::format(
          "[nearest] expected more than {} different points, got {}{}", k_, kept.size(),
          found.duplicates > 0 ? fmt::format(" and {} copies", found.duplicates) : std::string()));
    // A group of the jackknife takes away one of twenty.
    found.each = std::min(kept.size() - 1, 2 * k_ + 8);
    found.list.reserve(found.points * found.each);
    // Around their mean, as products of what lies far from 0 have few digits left for distances.
    const Tensor all = take_rows(x_, from(kept));
    const Tensor centred = all - mean(all, 0);
    const std::span<const T> values = centred.data<T>();
    const auto count = static_cast<Index>(kept.size());
    std::vector<double> squares(kept.size());
    for (Index i = 0; i < count; ++i) squares[static_cast<std::size_t>(i)] = square(values, i);
    constexpr Index block = 256;
    std::vector<Neighbours::Neighbour> heap;
    for (Index begin = 0; begin < count; begin += block) {
      const Index end = std::min(count, begin + block);
      const Tensor products = matmul_nt(centred(range(begin, end)), centred);
      const std::span<const T> product = products.data<T>();
      for (Index i = begin; i < end; ++i) {
        const std::span<const T> row =
            product.subspan(static_cast<std::size_t>((i - begin) * count), kept.size());
        closest(row, squares, static_cast<std::size_t>(i), found.each, heap);
        for (Neighbours::Neighbour& one : heap)
          one.distance = std::sqrt(distance(values, i, static_cast<Index>(one.point)));
        std::sort(heap.begin(), heap.end(), nearer);
        found.list.insert(found.list.end(), heap.begin(), heap.end());
      }
    }
    return found;
  }

 private:
  static bool nearer(const Neighbours::Neighbour& a, const Neighbours::Neighbour& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.point < b.point);
  }

  // The first of equal rows each.
  std::vector<Index> different() const {
    const std::span<const T> values = x_.data<T>();
    const auto row = [&](Index i) {
      return values.subspan(static_cast<std::size_t>(i * features_), static_cast<std::size_t>(features_));
    };
    std::vector<Index> order(static_cast<std::size_t>(rows_));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index i, Index j) {
      const auto a = row(i), b = row(j);
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    });
    std::vector<Index> kept;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) {
        const auto a = row(order[i]), b = row(order[i - 1]);
        if (std::equal(a.begin(), a.end(), b.begin())) continue;
      }
      kept.push_back(order[i]);
    }
    std::sort(kept.begin(), kept.end());
    return kept;
  }

  double square(std::span<const T> values, Index i) const {
    const T* a = &values[static_cast<std::size_t>(i * features_)];
    double sum = 0;
    for (Index f = 0; f < features_; ++f) sum += static_cast<double>(a[f]) * static_cast<double>(a[f]);
    return sum;
  }
  double distance(std::span<const T> values, Index i, Index j) const {
    const T *a = &values[static_cast<std::size_t>(i * features_)],
            *b = &values[static_cast<std::size_t>(j * features_)];
    double sum = 0;
    for (Index f = 0; f < features_; ++f) {
      const double difference = static_cast<double>(a[f]) - static_cast<double>(b[f]);
      sum += difference * difference;
    }
    return sum;
  }

  // The `most` points nearest to `self`, in any order; the farthest of those found so far is on top.
  static void closest(std::span<const T> products, const std::vector<double>& squares, std::size_t self,
                      std::size_t most, std::vector<Neighbours::Neighbour>& heap) {
    heap.clear();
    for (std::size_t j = 0; j < products.size(); ++j) {
      const double far = squares[j] - 2 * static_cast<double>(products[j]);  // but for the square of self
      if (heap.size() == most && far >= heap.front().distance) continue;
      if (j == self) continue;
      if (heap.size() == most) {
        std::pop_heap(heap.begin(), heap.end(), nearer);
        heap.pop_back();
      }
      heap.push_back({far, j});
      std::push_heap(heap.begin(), heap.end(), nearer);
    }
  }

  Tensor x_;
  Index rows_, features_;
  std::size_t k_;
};

// The k nearest distances of every point, without the points of a group and those that are left with too few.
class Kept {
 public:
  Kept(const Neighbours& all, std::size_t without, std::size_t k) : k_(k) {
    std::vector<double> some;
    for (std::size_t i = 0; i < all.points; ++i) {
      if (i % groups == without) continue;
      some.clear();
      for (std::size_t j = 0; j < all.each && some.size() < k; ++j) {
        const Neighbours::Neighbour& one = all.list[i * all.each + j];
        if (one.point % groups != without) some.push_back(one.distance);
      }
      if (some.size() == k) distances_.insert(distances_.end(), some.begin(), some.end());
    }
  }

  std::size_t points() const { return distances_.size() / k_; }
  double operator()(std::size_t point, std::size_t neighbour) const {
    return distances_[point * k_ + neighbour];
  }
  std::size_t k() const { return k_; }

 private:
  std::size_t k_;
  std::vector<double> distances_;
};

double slope_of_ratios(const Kept& kept) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < kept.points(); ++i) ratios.push_back(std::log(kept(i, 1) / kept(i, 0)));
  std::sort(ratios.begin(), ratios.end());
  const auto n = static_cast<double>(ratios.size());
  double xy = 0, xx = 0;
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    const double below = static_cast<double>(i + 1) / n;
    if (below > 0.9) break;
    xy += ratios[i] * -std::log1p(-below);
    xx += ratios[i] * ratios[i];
  }
  return xy / xx;
}

double likeliest(const Kept& kept) {
  double sum = 0;
  for (std::size_t i = 0; i < kept.points(); ++i)
    for (std::size_t j = 0; j + 1 < kept.k(); ++j) sum += std::log(kept(i, kept.k() - 1) / kept(i, j));
  return static_cast<double>(kept.points() * (kept.k() - 1)) / sum;
}

Estimate jackknife(const Neighbours& all, std::size_t k,
                   const std::function<double(const Kept&)>& dimension) {
  const double whole = dimension(Kept(all, groups, k));
  if (!std::isfinite(whole))
    throw ValueError("[dimension] expected neighbours at different distances, got them at one distance");
  std::vector<double> pseudo;
  for (std::size_t group = 0; group < groups; ++group)
    pseudo.push_back(groups * whole - (groups - 1) * dimension(Kept(all, group, k)));
  const lab::Interval spread = mean_interval(pseudo);
  const double half = (spread.high - spread.low) / 2;
  return {whole, {whole - half, whole + half}};
}

}  // namespace

Neighbours nearest(const Tensor& x, std::size_t k) {
  if (x.rank() != 2)
    throw ShapeError(fmt::format("[nearest] expected points (n, features), got rank {}", x.rank()));
  if (x.dtype() != f32 && x.dtype() != f64)
    throw DTypeError("[nearest] expected f32 or f64: convert with cast");
  if (k < 2) throw ValueError(fmt::format("[nearest] expected 2 or more neighbours, got {}", k));
  if (!std::isfinite(sum(cast(x, f64)).item()))
    throw ValueError("[nearest] expected finite values, got others");
  return x.dtype() == f32 ? Search<float>(x, k).find() : Search<double>(x, k).find();
}

Estimate two_nn(const Neighbours& neighbours) { return jackknife(neighbours, 2, slope_of_ratios); }

Estimate max_likelihood(const Neighbours& neighbours) {
  return jackknife(neighbours, neighbours.k, likeliest);
}

}  // namespace elk::lab::scaling
