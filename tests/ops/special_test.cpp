// Every operation at special values, with its first and second derivatives, against special.json, which
// special.py computes independently of elk. A new operation needs a row here and its formula there. Where elk
// differs on purpose, `differences` says why.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/attention.hpp>
#include <elk/ops/convolution.hpp>
#include <elk/ops/einsum.hpp>
#include <elk/ops/index.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/norm.hpp>
#include <elk/ops/normalize.hpp>
#include <elk/ops/pooling.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/search.hpp>
#include <elk/ops/shape.hpp>
#include <nlohmann/json.hpp>
#include <support.hpp>

namespace elk {
namespace {

using In = std::vector<Tensor>;
using Json = nlohmann::json;
using Numbers = std::vector<double>;
using test::values;

// Losses are means; of one element they are the function itself.
template <class F>
Tensor each(const Tensor& a, const Tensor& b, F f) {
  std::vector<Tensor> parts;
  for (Index i = 0; i < a.size(); ++i)
    parts.push_back(reshape(f(slice(a, 0, i, i + 1), slice(b, 0, i, i + 1)), {1}));
  return concat(parts, 0);
}
template <class F>
Tensor each_of(const Tensor& x, F f) {
  return each(x, zeros(x.shape(), x.dtype()), f);
}

// A row as an image of one channel.
Tensor image(const Tensor& x) { return reshape(x, {1, 1, 1, x.size()}); }

const std::map<std::string, Tensor (*)(const Tensor&)>& of_one() {
  static const std::map<std::string, Tensor (*)(const Tensor&)> rows{
      {"neg", neg},
      {"square", square},
      {"sqrt", sqrt},
      {"exp", exp},
      {"log", log},
      {"log1p", log1p},
      {"expm1", expm1},
      {"sin", sin},
      {"cos", cos},
      {"erf", erf},
      {"abs", abs},
      {"sign", sign},
      {"relu", relu},
      {"sigmoid", sigmoid},
      {"tanh", tanh},
      {"softplus", softplus},
      {"gelu", gelu},
      {"silu", silu},
      {"elu", [](const Tensor& x) { return elu(x); }},
      {"elu_half", [](const Tensor& x) { return elu(x, 0.5); }},
      {"selu", selu},
      {"softsign", softsign},
      {"hardtanh", [](const Tensor& x) { return hardtanh(x); }},
      {"log_sigmoid", log_sigmoid},
      {"l1", [](const Tensor& x) { return each_of(x, [](auto a, auto b) { return l1(a, b); }); }},
      {"smooth_l1",
       [](const Tensor& x) { return each_of(x, [](auto a, auto b) { return smooth_l1(a, b, 0.5); }); }},
      {"hinge", [](const Tensor& x) { return each_of(x, [](auto a, auto b) { return hinge(a, b + 1); }); }},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }},
      {"leaky_relu_slope", [](const Tensor& x) { return leaky_relu(x, 0.25); }},
      {"clamp", [](const Tensor& x) { return clamp(x, -0.5, 2.5); }},
      {"clamp_below", [](const Tensor& x) { return clamp(x, -1, INFINITY); }},
      {"maximum_number", [](const Tensor& x) { return maximum(x, 0.5); }},
      {"minimum_number", [](const Tensor& x) { return minimum(x, 0.5); }},
      {"pow_number_0", [](const Tensor& x) { return pow(x, 0); }},
      {"pow_number_1", [](const Tensor& x) { return pow(x, 1); }},
      {"pow_number_2", [](const Tensor& x) { return pow(x, 2); }},
      {"pow_number_3", [](const Tensor& x) { return pow(x, 3); }},
      {"pow_number_half", [](const Tensor& x) { return pow(x, 0.5); }},
      {"pow_number_minus_1", [](const Tensor& x) { return pow(x, -1); }},
      {"add_number", [](const Tensor& x) { return x + 1.5; }},
      {"number_sub", [](const Tensor& x) { return 1.5 - x; }},
      {"mul_number", [](const Tensor& x) { return x * 1.5; }},
      {"div_number", [](const Tensor& x) { return x / 1.5; }},
      {"number_div", [](const Tensor& x) { return 1.5 / x; }},
      {"huber", [](const Tensor& x) { return each_of(x, [](auto a, auto b) { return huber(a, b); }); }},
      {"huber_half",
       [](const Tensor& x) { return each_of(x, [](auto a, auto b) { return huber(a, b, 0.5); }); }},
      {"huber_infinite",
       [](const Tensor& x) { return each_of(x, [](auto a, auto b) { return huber(a, b, INFINITY); }); }},
      {"mse", [](const Tensor& x) { return each_of(x, [](auto a, auto b) { return mse(a, b); }); }},
  };
  return rows;
}

