#include <algorithm>
#include <cmath>
#include <vector>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/normalize.hpp>

namespace elk::kernels {

namespace {

// What lies in memory as rows of one number for each group: then the loops go along the groups.
bool in_columns(const Normalization& how) { return how.run == 1 && how.outer > 1; }

// Calls f(place of a run) for those of a group.
template <class F>
void each_run(const Normalization& how, Index group, F f) {
  for (Index i = 0; i < how.outer; ++i) f((i * how.groups + group) * how.run);
}

double count(const Normalization& how) { return static_cast<double>(how.outer * how.run); }

template <class T>
const T* pointer(const Tensor& x) {
  return x.defined() ? readable<T>(x) : nullptr;
}

// The moments of all groups, whose elements lie in columns.
template <class T>
void column_moments(const T* x, const Normalization& how, double* mean, double* variance) {
  std::fill_n(mean, how.groups, 0.0);
  std::fill_n(variance, how.groups, 0.0);
  const auto each_row = [&](auto f) {
    for (Index i = 0; i < how.outer; ++i) f(x + i * how.groups);
  };
  if (how.centred) each_row([&](const T* row) { loops<T>().add_to(how.groups, row, mean); });
  for (Index g = 0; g < how.groups; ++g) mean[g] /= count(how);
  each_row([&](const T* row) { loops<T>().add_squares(how.groups, row, mean, variance); });
  for (Index g = 0; g < how.groups; ++g) variance[g] /= count(how);
}

// Of one group in runs.
template <class T>
void moments_of(const T* x, const Normalization& how, Index group, double& mean, double& variance) {
  mean = variance = 0;
  if (how.centred) each_run(how, group, [&](Index at) { mean += loops<T>().sum(how.run, x + at); });
  mean /= count(how);
  each_run(how, group, [&](Index at) { variance += loops<T>().squares(how.run, x + at, mean); });
  variance /= count(how);
}

// f(group) for each, as a vector of T.
template <class T, class F>
std::vector<T> per_group(const Normalization& how, F f) {
  std::vector<T> list(static_cast<std::size_t>(how.groups));
  for (Index g = 0; g < how.groups; ++g) list[static_cast<std::size_t>(g)] = static_cast<T>(f(g));
  return list;
}

// What a group's elements are multiplied by, less its mean: a weight of the group included.
template <class T>
double factor_of(const Normalization& how, const double* scale, const T* weight, Index group) {
  return how.per_group && weight != nullptr ? scale[group] * static_cast<double>(weight[group])
                                            : scale[group];
}

}  // namespace

Normalized normalize(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const Normalization& how) {
  if (weight.defined()) check_same_dtype(operation, x, weight);
  if (bias.defined()) check_same_dtype(operation, x, bias);
  return for_float(operation, x.dtype(), [&]<class T>() {
    const auto numbers = [&] { return empty({how.groups}, f64); };
    Normalized result{empty(x.shape(), x.dtype()), {numbers(), numbers(), numbers()}};
    double *mean = writable<double>(result.moments.mean),
           *variance = writable<double>(result.moments.variance),
           *scale = writable<double>(result.moments.scale);
    const T *in = readable<T>(x), *w = pointer<T>(weight), *b = pointer<T>(bias);
    T* y = writable<T>(result.y);
    const Loops<T>& use = loops<T>();
    const auto factor = [&](Index g) { return factor_of(how, scale, w, g); };
    count_flops(7 * x.size());
    if (in_columns(how)) {
      column_moments(in, how, mean, variance);
      for (Index g = 0; g < how.groups; ++g) scale[g] = 1 / std::sqrt(variance[g] + how.epsilon);
      const auto means = per_group<T>(how, [&](Index g) { return mean[g]; }),
                 factors = per_group<T>(how, factor);
      for (Index i = 0; i < x.size(); i += how.groups)
        use.standardize_columns(how.groups, in + i, means.data(), factors.data(), b, y + i);
      return result;
    }
    for (Index g = 0; g < how.groups; ++g) {
      moments_of(in, how, g, mean[g], variance[g]);
      scale[g] = 1 / std::sqrt(variance[g] + how.epsilon);
      const T shift = static_cast<T>(mean[g]), by = static_cast<T>(factor(g));
      each_run(how, g, [&](Index at) {
        if (how.per_group && b != nullptr)
          use.shift_scale(how.run, in + at, shift, by, b[g], y + at);
        else
          use.standardize(how.run, in + at, shift, by, how.per_group ? nullptr : w,
                          how.per_group ? nullptr : b, y + at);
      });
    }
    return result;
  });
}

Tensor standardize(const Tensor& x, const Tensor& mean, const Tensor& scale, const Tensor& bias) {
  for (const Tensor* v : {&mean, &scale, &bias}) check_same_dtype("standardize", x, *v);
  return for_float("standardize", x.dtype(), [&]<class T>() {
    Tensor y = empty(x.shape(), x.dtype());
    const T *in = readable<T>(x), *m = readable<T>(mean), *s = readable<T>(scale), *b = readable<T>(bias);
    T* out = writable<T>(y);
    const Loops<T>& use = loops<T>();
    const Index channels = x.size(1), run = x.size() / x.size(0) / channels;
    count_flops(3 * x.size());
    for (Index i = 0; i < x.size(); i += channels * run)
      if (run == 1)
        use.standardize_columns(channels, in + i, m, s, b, out + i);
      else
        for (Index c = 0, at = i; c < channels; ++c, at += run)
          use.shift_scale(run, in + at, m[c], s[c], b[c], out + at);
    return y;
  });
}

Tensor normalize_gradient(const Tensor& dy, const Tensor& x, const Tensor& weight, const Moments& moments,
                          const Normalization& how) {
  return for_float("normalize_gradient", x.dtype(), [&]<class T>() {
    Tensor dx = empty(x.shape(), x.dtype());
    const double *mean = readable<double>(moments.mean), *scale = readable<double>(moments.scale);
    const T *d = readable<T>(dy), *in = readable<T>(x), *w = pointer<T>(weight);
    T* out = writable<T>(dx);
    const Loops<T>& use = loops<T>();
    const auto factor = [&](Index g) { return factor_of(how, scale, w, g); };
    count_flops(10 * x.size());
    if (in_columns(how)) {
      const auto means = per_group<T>(how, [&](Index g) { return mean[g]; }),
                 scales = per_group<T>(how, [&](Index g) { return scale[g]; }),
                 factors = per_group<T>(how, factor);
      std::vector<double> sums(static_cast<std::size_t>(how.groups)), products(sums.size());
      for (Index i = 0; i < x.size(); i += how.groups) {
        use.add_to(how.groups, d + i, sums.data());
        use.add_standardized_columns(how.groups, d + i, in + i, means.data(), scales.data(), products.data());
      }
      const auto share = [&](const std::vector<double>& list) {
        return per_group<T>(how, [&](Index g) { return list[static_cast<std::size_t>(g)] / count(how); });
      };
      const auto of_sum = share(how.centred ? sums : std::vector<double>(sums.size())),
                 of_product = share(products);
      for (Index i = 0; i < x.size(); i += how.groups)
        use.standardize_gradient_columns(how.groups, d + i, in + i, means.data(), scales.data(),
                                         factors.data(), of_sum.data(), of_product.data(), out + i);
      return dx;
    }
    const T* along = how.per_group ? nullptr : w;
    for (Index g = 0; g < how.groups; ++g) {
      double sums[2] = {};
      each_run(how, g, [&](Index at) {
        use.gradient_sums(how.run, d + at, in + at, mean[g], scale[g], along, sums);
      });
      const T of_sum = how.centred ? static_cast<T>(sums[0] / count(how)) : T(0),
              of_product = static_cast<T>(sums[1] / count(how));
      each_run(how, g, [&](Index at) {
        use.standardize_gradient(how.run, d + at, in + at, static_cast<T>(mean[g]), static_cast<T>(scale[g]),
                                 along, static_cast<T>(factor(g)), of_sum, of_product, out + at);
      });
    }
    return dx;
  });
}

Tensor normalize_weight_gradient(const Tensor& dy, const Tensor& x, const Moments& moments,
                                 const Normalization& how) {
  return for_float("normalize_weight_gradient", x.dtype(), [&]<class T>() {
    const Index size = how.per_group ? how.groups : how.run;
    Tensor dweight = empty({size}, x.dtype());
    const double *mean = readable<double>(moments.mean), *scale = readable<double>(moments.scale);
    const T *d = readable<T>(dy), *in = readable<T>(x);
    std::vector<double> total(static_cast<std::size_t>(size));
    const Loops<T>& use = loops<T>();
    count_flops(4 * x.size());
    if (in_columns(how)) {
      const auto means = per_group<T>(how, [&](Index g) { return mean[g]; }),
                 scales = per_group<T>(how, [&](Index g) { return scale[g]; });
      for (Index i = 0; i < x.size(); i += size)
        use.add_standardized_columns(size, d + i, in + i, means.data(), scales.data(), total.data());
    } else {
      for (Index g = 0; g < how.groups; ++g)
        each_run(how, g, [&](Index at) {
          if (how.per_group) {
            double sums[2] = {};
            use.gradient_sums(how.run, d + at, in + at, mean[g], scale[g], nullptr, sums);
            total[static_cast<std::size_t>(g)] += sums[1];
          } else {
            use.add_standardized(how.run, d + at, in + at, static_cast<T>(mean[g]), static_cast<T>(scale[g]),
                                 total.data());
          }
        });
    }
    std::transform(total.begin(), total.end(), writable<T>(dweight),
                   [](double v) { return static_cast<T>(v); });
    return dweight;
  });
}

}  // namespace elk::kernels
