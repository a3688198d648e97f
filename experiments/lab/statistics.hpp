// What may be concluded from a few seeds.
#pragma once

#include <span>
#include <vector>

namespace elk::lab {

/// A mean over seeds and its 95 % interval (Student's t). With one value the interval is NaN.
struct Interval {
  double mean, low, high;
};
/// ValueError for no values. A value that is not finite makes all of it NaN.
Interval mean_interval(std::span<const double> values);

/// The 95 % interval for one more run like those that gave `values`: what a single reported number is held
/// against.
Interval prediction_interval(std::span<const double> values);

/// The mean of a[i] - b[i] over runs that share their seed, its 95 % interval, and the two-sided probability
/// of a mean as far from 0 if there were no difference (paired t-test); NaN for fewer than two pairs.
/// ValueError unless both have as many values.
struct Difference : Interval {
  double p;
  /// Whether the interval leaves 0 out.
  bool resolved() const { return low > 0 || high < 0; }
};
Difference paired_difference(std::span<const double> a, std::span<const double> b);

/// Which of several tests stand when all were looked at (S. Holm, "A simple sequentially rejective multiple
/// test procedure", 1979), at a level of 5 %.
std::vector<bool> holm(std::span<const double> p);

}  // namespace elk::lab