const std::map<std::string, Tensor (*)(const Tensor&, const Tensor&)>& of_two() {
  static const std::map<std::string, Tensor (*)(const Tensor&, const Tensor&)> rows{
      {"add", [](const Tensor& a, const Tensor& b) { return a + b; }},
      {"sub", [](const Tensor& a, const Tensor& b) { return a - b; }},
      {"mul", [](const Tensor& a, const Tensor& b) { return a * b; }},
      {"div", [](const Tensor& a, const Tensor& b) { return a / b; }},
      {"maximum", maximum},
      {"minimum", minimum},
      {"pow", pow},
      {"equal", equal},
      {"not_equal", not_equal},
      {"less", less},
      {"less_equal", less_equal},
      {"greater", greater},
      {"greater_equal", greater_equal},
      {"binary_cross_entropy",
       [](const Tensor& a, const Tensor& b) {
         return each(a, b, [](auto u, auto v) { return binary_cross_entropy_with_logits(u, v); });
       }},
  };
  return rows;
}

const std::map<std::string, Tensor (*)(const In&)>& of_tensors() {
  static const std::map<std::string, Tensor (*)(const In&)> rows{
      {"sum", [](const In& x) { return sum(x[0]); }},
      {"sum_last", [](const In& x) { return sum(x[0], -1); }},
      {"mean", [](const In& x) { return mean(x[0]); }},
      {"max", [](const In& x) { return max(x[0], -1); }},
      {"min", [](const In& x) { return min(x[0], -1); }},
      {"var", [](const In& x) { return var(x[0], -1); }},
      {"logsumexp", [](const In& x) { return logsumexp(x[0], -1); }},
      {"softmax", [](const In& x) { return softmax(x[0]); }},
      {"log_softmax", [](const In& x) { return log_softmax(x[0]); }},
      {"cross_entropy_0", [](const In& x) { return cross_entropy(x[0], from({0}, i64)); }},
      {"cross_entropy_1", [](const In& x) { return cross_entropy(x[0], from({1}, i64)); }},
      {"smooth_cross_entropy", [](const In& x) { return smooth_cross_entropy(x[0], from({1}, i64), 0.25); }},
      {"nll", [](const In& x) { return nll(x[0], from({1}, i64)); }},
      {"soft_cross_entropy", [](const In& x) { return soft_cross_entropy(x[0], x[1]); }},
      {"layer_norm", [](const In& x) { return layer_norm(x[0], x[1], x[2]); }},
      {"matmul", [](const In& x) { return matmul(x[0], x[1]); }},
      {"matmul_nt", [](const In& x) { return matmul_nt(x[0], x[1]); }},
      {"matmul_tn", [](const In& x) { return matmul_tn(x[0], x[1]); }},
      {"linear", [](const In& x) { return linear(x[0], x[1], x[2]); }},
      {"transpose", [](const In& x) { return transpose(x[0]); }},
      {"reshape", [](const In& x) { return reshape(x[0], {3}); }},
      {"permute",
       [](const In& x) {
         return permute(x[0], {1, 0});
       }},
      {"squeeze", [](const In& x) { return squeeze(x[0], 0); }},
      {"expand", [](const In& x) { return expand(x[0], 1); }},
      {"slice", [](const In& x) { return slice(x[0], 1, 1, 3); }},
      {"concat",
       [](const In& x) {
         return concat({x[0], slice(x[0], 1, 0, 1)}, 1);
       }},
      {"stack",
       [](const In& x) {
         return stack({x[0], x[0]});
       }},
      {"gather",
       [](const In& x) {
         return gather(x[0], 1, from({1, 0, 0}, {1, 3}, i64));
       }},
      {"scatter_add",
       [](const In& x) {
         return scatter_add(x[0], 1, from({1, 0, 0}, {1, 3}, i64), 2);
       }},
      {"take_rows",
       [](const In& x) {
         return take_rows(x[0], from({0, 0}, i64));
       }},
      {"scatter_add_rows", [](const In& x) { return scatter_add_rows(x[0], from({1}, i64), 2); }},
      {"broadcast_to",
       [](const In& x) {
         return broadcast_to(x[0], {2, 3});
       }},
      {"sum_to",
       [](const In& x) {
         return sum_to(x[0], {1, 1});
       }},
      {"where",
       [](const In& x) {
         return where(from({1, 0, 1}, {1, 3}, u8), x[0], scalar(0, x[0].dtype()));
       }},
      {"cast_f32", [](const In& x) { return cast(x[0], f32); }},
      {"detach_mul", [](const In& x) { return x[0] * detach(x[0]); }},
      {"cross_entropy_options",
       [](const In& x) {
         const Tensor weight = from({0.5, 2, 1.25}, x[0].dtype());
         return cross_entropy(x[0], from({2}, i64),
                              {.ignore_index = -100, .weight = weight, .label_smoothing = 0.25});
       }},
      {"cross_entropy_ignored",
       [](const In& x) {
         return cross_entropy(concat({x[0], x[0] / 2}), from({2, -100}, i64),
                              {.ignore_index = -100, .reduction = Reduction::sum});
       }},
      {"kl_div",
       [](const In& x) {
         return kl_div(x[0], from({0.25, 0, 0.75}, {1, 3}, x[0].dtype()), Reduction::none);
       }},
      {"gaussian_nll",
       [](const In& x) { return gaussian_nll(x[0], x[1], x[2], {.reduction = Reduction::none}); }},
      {"triplet_margin", [](const In& x) { return triplet_margin(x[0], x[1], x[2]); }},
      {"cosine_similarity", [](const In& x) { return cosine_similarity(x[0], x[1]); }},
      {"bmm", [](const In& x) { return bmm(expand(x[0], 0), expand(x[1], 0)); }},
      {"outer", [](const In& x) { return outer(squeeze(x[0], 0), x[1]); }},
      {"einsum", [](const In& x) { return einsum("ij,jk->k", x); }},
      {"cdist", [](const In& x) { return cdist(x[0], x[1]); }},
      {"clip_by_norm", [](const In& x) { return clip_by_norm(x[0], 2); }},
      {"index", [](const In& x) { return x[0](0, range(2)); }},
      {"index_put",
       [](const In& x) {
         return index_put(x[0], {0, 1}, 0.5);
       }},
      {"index_select",
       [](const In& x) {
         return index_select(x[0], 1, from({1, 1, 0}, i64));
       }},
      {"masked",
       [](const In& x) {
         return x[0][from({1, 0, 1}, {1, 3}, u8)];
       }},
      {"masked_fill",
       [](const In& x) {
         return masked_fill(x[0], from({1, 0, 1}, {1, 3}, u8), -1);
       }},
      {"tril", [](const In& x) { return tril(x[0]); }},
      {"triu", [](const In& x) { return triu(x[0]); }},
      {"split",
       [](const In& x) {
         return elk::split(x[0], {1, 2}, 1)[1];
       }},
      {"chunk", [](const In& x) { return chunk(x[0], 2, 1)[0]; }},
      {"flip", [](const In& x) { return flip(x[0], 1); }},
      {"roll", [](const In& x) { return roll(x[0], 1, 1); }},
      {"pad",
       [](const In& x) {
         return pad(x[0], {1, 0});
       }},
      {"sort", [](const In& x) { return sort(x[0]).values; }},
      {"topk", [](const In& x) { return topk(x[0], 2).values; }},
      {"cumsum", [](const In& x) { return cumsum(x[0], 1); }},
      {"prod", [](const In& x) { return prod(x[0], 1); }},
      {"stddev", [](const In& x) { return stddev(x[0], 1); }},
      {"conv1d", [](const In& x) { return conv1d(expand(x[0], 0), x[1]); }},
      {"conv2d",
       [](const In& x) {
         return conv2d(image(x[0]), x[1], x[2], {.padding = {0, 1}});
       }},
      {"conv_transpose2d", [](const In& x) { return conv_transpose2d(image(x[0]), x[1]); }},
      {"max_pool1d", [](const In& x) { return max_pool1d(expand(x[0], 0), 2, {.stride = 1}); }},
      {"max_pool2d",
       [](const In& x) {
         return max_pool2d(image(x[0]), {1, 2}, {.stride = 1});
       }},
      {"avg_pool1d", [](const In& x) { return avg_pool1d(expand(x[0], 0), 2, {.stride = 1}); }},
      {"avg_pool2d",
       [](const In& x) {
         return avg_pool2d(image(x[0]), {1, 3}, {.stride = 1, .padding = {0, 1}});
       }},
      {"adaptive_avg_pool1d", [](const In& x) { return adaptive_avg_pool1d(expand(x[0], 0), 2); }},
      {"adaptive_avg_pool2d",
       [](const In& x) {
         return adaptive_avg_pool2d(image(x[0]), {1, 2});
       }},
      {"interpolate",
       [](const In& x) {
         return interpolate(image(x[0]), {1, 5});
       }},
      {"interpolate_bilinear",
       [](const In& x) {
         return interpolate(image(x[0]), {1, 6}, Interpolation::bilinear);
       }},
      {"interpolate_align_corners",
       [](const In& x) {
         return interpolate(image(x[0]), {1, 5}, Interpolation::align_corners);
       }},
      {"channel_mean", [](const In& x) { return channel_moments(transpose(x[0])).mean; }},
      {"channel_variance", [](const In& x) { return channel_moments(transpose(x[0])).variance; }},
      {"batch_norm", [](const In& x) { return batch_norm(transpose(x[0]), x[1], x[2]).y; }},
      {"group_norm", [](const In& x) { return group_norm(x[0], 1, x[1], x[2]); }},
      {"rms_norm", [](const In& x) { return rms_norm(x[0], x[1]); }},
      {"attention", [](const In& x) { return scaled_dot_product_attention(transpose(x[0]), x[1], x[2]); }},
  };
  return rows;
}

