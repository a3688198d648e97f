// What may be concluded from a few seeds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace elk::lab {

/// Stands where there is no number: not measured, or of too few values.
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

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

/// The half of the 95 % interval of an accuracy by the sampling of `images`, had other images of the same
/// kind been tested: of one network exactly, of the mean of several at most this. NaN for no images.
double by_images(double accuracy, std::int64_t images);

/// What of a family of comparisons is said of one.
struct Judgement : Difference {
  bool stands = false;  ///< the difference is resolved, by Holm's correction for all of the family
  bool equal = false;   ///< it lies within the margin, likewise
  std::size_t pairs = 0;
};

/// All comparisons of one report. They are corrected for together, and as a few seeds tell little about a
/// variance, each borrows from the others of its group: the variance is the mean of its own and of the
/// group's usual one, weighted by how alike the group's are (G. K. Smyth, "Linear models and empirical Bayes
/// methods for assessing differential expression in microarray experiments", 2004); where they are not alike
/// nothing is borrowed. A group of fewer than ten borrows nothing.
class Family {
 public:
  /// Where judge() has a comparison, and whether it has it the other way round.
  struct Place {
    std::size_t index = 0;
    bool flipped = false;
    Judgement in(const std::vector<Judgement>& judgements) const;
  };

  /// a[i] - b[i] over runs that share their seed; one that is not finite is left out. With a margin above 0
  /// it is tested, too, whether the difference lies between -margin and margin (two one-sided tests at 5 %,
  /// D. J. Schuirmann 1987). A pair of names that is there already is not added again. ValueError unless both
  /// have as many values.
  Place add(const std::string& group, std::span<const double> a, std::span<const double> b, double margin = 0,
            const std::string& of = "", const std::string& against = "");

  std::size_t size() const { return comparisons_.size(); }
  std::vector<Judgement> judge() const;

 private:
  struct Comparison {
    std::string group, of, against;
    std::vector<double> differences;
    double margin;
  };
  std::vector<Comparison> comparisons_;
};

}  // namespace elk::lab