// Where elk differs on purpose: the row, what of it, the arguments, what elk gives (any of these), and why.
struct Difference {
  const char* row;
  const char* what;
  std::function<bool(const Numbers& x)> where;
  Numbers elk;
  const char* why;
};
bool minus_zero(const Numbers& x) { return x[0] == 0 && std::signbit(x[0]); }
bool minus_infinity(const Numbers& x) { return x[0] == -INFINITY; }
bool by_subnormal(const Numbers& x) { return x[0] == 0 && x[1] != 0 && std::abs(x[1]) < 1e-44; }
bool tiny_to_0(const Numbers& x) { return x[0] > 0 && x[0] < 1e-37 && x[1] == 0; }
bool huge(const Numbers& x) { return std::abs(x[0]) > 3e38 && std::isfinite(x[0]) && x[0] != x[1]; }
bool two_huge(const Numbers& x) { return x[0] > 3e38 && std::isfinite(x[0]) && x[0] == x[1]; }
bool some_huge(const Numbers& x) {
  return std::any_of(x.begin(), x.end(), [](double v) { return std::abs(v) > 3e38 && std::isfinite(v); });
}
bool some_infinite(const Numbers& x) {
  return std::any_of(x.begin(), x.end(), [](double v) { return std::isinf(v); });
}
bool sum_overflows(const Numbers& x) { return std::abs(x[0]) > 3e38 && std::abs(x[1]) > 3e38; }
const std::vector<Difference>& differences() {
  constexpr const char* by_minus_zero = "a quotient by the root -0, as in PyTorch";
  constexpr const char* ieee = "IEEE's pow(-infinity, 0.5) is infinity, and its derivatives follow";
  constexpr const char* overflow = "1 / b, or 1 / a, overflows on the way";
  constexpr const char* not_wanted = "a target of 0 takes nothing from a class that is ruled out";
  constexpr const char* rounded = "PyTorch's exp(x - logsumexp) loses log(2) beside the largest number";
  constexpr const char* in_f64 = "elk's squares are f64's, in which they do not overflow";
  constexpr const char* order =
      "the order of a product's sum, in which it overflows, is the instruction set's";
  constexpr const char* no_target = "of a target of 0 PyTorch takes 0 times infinity";
  constexpr const char* squares = "PyTorch's squares overflow; ours, in f64, do so in f64 alone";
  constexpr const char* distances = "two distances overflow, and their difference is NaN";
  constexpr const char* shares = "PyTorch's sum overflows before it is divided";
  constexpr const char* no_part = "a pixel of weight 0 takes no part, where PyTorch takes 0 times infinity";
  constexpr const char* overflows =
      "the variance overflows in f64, and in f32 where the general kernels compose it; fused, it is f64's";
  static const std::vector<Difference> list{
      {"cdist", "y", some_huge, {std::numeric_limits<float>::max()}, squares},
      {"cdist", "d", some_huge, {0, 0.5, 1, 1.5, -0.5, -1, -1.5}, squares},
      {"kl_div", "y", [](const Numbers& x) { return !std::isfinite(x[1]); }, {0}, no_target},
      {"cdist", "dd", some_huge, {0, INFINITY, -INFINITY, NAN}, squares},
      {"triplet_margin", "d", some_huge, {NAN}, distances},
      {"triplet_margin", "dd", some_huge, {NAN}, distances},
      {"avg_pool1d", "y", some_huge, {std::numeric_limits<double>::max()}, shares},
      {"avg_pool2d", "y", some_huge, {1.1984620899082103e308}, shares},
      {"adaptive_avg_pool1d", "y", some_huge, {std::numeric_limits<double>::max()}, shares},
      {"adaptive_avg_pool2d", "y", some_huge, {std::numeric_limits<double>::max()}, shares},
      {"interpolate_bilinear", "y", some_infinite, {INFINITY, -INFINITY}, no_part},
      {"interpolate_align_corners", "y", some_infinite, {INFINITY, -INFINITY}, no_part},
      {"batch_norm", "y", some_huge, {0.5, NAN}, overflows},
      {"batch_norm", "d", some_huge, {0, NAN}, overflows},
      {"batch_norm", "dd", some_huge, {0, NAN}, overflows},
      {"group_norm", "y", some_huge, {0, 0.5, 1, NAN}, overflows},
      {"group_norm", "d", some_huge, {0, NAN}, overflows},
      {"group_norm", "dd", some_huge, {0, NAN}, overflows},
      {"rms_norm", "y", some_huge, {0}, overflows},
      {"rms_norm", "d", some_huge, {0, NAN}, overflows},
      {"rms_norm", "dd", some_huge, {0, NAN}, overflows},
      {"sqrt", "d", minus_zero, {-INFINITY}, by_minus_zero},
      {"sqrt", "dd", minus_zero, {INFINITY}, by_minus_zero},
      {"pow_number_half", "y", minus_infinity, {INFINITY}, ieee},
      {"pow_number_half", "d", minus_infinity, {0}, ieee},
      {"pow_number_half", "dd", minus_infinity, {0}, ieee},
      {"div", "bb", by_subnormal, {NAN}, overflow},
      {"pow", "aa", tiny_to_0, {NAN}, overflow},
      {"pow", "ab", tiny_to_0, {NAN, 1}, overflow},
      {"soft_cross_entropy", "y", minus_infinity, {INFINITY, 2.2985873515737421}, not_wanted},
      {"layer_norm", "y", some_huge, {0, 0.5, 1, NAN}, overflows},
      {"layer_norm", "d", some_huge, {0, NAN}, overflows},
      {"layer_norm", "dd", some_huge, {0, NAN}, overflows},
      {"matmul", "y", sum_overflows, {-INFINITY, INFINITY}, order},
      {"matmul_nt", "y", sum_overflows, {-INFINITY, INFINITY}, order},
      {"matmul_tn", "d", sum_overflows, {-INFINITY, INFINITY}, order},
      {"linear", "y", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv1d", "y", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv1d", "d", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv1d", "dd", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv2d", "y", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv2d", "d", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv2d", "dd", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv_transpose2d", "y", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv_transpose2d", "d", sum_overflows, {-INFINITY, INFINITY}, order},
      {"conv_transpose2d", "dd", sum_overflows, {-INFINITY, INFINITY}, order},
      {"stddev", "y", two_huge, {1.6041063660588853e38}, in_f64},
      {"stddev", "d", two_huge, {-INFINITY}, "the mean is infinite"},
      {"stddev", "d", huge, {0.20412395894527435, -0.20412395894527435}, in_f64},
      {"stddev", "dd", huge, {INFINITY, -INFINITY}, in_f64},
      {"logsumexp", "d", two_huge, {0.25}, rounded},
      {"logsumexp", "dd", two_huge, {0.1875, -0.1875}, rounded},
  };
  return list;
}

const Json& table() {
  static const Json json = Json::parse(std::ifstream(ELK_TESTS_DIR "/ops/special.json"));
  return json;
}

Numbers numbers(const Json& list) {
  Numbers all;
  for (const Json& one : list)
    all.push_back(one.is_number() ? one.get<double>()
                  : one == "nan"  ? NAN
                  : one == "inf"  ? INFINITY
                                  : -INFINITY);
  return all;
}

Tensor tensor(const Numbers& list, const Shape& shape, DType dtype) { return cast(from(list, shape), dtype); }

// d sum(weights y) / d x, and the derivative of sum(signs d) where d are those: in the given order. What a
// result does not depend on has a derivative of 0.
struct Derivatives {
  Tensor y;
  std::vector<Tensor> first, second;
};
using Weights = std::function<Tensor(const Tensor&)>;

std::vector<Tensor> gradients(Tape& tape, const Tensor& y, const In& inputs) {
  const Gradients all = tape.backward(y);
  std::vector<Tensor> list;
  for (const Tensor& x : inputs) list.push_back(all.has(x) ? all[x] : zeros(x.shape(), x.dtype()));
  return list;
}

Derivatives derivatives(const std::function<Tensor(const In&)>& f, const In& inputs, const Weights& weights,
                        const Weights& signs, std::size_t begin, std::size_t end) {
  Derivatives result;
  Tape outer;
  for (const Tensor& x : inputs) outer.watch(x);
  Tape inner;
  for (const Tensor& x : inputs) inner.watch(x);
  result.y = f(inputs);
  const Tensor nothing = 0 * sum(inputs[0]);  // keeps constants on the tape
  result.first =
      gradients(inner, sum(weights(result.y) * result.y) + cast(nothing, result.y.dtype()), inputs);
  Tensor total = nothing;
  for (std::size_t i = begin; i < end; ++i) total = total + sum(signs(result.first[i]) * result.first[i]);
  result.second = gradients(outer, total, inputs);
  return result;
}

class Special : public testing::Test {
 protected:
  DType dtype_ = f32;
  std::string row_;

  // `got` beside `expected` of the arguments `at`: NaN, infinities and signs exactly, numbers to `relative`
  // or to a few of the smallest numbers.
  void check(const char* what, const Numbers& at, double got, double expected, double relative,
             double absolute = 0) {
    // Beneath the normal numbers derivatives are products of what is coarse already.
    const double coarse = std::string(what) == "y" && row_ != "gelu" && row_ != "silu" ? 4 : 1000;
    const double smallest =
        dtype_ == f64 ? std::numeric_limits<double>::denorm_min() : std::numeric_limits<float>::denorm_min();
    const auto near = [&](double other) {
      if (std::isnan(other)) return std::isnan(got);
      if (std::isinf(other)) return got == other;
      return std::abs(got - other) <= std::max({relative * std::abs(other), absolute, coarse * smallest});
    };
    if (near(expected)) return;
    for (const Difference& difference : differences())
      if (row_ == difference.row && std::string(what) == difference.what && difference.where(at) &&
          std::any_of(difference.elk.begin(), difference.elk.end(), near))
        return;
    ADD_FAILURE() << message(what, at) << ": " << got << ", expected " << expected;
  }

  std::string message(const char* what, const Numbers& at) const {
    std::string text = row_ + " " + name(dtype_) + " " + what + " at";
    for (const double x : at) text += " " + std::to_string(x) + " (" + Json(x).dump() + ")";
    return text;
  }
};

void split(const std::string& key, std::string& row, DType& dtype) {
  row = key.substr(0, key.find('/'));
  dtype = key.substr(key.find('/') + 1) == "f64" ? f64 : f32;
}

// Both forms of the kernels.
template <class F>
void for_both_forms(F f) {
  for (const bool general : {false, true}) {
    SCOPED_TRACE(general ? "the general kernels" : "");
    kernels::set_reference(general);
    f();
  }
  kernels::set_reference(false);
}

TEST_F(Special, FunctionsOfOneNumber) {
  for (const auto& [key, json] : table()["one"].items()) {
    split(key, row_, dtype_);
    const auto row = of_one().find(row_);
    if (row == of_one().end()) {
      ADD_FAILURE() << row_ << " has no row";
      continue;
    }
    const Numbers x = numbers(json["x"]), y = numbers(json["y"]), d = numbers(json["d"]),
                  dd = numbers(json["dd"]);
    for_both_forms([&] {
      const Index n = static_cast<Index>(x.size());
      const Derivatives got = derivatives([&](const In& in) { return row->second(in[0]); },
                                          {tensor(x, {n}, dtype_)}, ones_like, ones_like, 0, 1);
      const double tolerance = dtype_ == f64 ? 1e-14 : 1e-6;
      for (Index i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(i);
        check("y", {x[at]}, got.y.at(i), y[at], tolerance);
        check("d", {x[at]}, got.first[0].at(i), d[at], 10 * tolerance);
        check("dd", {x[at]}, got.second[0].at(i), dd[at], 10 * tolerance);
      }
    });
  }
}

TEST_F(Special, FunctionsOfTwoNumbers) {
  for (const auto& [key, entry] : table()["two"].items()) {
    const auto& json = entry;  // a plain name, which Clang 14 captures
    split(key, row_, dtype_);
    const auto row = of_two().find(row_);
    if (row == of_two().end()) {
      ADD_FAILURE() << row_ << " has no row";
      continue;
    }
    const Numbers a = numbers(json["a"]), b = numbers(json["b"]);
    const Index n = static_cast<Index>(a.size());
    const In inputs{tensor(a, {n}, dtype_), tensor(b, {n}, dtype_)};
    const auto compare = [&](const char* what, const Tensor& got, double tolerance) {
      const Numbers expected = numbers(json[std::string("of_") + what]);
      for (Index i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (json[std::string("of_") + what][at] == "none") continue;  // it has no limit
        check(what, {a[at], b[at]}, got.at(i), expected[at], tolerance);
      }
    };
    const double tolerance = dtype_ == f64 ? 1e-14 : 1e-6;
    for_both_forms([&] {
      if (!json.contains("of_a")) return compare("y", row->second(inputs[0], inputs[1]), 0);
      const auto f = [&](const In& in) { return row->second(in[0], in[1]); };
      const Derivatives of_a = derivatives(f, inputs, ones_like, ones_like, 0, 1),
                        of_b = derivatives(f, inputs, ones_like, ones_like, 1, 2);
      compare("y", of_a.y, tolerance);
      compare("a", of_a.first[0], 10 * tolerance);
      compare("b", of_a.first[1], 10 * tolerance);
      compare("aa", of_a.second[0], 10 * tolerance);
      compare("ab", of_a.second[1], 10 * tolerance);
      compare("bb", of_b.second[1], 10 * tolerance);
    });
  }
}

// As special.py's.
Tensor counted(const Tensor& x, bool signs) {
  std::vector<double> list;
  for (Index i = 0; i < x.size(); ++i)
    list.push_back((signs && i % 2 == 1 ? -0.5 : 0.5) * static_cast<double>(i + 1));
  return tensor(list, x.shape(), x.dtype());
}

TEST_F(Special, FunctionsOfTensors) {
  for (const auto& [key, json] : table()["whole"].items()) {
    split(key, row_, dtype_);
    const auto row = of_tensors().find(row_);
    if (row == of_tensors().end()) {
      ADD_FAILURE() << row_ << " has no row";
      continue;
    }
    for (const Json& one : json) {
      In inputs;
      for (const Json& x : one["inputs"]) {
        Shape shape;
        for (const Index size : x["shape"]) shape.push_back(size);
        inputs.push_back(tensor(numbers(x["values"]), shape, dtype_));
      }
      const Numbers at = values(inputs[0]);
      const double tolerance = dtype_ == f64 ? 1e-12 : 1e-5;
      const auto compare = [&](const char* what, const Tensor& got, const Json& list) {
        const Numbers expected = numbers(list);
        for (std::size_t i = 0; i < expected.size(); ++i)
          check(what, at, got.at(static_cast<Index>(i)), expected[i], tolerance, tolerance);
      };
      for_both_forms([&] {
        const Derivatives got = derivatives(
            row->second, inputs, [](const Tensor& y) { return counted(y, false); },
            [](const Tensor& y) { return counted(y, true); }, 0, inputs.size());
        compare("y", got.y, one["y"]);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          compare("d", got.first[i], one["d"][i]);
          compare("dd", got.second[i], one["dd"][i]);
        }
      });
    }
  }
}

TEST(SpecialTable, EveryRowHasItsValues) {
  const auto all = [](const char* kind, const auto& rows) {
    for (const auto& row : rows)
      for (const char* dtype : {"/f32", "/f64"})
        EXPECT_TRUE(table()[kind].contains(row.first + dtype))
            << row.first << " has no formula in special.py";
  };
  all("one", of_one());
  all("two", of_two());
  all("whole", of_tensors());
}

// Of the rows of operations_test.cpp, whose names begin with the operation's.
TEST(SpecialTable, EveryOperationIsInIt) {
  // Without derivatives: their NaN and ties are in edge_test.cpp and index_test.cpp.
  std::set<std::string> names{"argmax", "argmin", "argsort", "one_hot", "logical", "isnan", "isfinite"};
  const std::set<std::string> of_lapack{"solve", "inverse", "cholesky"};  // see solve_test.cpp
  names.insert(of_lapack.begin(), of_lapack.end());
  for (const auto& [kind, rows] : table().items())
    for (const auto& [key, values] : rows.items()) names.insert(key.substr(0, key.find('/')));
  for (const char* name : {"cast", "detach", "cross_entropy", "number", "adaptive_avg", "channel"})
    names.insert(name);  // theirs have endings
  const Json operations = Json::parse(std::ifstream(ELK_TESTS_DIR "/ops/fixtures.json"));
  for (const auto& [key, values] : operations.items()) {
    const std::string row = key.substr(0, key.find('/'));
    bool found = false;
    for (const std::string& name : names) found |= row == name || row.starts_with(name + "_");
    EXPECT_TRUE(found) << row << " is missing in special.py";
  }
}

}  // namespace
}  // namespace elk
