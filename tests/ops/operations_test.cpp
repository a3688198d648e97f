// The table of operations. Each row is checked against NumPy (fixtures.py) in f64 and f32, on the general
// kernels and the fast paths, and its first and second derivatives against finite differences. A new
// operation needs a row here and its cases in fixtures.py; a new broadcasting or empty case needs a line
// there alone.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/base/error.hpp>
#include <elk/debug/gradcheck.hpp>
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
#include <elk/ops/solve.hpp>
#include <nlohmann/json.hpp>

namespace elk {
namespace {

using In = std::vector<Tensor>;
using Json = nlohmann::ordered_json;

// Arguments that an operation refuses, and the text of the error.
struct Refused {
  In (*x)();
  const char* text;
};

enum Derivatives { differentiable, constant };

struct Row {
  const char* name;  // of its cases in fixtures.json
  Tensor (*f)(const In&);
  Derivatives derivatives = differentiable;
  std::vector<Refused> refused = {};
};

Tensor z(const Shape& shape, DType dtype = f32) { return zeros(shape, dtype); }
Tensor ints(std::initializer_list<double> values) { return from(values, i64); }

// What every operation of two broadcasting operands refuses, the last only where it takes no integers.
std::vector<Refused> refused_pairs(const std::vector<const char*>& texts) {
  const std::vector<Refused> all{{[] {
                                    return In{z({2, 3}), z({4})};
                                  },
                                  texts[0]},
                                 {[] {
                                    return In{z({2, 1, 3}), z({3, 2})};
                                  },
                                  texts[1]},
                                 {[] {
                                    return In{z({2}), z({2}, f64)};
                                  },
                                  texts[2]},
                                 {[] {
                                    return In{z({2}, i64), z({2}, i64)};
                                  },
                                  texts.back()}};
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(texts.size())};
}

Tensor class_weights(const Tensor& like) { return from({0.5, 2, 1.25}, like.dtype()); }
Tensor identity(const Tensor& like) { return one_hot(arange(like.size(-1)), like.size(-1), like.dtype()); }

const std::vector<Row>& table() {
  // clang-format off
  static const std::vector<Row> rows = {
      // Arithmetic
      {"add", [](const In& x) { return x[0] + x[1]; }, differentiable, refused_pairs({
           "[add] shapes do not broadcast: (2, 3) and (4)",
           "[add] shapes do not broadcast: (2, 1, 3) and (3, 2)",
           "[add] dtypes differ: f32 and f64: convert one with cast"})},
      {"sub", [](const In& x) { return x[0] - x[1]; }, differentiable, refused_pairs({
           "[sub] shapes do not broadcast: (2, 3) and (4)",
           "[sub] shapes do not broadcast: (2, 1, 3) and (3, 2)",
           "[sub] dtypes differ: f32 and f64: convert one with cast"})},
      {"mul", [](const In& x) { return x[0] * x[1]; }, differentiable, refused_pairs({
           "[mul] shapes do not broadcast: (2, 3) and (4)",
           "[mul] shapes do not broadcast: (2, 1, 3) and (3, 2)",
           "[mul] dtypes differ: f32 and f64: convert one with cast"})},
      {"div", [](const In& x) { return x[0] / x[1]; }, differentiable, refused_pairs({
           "[div] shapes do not broadcast: (2, 3) and (4)",
           "[div] shapes do not broadcast: (2, 1, 3) and (3, 2)",
           "[div] dtypes differ: f32 and f64: convert one with cast",
           "[div] expected f32 or f64, got i64: convert with cast"})},
      {"maximum", [](const In& x) { return maximum(x[0], x[1]); }, differentiable, refused_pairs({
           "[maximum] shapes do not broadcast: (2, 3) and (4)",
           "[maximum] shapes do not broadcast: (2, 1, 3) and (3, 2)",
           "[maximum] dtypes differ: f32 and f64: convert one with cast"})},
      {"add_number", [](const In& x) { return x[0] + 1.5; }},
      {"number_add", [](const In& x) { return 1.5 + x[0]; }},
      {"sub_number", [](const In& x) { return x[0] - 1.5; }},
      {"number_sub", [](const In& x) { return 1.5 - x[0]; }},
      {"mul_number", [](const In& x) { return x[0] * 1.5; }},
      {"number_mul", [](const In& x) { return 1.5 * x[0]; }},
      {"div_number", [](const In& x) { return x[0] / 1.5; }},
      {"number_div", [](const In& x) { return 1.5 / x[0]; }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[tensor] 1.5 is not exact in i64: take f32 or f64, or convert with cast"}}},
      {"maximum_number", [](const In& x) { return maximum(x[0], 0.5); }},
      {"neg", [](const In& x) { return -x[0]; }, differentiable,
       {{[] { return In{z({2}, u8)}; }, "[neg] expected f32 or f64, got u8: convert with cast"}}},
      {"clamp", [](const In& x) { return clamp(x[0], -0.5, 0.7); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[clamp] expected f32 or f64, got i64: convert with cast"}}},
      {"where", [](const In& x) { return where(x[0], x[1], x[2]); }, differentiable,
       {{[] { return In{z({2}), z({2}), z({2})}; }, "[where] the condition must be u8, as comparisons return it, got f32"},
        {[] { return In{z({2}, u8), z({2}), z({2}, f64)}; }, "[where] dtypes differ: f32 and f64: convert one with cast"},
        {[] { return In{z({2}, u8), z({3}), z({4})}; }, "[where] shapes do not broadcast: (3) and (4)"},
        {[] { return In{z({2}, u8), z({3}), z({1})}; }, "[where] shapes do not broadcast: (2) and (3)"}}},

      // Comparisons
      {"equal", [](const In& x) { return equal(x[0], x[1]); }, constant,
       {{[] { return In{z({2, 3}), z({4})}; }, "[equal] shapes do not broadcast: (2, 3) and (4)"},
        {[] { return In{z({2}), z({2}, f64)}; }, "[equal] dtypes differ: f32 and f64: convert one with cast"}}},
      {"not_equal", [](const In& x) { return not_equal(x[0], x[1]); }, constant,
       {{[] { return In{z({2, 3}), z({4})}; }, "[not_equal] shapes do not broadcast: (2, 3) and (4)"}}},
      {"less", [](const In& x) { return less(x[0], x[1]); }, constant,
       {{[] { return In{z({2, 3}), z({4})}; }, "[less] shapes do not broadcast: (2, 3) and (4)"}}},
      {"less_equal", [](const In& x) { return less_equal(x[0], x[1]); }, constant,
       {{[] { return In{z({2, 3}), z({4})}; }, "[less_equal] shapes do not broadcast: (2, 3) and (4)"}}},
      {"greater", [](const In& x) { return greater(x[0], x[1]); }, constant,
       {{[] { return In{z({2, 3}), z({4})}; }, "[greater] shapes do not broadcast: (2, 3) and (4)"}}},
      {"greater_equal", [](const In& x) { return greater_equal(x[0], x[1]); }, constant,
       {{[] { return In{z({2, 3}), z({4})}; }, "[greater_equal] shapes do not broadcast: (2, 3) and (4)"}}},
      {"equal_number", [](const In& x) { return equal(x[0], 1.5); }, constant,
       {{[] { return In{z({2}, i64)}; }, "[tensor] 1.5 is not exact in i64: take f32 or f64, or convert with cast"}}},
      {"not_equal_number", [](const In& x) { return not_equal(x[0], 1.5); }, constant},
      {"less_number", [](const In& x) { return less(x[0], 1.5); }, constant},
      {"less_equal_number", [](const In& x) { return less_equal(x[0], 1.5); }, constant},
      {"greater_number", [](const In& x) { return greater(x[0], 1.5); }, constant},
      {"greater_equal_number", [](const In& x) { return greater_equal(x[0], 1.5); }, constant},

      // Functions of one tensor
      {"square", [](const In& x) { return square(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[square] expected f32 or f64, got i64: convert with cast"},
        {[] { return In{Tensor()}; }, "[tensor] this tensor is undefined: it was default-made and never assigned, or moved from"}}},
      {"sqrt", [](const In& x) { return sqrt(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[sqrt] expected f32 or f64, got i64: convert with cast"}}},
      {"exp", [](const In& x) { return exp(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[exp] expected f32 or f64, got i64: convert with cast"}}},
      {"log", [](const In& x) { return log(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[log] expected f32 or f64, got i64: convert with cast"}}},
      {"abs", [](const In& x) { return abs(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[abs] expected f32 or f64, got i64: convert with cast"}}},
      {"sign", [](const In& x) { return sign(x[0]); }, constant,
       {{[] { return In{z({2}, i64)}; }, "[sign] expected f32 or f64, got i64: convert with cast"}}},
      {"relu", [](const In& x) { return relu(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[relu] expected f32 or f64, got i64: convert with cast"}}},
      {"leaky_relu", [](const In& x) { return leaky_relu(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[leaky_relu] expected f32 or f64, got i64: convert with cast"}}},
      {"leaky_relu_slope", [](const In& x) { return leaky_relu(x[0], 0.25); }},
      {"sigmoid", [](const In& x) { return sigmoid(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[sigmoid] expected f32 or f64, got i64: convert with cast"}}},
      {"tanh", [](const In& x) { return tanh(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[tanh] expected f32 or f64, got i64: convert with cast"}}},

      // Reductions
      {"sum_all", [](const In& x) { return sum(x[0]); }},
      {"sum_all_keep", [](const In& x) { return sum(x[0], Axes::all(), true); }},
      {"sum_axis0", [](const In& x) { return sum(x[0], 0); }, differentiable,
       {{[] { return In{z({})}; }, "[sum] axis 0 is outside shape ()"}}},
      {"sum_axis1_keep", [](const In& x) { return sum(x[0], 1, true); }, differentiable,
       {{[] { return In{z({3})}; }, "[sum] axis 1 is outside shape (3)"}}},
      {"sum_last", [](const In& x) { return sum(x[0], -1); }},
      {"sum_axes01", [](const In& x) { return sum(x[0], {0, 1}); }},
      {"sum_axes02", [](const In& x) { return sum(x[0], {0, 2}); }},
      {"sum_axes20_keep", [](const In& x) { return sum(x[0], {-1, 0}, true); }, differentiable,
       {{[] { return In{z({3})}; }, "[sum] axis 0 is named twice"}}},
      {"sum_axes12", [](const In& x) { return sum(x[0], {1, 2}); }},
      {"sum_none", [](const In& x) { return sum(x[0], {}); }},
      {"mean_all", [](const In& x) { return mean(x[0]); }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[mean] shape (0, 3) has no elements"},
        {[] { return In{z({2}, u8)}; }, "[mean] expected f32 or f64, got u8: convert with cast"}}},
      {"mean_all_keep", [](const In& x) { return mean(x[0], Axes::all(), true); }},
      {"mean_axis0", [](const In& x) { return mean(x[0], 0); }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[mean] shape (0, 3) has no elements"},
        {[] { return In{z({})}; }, "[mean] axis 0 is outside shape ()"}}},
      {"mean_axis1_keep", [](const In& x) { return mean(x[0], 1, true); }},
      {"mean_last", [](const In& x) { return mean(x[0], -1); }},
      {"mean_axes01", [](const In& x) { return mean(x[0], {0, 1}); }},
      {"mean_axes02", [](const In& x) { return mean(x[0], {0, 2}); }},
      {"mean_axes20_keep", [](const In& x) { return mean(x[0], {-1, 0}, true); }},
      {"mean_axes12", [](const In& x) { return mean(x[0], {1, 2}); }},
      {"mean_none", [](const In& x) { return mean(x[0], {}); }},
      {"max_all", [](const In& x) { return max(x[0]); }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[max] shape (0, 3) has no elements to choose from"}}},
      {"max_all_keep", [](const In& x) { return max(x[0], Axes::all(), true); }},
      {"max_axis0", [](const In& x) { return max(x[0], 0); }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[max] shape (0, 3) has no elements to choose from"},
        {[] { return In{z({})}; }, "[max] axis 0 is outside shape ()"}}},
      {"max_axis1_keep", [](const In& x) { return max(x[0], 1, true); }},
      {"max_last", [](const In& x) { return max(x[0], -1); }},
      {"max_axes01", [](const In& x) { return max(x[0], {0, 1}); }},
      {"max_axes02", [](const In& x) { return max(x[0], {0, 2}); }},
      {"max_axes20_keep", [](const In& x) { return max(x[0], {-1, 0}, true); }},
      {"max_axes12", [](const In& x) { return max(x[0], {1, 2}); }},
      {"max_none", [](const In& x) { return max(x[0], {}); }},
      {"argmax_last", [](const In& x) { return argmax(x[0]); }, constant,
       {{[] { return In{z({})}; }, "[argmax] axis -1 is outside shape ()"},
        {[] { return In{z({2, 0})}; }, "[argmax] shape (2, 0) has no elements to choose from"}}},
      {"argmax_axis0", [](const In& x) { return argmax(x[0], 0); }, constant},
      {"argmax_axis1", [](const In& x) { return argmax(x[0], 1); }, constant},

      // Moving, selecting and converting
      {"reshape_2_minus1", [](const In& x) { return reshape(x[0], {2, -1}); }, differentiable,
       {{[] { return In{z({3, 3})}; }, "[reshape] (3, 3) of 9 elements does not fit (2, -1)"}}},
      {"reshape_scalar", [](const In& x) { return reshape(x[0], {}); }, differentiable,
       {{[] { return In{z({2})}; }, "[reshape] (2) of 2 elements does not fit ()"},
        {[] { return In{z({0})}; }, "[reshape] (0) of 0 elements does not fit ()"}}},
      {"transpose", [](const In& x) { return transpose(x[0]); }, differentiable,
       {{[] { return In{z({3})}; }, "[transpose] expected at least two axes, got (3)"}}},
      {"broadcast_to_2_3_4", [](const In& x) { return broadcast_to(x[0], {2, 3, 4}); }, differentiable,
       {{[] { return In{z({3})}; }, "[broadcast_to] shapes do not broadcast: (3) and (2, 3, 4)"},
        {[] { return In{z({1, 2, 3, 4})}; }, "[broadcast_to] (1, 2, 3, 4) does not stretch to (2, 3, 4)"}}},
      {"broadcast_to_0_3", [](const In& x) { return broadcast_to(x[0], {0, 3}); }, differentiable,
       {{[] { return In{z({2, 3})}; }, "[broadcast_to] shapes do not broadcast: (2, 3) and (0, 3)"}}},
      {"sum_to_3_1", [](const In& x) { return sum_to(x[0], {3, 1}); }, differentiable,
       {{[] { return In{z({2, 2})}; }, "[sum_to] shapes do not broadcast: (2, 2) and (3, 1)"},
        {[] { return In{z({1, 2})}; }, "[sum_to] (3, 1) does not stretch to (1, 2)"}}},
      {"sum_to_scalar", [](const In& x) { return sum_to(x[0], {}); }},
      {"take_rows", [](const In& x) { return take_rows(x[0], x[1]); }, differentiable,
       {{[] { return In{z({}), ints({0})}; }, "[take_rows] a scalar has no rows"},
        {[] { return In{z({3, 2}), ints({0, 3})}; }, "[take_rows] row 3 is outside 0 to 2"},
        {[] { return In{z({3, 2}), ints({-1})}; }, "[take_rows] row -1 is outside 0 to 2"},
        {[] { return In{z({3, 2}), z({2})}; }, "[take_rows] expected rows of i64, got f32: convert with cast"}}},
      {"scatter_add_4_rows", [](const In& x) { return scatter_add_rows(x[0], x[1], 4); }, differentiable,
       {{[] { return In{z({}), ints({0})}; }, "[scatter_add_rows] () does not begin with the shape of the rows, (1)"},
        {[] { return In{z({2, 3}), ints({0, 4})}; }, "[scatter_add_rows] row 4 is outside 0 to 3"},
        {[] { return In{z({2, 3}), ints({0})}; }, "[scatter_add_rows] (2, 3) does not begin with the shape of the rows, (1)"},
        {[] { return In{z({1, 3}, i64), ints({0})}; }, "[scatter_add_rows] expected f32 or f64, got i64: convert with cast"}}},
      {"one_hot_3", [](const In& x) { return one_hot(x[0], 3, i64); }, constant,
       {{[] { return In{ints({0, 3})}; }, "[one_hot] label 3 is outside 0 to 2"},
        {[] { return In{ints({-1})}; }, "[one_hot] label -1 is outside 0 to 2"},
        {[] { return In{z({2})}; }, "[one_hot] expected labels of i64, got f32: convert with cast"}}},
      {"cast_f64_f32_f64", [](const In& x) { return cast(cast(cast(x[0], f64), f32), x[0].dtype()); },
       constant},  // f32 is too coarse for finite differences: see Cast in edge_test.cpp
      {"cast_i64", [](const In& x) { return cast(x[0], i64); }, constant,
       {{[] { return In{from({1, 1e19}, f64)}; }, "[cast] 1e+19 does not fit i64"},
        {[] { return In{from({NAN})}; }, "[cast] nan does not fit i64"},
        {[] { return In{from({-INFINITY})}; }, "[cast] -inf does not fit i64"}}},
      {"cast_u8", [](const In& x) { return cast(x[0], u8); }, constant,
       {{[] { return In{from({0, 256})}; }, "[cast] 256 does not fit u8"},
        {[] { return In{ints({-1})}; }, "[cast] -1 does not fit u8"},
        {[] { return In{from({NAN})}; }, "[cast] nan does not fit u8"}}},

      // Matrix products
      {"matmul", [](const In& x) { return matmul(x[0], x[1]); }, differentiable,
       {{[] { return In{z({50, 784}), z({925, 10})}; }, "[matmul] inner sizes differ: (50, 784) x (925, 10)"},
        {[] { return In{z({3}), z({3, 2})}; }, "[matmul] expected two matrices, got (3) x (3, 2)"},
        {[] { return In{z({2, 3}), z({3, 2}, f64)}; }, "[matmul] dtypes differ: f32 and f64: convert one with cast"},
        {[] { return In{z({2, 3}, i64), z({3, 2}, i64)}; }, "[matmul] expected f32 or f64, got i64: convert with cast"}}},
      {"matmul_nt", [](const In& x) { return matmul_nt(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), z({3, 2})}; }, "[matmul_nt] inner sizes differ: (2, 3) x (3, 2)"}}},
      {"matmul_tn", [](const In& x) { return matmul_tn(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), z({3, 2})}; }, "[matmul_tn] inner sizes differ: (2, 3) x (3, 2)"}}},
      {"linear", [](const In& x) { return linear(x[0], x[1], x[2]); }, differentiable,
       {{[] { return In{z({2, 3}), z({4, 5}), z({4})}; }, "[linear] inner sizes differ: (2, 3) x (4, 5)"},
        {[] { return In{z({2, 3}), z({4, 3}), z({3})}; }, "[linear] expected a bias (4), got (3)"},
        {[] { return In{z({2, 3}), z({4, 3}), z({1, 4})}; }, "[linear] expected a bias (4), got (1, 4)"},
        {[] { return In{z({2, 3}), z({4, 3}), z({4}, f64)}; }, "[linear] dtypes differ: f32 and f64: convert one with cast"}}},
      {"linear_no_bias", [](const In& x) { return linear(x[0], x[1], Tensor()); }},

      // Softmax and losses
      {"softmax_last", [](const In& x) { return softmax(x[0]); }, differentiable,
       {{[] { return In{z({})}; }, "[softmax] axis -1 is outside shape ()"},
        {[] { return In{z({2}, i64)}; }, "[softmax] expected f32 or f64, got i64: convert with cast"}}},
      {"softmax_axis0", [](const In& x) { return softmax(x[0], 0); }},
      {"softmax_axis1", [](const In& x) { return softmax(x[0], 1); }, differentiable,
       {{[] { return In{z({3})}; }, "[softmax] axis 1 is outside shape (3)"}}},
      {"log_softmax_last", [](const In& x) { return log_softmax(x[0]); }, differentiable,
       {{[] { return In{z({})}; }, "[log_softmax] axis -1 is outside shape ()"},
        {[] { return In{z({2}, i64)}; }, "[log_softmax] expected f32 or f64, got i64: convert with cast"}}},
      {"log_softmax_axis0", [](const In& x) { return log_softmax(x[0], 0); }},
      {"log_softmax_axis1", [](const In& x) { return log_softmax(x[0], 1); }},
      {"cross_entropy", [](const In& x) { return cross_entropy(x[0], x[1]); }, differentiable,
       {{[] { return In{z({3}), ints({0})}; }, "[cross_entropy] expected logits (N, classes), got (3)"},
        {[] { return In{z({2, 3}), z({2})}; }, "[cross_entropy] expected labels of i64, got f32: write cast(labels, i64)"},
        {[] { return In{z({2, 3}), ints({0})}; }, "[cross_entropy] logits (2, 3) need labels (2), got (1)"},
        {[] { return In{z({2, 3}), ints({0, 3})}; }, "[cross_entropy] label 3 of row 1 is outside 0 to 2"},
        {[] { return In{z({2, 3}), ints({-1, 0})}; }, "[cross_entropy] label -1 of row 0 is outside 0 to 2"},
        {[] { return In{z({0, 3}), z({0}, i64)}; }, "[cross_entropy] the mean over logits (0, 3) has no value"},
        {[] { return In{z({1, 3}, i64), ints({0})}; }, "[cross_entropy] expected f32 or f64, got i64: convert with cast"}}},
      {"mse", [](const In& x) { return mse(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 1}), z({2})}; }, "[mse] shapes differ: prediction (2, 1), target (2)"},
        {[] { return In{z({0}), z({0})}; }, "[mean] shape (0) has no elements"}}},

      // Beyond the MLP
      {"pow", [](const In& x) { return pow(x[0], x[1]); }, differentiable, refused_pairs({
           "[pow] shapes do not broadcast: (2, 3) and (4)",
           "[pow] shapes do not broadcast: (2, 1, 3) and (3, 2)",
           "[pow] dtypes differ: f32 and f64: convert one with cast",
           "[pow] expected f32 or f64, got i64: convert with cast"})},
      {"minimum", [](const In& x) { return minimum(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), z({4})}; }, "[maximum] shapes do not broadcast: (2, 3) and (4)"}}},
      {"minimum_number", [](const In& x) { return minimum(x[0], 0.5); }},
      {"pow_number_3", [](const In& x) { return pow(x[0], 3); }},
      {"pow_number_half", [](const In& x) { return pow(x[0], 0.5); }},
      {"log1p", [](const In& x) { return log1p(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[log1p] expected f32 or f64, got i64: convert with cast"}}},
      {"expm1", [](const In& x) { return expm1(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[expm1] expected f32 or f64, got i64: convert with cast"}}},
      {"sin", [](const In& x) { return sin(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[sin] expected f32 or f64, got i64: convert with cast"}}},
      {"cos", [](const In& x) { return cos(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[cos] expected f32 or f64, got i64: convert with cast"}}},
      {"erf", [](const In& x) { return erf(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[erf] expected f32 or f64, got i64: convert with cast"}}},
      {"softplus", [](const In& x) { return softplus(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[softplus] expected f32 or f64, got i64: convert with cast"}}},
      {"gelu", [](const In& x) { return gelu(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[gelu] expected f32 or f64, got i64: convert with cast"}}},
      {"min_all", [](const In& x) { return min(x[0]); }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[max] shape (0, 3) has no elements to choose from"}}},
      {"var_all", [](const In& x) { return var(x[0]); }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[var] expected more than 0 elements, got 0 of shape (0, 3)"}}},
      {"logsumexp_all", [](const In& x) { return logsumexp(x[0]); }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[max] shape (0, 3) has no elements to choose from"}}},
      {"min_axis1_keep", [](const In& x) { return min(x[0], 1, true); }},
      {"var_axis1_keep", [](const In& x) { return var(x[0], 1, true); }},
      {"logsumexp_axis1_keep", [](const In& x) { return logsumexp(x[0], 1, true); }},
      {"min_axes02", [](const In& x) { return min(x[0], {0, 2}); }},
      {"var_axes02", [](const In& x) { return var(x[0], {0, 2}); }},
      {"logsumexp_axes02", [](const In& x) { return logsumexp(x[0], {0, 2}); }},
      {"var_sample", [](const In& x) { return var(x[0], 0, false, 1); }, differentiable,
       {{[] { return In{z({1, 3})}; }, "[var] expected more than 1 elements, got 1 of shape (1, 3)"}}},
      {"permute_201", [](const In& x) { return permute(x[0], {2, 0, 1}); }, differentiable,
       {{[] { return In{z({2, 3})}; }, "[permute] (2, 3) needs 2 axes, got 3"}}},
      {"squeeze_1", [](const In& x) { return squeeze(x[0], 1); }, differentiable,
       {{[] { return In{z({2, 3})}; }, "[squeeze] axis 1 of (2, 3) has a size other than 1"},
        {[] { return In{z({2})}; }, "[squeeze] axis 1 is outside shape (2)"}}},
      {"squeeze", [](const In& x) { return squeeze(x[0]); }},
      {"expand_1", [](const In& x) { return expand(x[0], 1); }, differentiable,
       {{[] { return In{z({})}; }, "[expand] axis 1 is outside shape ()"}}},
      {"expand_last", [](const In& x) { return expand(x[0], -1); }},
      {"slice_1_4", [](const In& x) { return slice(x[0], 1, 1, 4); }, differentiable,
       {{[] { return In{z({5})}; }, "[slice] axis 1 is outside shape (5)"}}},
      {"slice_backwards", [](const In& x) { return slice(x[0], 0, -2, -1000, -2); }},
      {"concat_1", [](const In& x) { return concat({x[0], x[1], x[0]}, 1); }, differentiable,
       {{[] { return In{z({2, 3}), z({3, 1})}; }, "[concat] shapes differ off axis 1: (2, 3) and (3, 1)"},
        {[] { return In{z({2, 3}), z({2})}; }, "[concat] shapes differ off axis 1: (2, 3) and (2)"},
        {[] { return In{z({2, 3}), z({2, 1}, f64)}; }, "[concat] dtypes differ: f32 and f64: convert one with cast"}}},
      {"stack_last", [](const In& x) { return stack({x[0], x[1]}, -1); }, differentiable,
       {{[] { return In{z({2}), z({3})}; }, "[stack] shapes differ: (2) and (3)"}}},
      {"gather_1", [](const In& x) { return gather(x[0], 1, x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), z({2, 1})}; }, "[gather] expected an index of i64, got f32: convert with cast"},
        {[] { return In{z({2, 3}), from({0, 3}, {2, 1}, i64)}; }, "[gather] index 3 is outside 0 to 2"},
        {[] { return In{z({2, 3}), from({0, -1}, {2, 1}, i64)}; }, "[gather] index -1 is outside 0 to 2"},
        {[] { return In{z({2, 3}), ints({0})}; }, "[gather] shapes differ off axis 1: (2, 3) and (1)"}}},
      {"scatter_add_1", [](const In& x) { return scatter_add(x[0], 1, x[1], 4); }, differentiable,
       {{[] { return In{z({1, 1}), from({4}, {1, 1}, i64)}; }, "[scatter_add] index 4 is outside 0 to 3"},
        {[] { return In{z({1, 2}), from({0}, {1, 1}, i64)}; }, "[scatter_add] shapes differ: (1, 2) and (1, 1)"}}},
      {"layer_norm", [](const In& x) { return layer_norm(x[0], x[1], x[2]); }, differentiable,
       {{[] { return In{z({2, 3}), z({2}), z({2})}; },
         "[layer_norm] x (2, 3) needs a weight and a bias of its last axis, got (2) and (2)"}}},
      {"smooth_cross_entropy", [](const In& x) { return smooth_cross_entropy(x[0], x[1], 0.1); }},
      {"soft_cross_entropy", [](const In& x) { return soft_cross_entropy(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), z({3, 2})}; }, "[soft_cross_entropy] shapes differ: (2, 3) and (3, 2)"},
        {[] { return In{z({2}), z({2})}; }, "[soft_cross_entropy] expected logits (N, classes), got (2)"},
        {[] { return In{z({0, 3}), z({0, 3})}; }, "[soft_cross_entropy] the mean over logits (0, 3) has no value"},
        {[] { return In{z({3, 0}), z({3, 0})}; }, "[soft_cross_entropy] expected logits of some classes, got (3, 0)"}}},
      {"nll", [](const In& x) { return nll(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), ints({0})}; },
         "[nll] expected log-probabilities (N, classes) and labels (N), got (2, 3) and (1)"}}},
      {"binary_cross_entropy", [](const In& x) { return binary_cross_entropy_with_logits(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2}), z({3})}; }, "[binary_cross_entropy_with_logits] shapes differ: (2) and (3)"}}},
      {"huber_half", [](const In& x) { return huber(x[0], x[1], 0.5); }, differentiable,
       {{[] { return In{z({2}), z({3})}; }, "[huber] shapes differ: (2) and (3)"}}},

      // More activations
      {"silu", [](const In& x) { return silu(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[silu] expected f32 or f64, got i64: convert with cast"}}},
      {"elu", [](const In& x) { return elu(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[elu] expected f32 or f64, got i64: convert with cast"}}},
      {"elu_half", [](const In& x) { return elu(x[0], 0.5); }},
      {"selu", [](const In& x) { return selu(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[selu] expected f32 or f64, got i64: convert with cast"}}},
      {"softsign", [](const In& x) { return softsign(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[softsign] expected f32 or f64, got i64: convert with cast"}}},
      {"hardtanh", [](const In& x) { return hardtanh(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[hardtanh] expected f32 or f64, got i64: convert with cast"}}},
      {"hardtanh_0_6", [](const In& x) { return hardtanh(x[0], 0, 0.6); }},
      {"log_sigmoid", [](const In& x) { return log_sigmoid(x[0]); }, differentiable,
       {{[] { return In{z({2}, i64)}; }, "[log_sigmoid] expected f32 or f64, got i64: convert with cast"}}},

      // More losses
      {"cross_entropy_sum", [](const In& x) { return cross_entropy(x[0], x[1], {.reduction = Reduction::sum}); }, differentiable,
       {{[] { return In{z({2, 3}), ints({0, 3})}; }, "[cross_entropy] label 3 of row 1 is outside 0 to 2"}}},
      {"cross_entropy_none", [](const In& x) { return cross_entropy(x[0], x[1], {.reduction = Reduction::none}); }, differentiable,
       {{[] { return In{z({2, 2, 3}), z({2, 3}, i64)}; }, "[cross_entropy] logits (2, 2, 3) need labels (2, 2), got (2, 3)"},
        {[] { return In{z({2, 3}), z({2}, u8)}; }, "[cross_entropy] expected labels of i64, got u8: write cast(labels, i64)"}}},
      {"cross_entropy_ignore", [](const In& x) { return cross_entropy(x[0], x[1], {.ignore_index = -100}); }, differentiable,
       {{[] { return In{z({2, 3}), ints({-100, -100})}; }, "[cross_entropy] all 2 labels are -100, which is ignored: the mean has no value"},
        {[] { return In{z({2, 3}), ints({-100, -1})}; }, "[cross_entropy] label -1 of row 1 is outside 0 to 2"}}},
      {"cross_entropy_ignore_none", [](const In& x) { return cross_entropy(x[0], x[1], {.ignore_index = -100, .reduction = Reduction::none}); }},
      {"cross_entropy_weight", [](const In& x) { return cross_entropy(x[0], x[1], {.weight = class_weights(x[0])}); }, differentiable,
       {{[] { return In{z({2, 4}), ints({0, 0})}; }, "[cross_entropy] logits (2, 4) need a weight (4), got (3)"}}},
      {"cross_entropy_smooth", [](const In& x) { return cross_entropy(x[0], x[1], {.label_smoothing = 0.1}); }},
      {"cross_entropy_all", [](const In& x) { return cross_entropy(x[0], x[1], {.ignore_index = -100, .weight = class_weights(x[0]), .label_smoothing = 0.1}); }},
      {"cross_entropy_soft", [](const In& x) { return cross_entropy(x[0], x[1], {.weight = class_weights(x[0]), .label_smoothing = 0.1}); }, differentiable,
       {{[] { return In{z({2, 3}), z({3, 2})}; }, "[soft_cross_entropy] shapes differ: (2, 3) and (3, 2)"}}},
      {"soft_cross_entropy_none", [](const In& x) { return soft_cross_entropy(x[0], x[1], Reduction::none); }},
      {"nll_none", [](const In& x) { return nll(x[0], x[1], Reduction::none); }},
      {"mse_sum", [](const In& x) { return mse(x[0], x[1], Reduction::sum); }},
      {"mse_none", [](const In& x) { return mse(x[0], x[1], Reduction::none); }},
      {"l1", [](const In& x) { return l1(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 1}), z({2})}; }, "[l1] shapes differ: (2, 1) and (2)"},
        {[] { return In{z({0}), z({0})}; }, "[mean] shape (0) has no elements"}}},
      {"l1_sum", [](const In& x) { return l1(x[0], x[1], Reduction::sum); }},
      {"l1_none", [](const In& x) { return l1(x[0], x[1], Reduction::none); }},
      {"smooth_l1", [](const In& x) { return smooth_l1(x[0], x[1], 0.5); }, differentiable,
       {{[] { return In{z({2}), z({3})}; }, "[smooth_l1] shapes differ: (2) and (3)"}}},
      {"smooth_l1_sum", [](const In& x) { return smooth_l1(x[0], x[1], 0.5, Reduction::sum); }},
      {"smooth_l1_none", [](const In& x) { return smooth_l1(x[0], x[1], 0.5, Reduction::none); }},
      {"smooth_l1_beta_0", [](const In& x) { return smooth_l1(x[0], x[1], 0); }},
      {"kl_div", [](const In& x) { return kl_div(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2}), z({3})}; }, "[kl_div] shapes differ: (2) and (3)"}}},
      {"kl_div_sum", [](const In& x) { return kl_div(x[0], x[1], Reduction::sum); }},
      {"kl_div_none", [](const In& x) { return kl_div(x[0], x[1], Reduction::none); }},
      {"hinge", [](const In& x) { return hinge(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2}), z({3})}; }, "[hinge] shapes differ: (2) and (3)"}}},
      {"hinge_sum", [](const In& x) { return hinge(x[0], x[1], 1, Reduction::sum); }},
      {"hinge_none", [](const In& x) { return hinge(x[0], x[1], 1, Reduction::none); }},
      {"gaussian_nll", [](const In& x) { return gaussian_nll(x[0], x[1], x[2]); }, differentiable,
       {{[] { return In{z({2}), z({3}), z({2})}; }, "[gaussian_nll] shapes differ: (2) and (3)"},
        {[] { return In{z({2}), z({2}), z({2, 2})}; }, "[gaussian_nll] the variance (2, 2) does not stretch to (2)"},
        {[] { return In{z({2}), z({2}), from({1, -1})}; }, "[gaussian_nll] expected variances of at least 0, got -1"}}},
      {"gaussian_nll_sum", [](const In& x) { return gaussian_nll(x[0], x[1], x[2], {.reduction = Reduction::sum}); }},
      {"gaussian_nll_none", [](const In& x) { return gaussian_nll(x[0], x[1], x[2], {.reduction = Reduction::none}); }},
      {"gaussian_nll_full", [](const In& x) { return gaussian_nll(x[0], x[1], x[2], {.full = true}); }},
      {"triplet_margin", [](const In& x) { return triplet_margin(x[0], x[1], x[2]); }, differentiable,
       {{[] { return In{z({2, 3}), z({2, 3}), z({2, 4})}; }, "[triplet_margin] shapes differ: (2, 3) and (2, 4)"},
        {[] { return In{z({}), z({}), z({})}; }, "[triplet_margin] expected vectors (..., D), got scalars"}}},
      {"triplet_margin_sum", [](const In& x) { return triplet_margin(x[0], x[1], x[2], {.reduction = Reduction::sum}); }},
      {"triplet_margin_none", [](const In& x) { return triplet_margin(x[0], x[1], x[2], {.reduction = Reduction::none}); }},
      {"triplet_margin_1", [](const In& x) { return triplet_margin(x[0], x[1], x[2], {.p = 1}); }},
      {"triplet_margin_3", [](const In& x) { return triplet_margin(x[0], x[1], x[2], {.p = 3}); }},
      {"triplet_margin_swap", [](const In& x) { return triplet_margin(x[0], x[1], x[2], {.swap = true}); }},
      {"cosine_similarity_1", [](const In& x) { return cosine_similarity(x[0], x[1]); }, differentiable,
       {{[] { return In{z({3}), z({3})}; }, "[sum] axis 1 is outside shape (3)"}}},
      {"cosine_similarity_last", [](const In& x) { return cosine_similarity(x[0], x[1], -1); }},

      // Products, distances and equations
      {"bmm", [](const In& x) { return bmm(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 3, 4}), z({3, 4, 2})}; }, "[bmm] expected two stacks of equally many matrices, got (2, 3, 4) x (3, 4, 2)"},
        {[] { return In{z({2, 3}), z({3, 2})}; }, "[bmm] expected two stacks of equally many matrices, got (2, 3) x (3, 2)"},
        {[] { return In{z({1, 2, 3}), z({1, 2, 3})}; }, "[matmul] inner sizes differ: (1, 2, 3) x (1, 2, 3)"}}},
      {"outer", [](const In& x) { return outer(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2}), z({2, 1})}; }, "[outer] expected two vectors, got (2) and (2, 1)"}}},
      {"einsum_matmul", [](const In& x) { return einsum("ij,jk->ik", x); }, differentiable,
       {{[] { return In{z({2, 3}), z({4, 2})}; }, "[einsum] \"ij,jk->ik\": an axis is 3 in one operand and 4 in another, of shape (4, 2)"},
        {[] { return In{z({2, 3})}; }, "[einsum] \"ij,jk->ik\": it has 2 operands, got 1"},
        {[] { return In{z({2, 3, 1}), z({3, 2})}; }, "[einsum] \"ij\" does not fit operand 0 of shape (2, 3, 1)"},
        {[] { return In{z({2, 3}), z({3, 2}, f64)}; }, "[matmul] dtypes differ: f32 and f64: convert one with cast"}}},
      {"einsum_implicit", [](const In& x) { return einsum("ij,jk", x); }},
      {"einsum_inner", [](const In& x) { return einsum("i,i->", x); }},
      {"einsum_outer", [](const In& x) { return einsum("i,j->ij", x); }},
      {"einsum_batch", [](const In& x) { return einsum("bij,bjk->bik", x); }},
      {"einsum_transposed", [](const In& x) { return einsum("bij,bkj->bki", x); }},
      {"einsum_sum", [](const In& x) { return einsum("ij->", x); }},
      {"einsum_column", [](const In& x) { return einsum("ij->j", x); }},
      {"einsum_turn", [](const In& x) { return einsum("ijk->kij", x); }},
      {"einsum_trace", [](const In& x) { return einsum("ii->", x); }, differentiable,
       {{[] { return In{z({2, 3})}; }, "[einsum] \"ii\" takes the diagonal of axes of 2 and 3 in shape (2, 3)"}}},
      {"einsum_diagonal", [](const In& x) { return einsum("ii->i", x); }},
      {"einsum_middle_diagonal", [](const In& x) { return einsum("iji->ij", x); }},
      {"einsum_three", [](const In& x) { return einsum("ij,jk,kl->il", x); }, differentiable,
       {{[] { return In{}; }, "[einsum] there are no operands"}}},
      {"einsum_bilinear", [](const In& x) { return einsum("bi,ijk,bk->bj", x); }},
      {"einsum_ellipsis", [](const In& x) { return einsum("...ij,...jk->...ik", x); }},
      {"einsum_ellipsis_implicit", [](const In& x) { return einsum("...ij,jk", x); }},
      {"einsum_one", [](const In& x) { return einsum("ij,ij->ij", x); }},
      {"einsum_attention", [](const In& x) { return einsum("bqhd, bkhd -> bhqk", x); }},
      {"einsum_alone", [](const In& x) { return einsum("ij,k->i", x); }},
      {"einsum_empty", [](const In& x) { return einsum("ij,jk->ik", x); }},
      {"einsum_scalar", [](const In& x) { return einsum(",ij->ji", x); }},
      {"cdist", [](const In& x) { return cdist(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), z({2, 4})}; }, "[cdist] expected rows of one length, (..., n, d) and (..., m, d), got (2, 3) and (2, 4)"},
        {[] { return In{z({3}), z({2, 3})}; }, "[cdist] expected rows of one length, (..., n, d) and (..., m, d), got (3) and (2, 3)"},
        {[] { return In{z({2, 3}), z({2, 3}, f64)}; }, "[cdist] dtypes differ: f32 and f64: convert one with cast"},
        {[] { return In{z({2, 3}, i64), z({2, 3}, i64)}; }, "[cdist] expected f32 or f64, got i64: convert with cast"}}},
      {"cdist_1", [](const In& x) { return cdist(x[0], x[1], 1); }},
      {"cdist_3", [](const In& x) { return cdist(x[0], x[1], 3); }},
      {"clip_by_norm_2", [](const In& x) { return clip_by_norm(x[0], 2); }},
      {"clip_by_norm_rows", [](const In& x) { return clip_by_norm(x[0], 2, 1); }},
      {"solve", [](const In& x) { return solve(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), z({2})}; }, "[solve] expected square matrices (..., n, n), got (2, 3)"},
        {[] { return In{z({2, 2}), z({3})}; }, "[solve] matrices (2, 2) need right sides (..., 2, k) or (2), got (3)"},
        {[] { return In{z({2, 2}), z({2}, f64)}; }, "[solve] dtypes differ: f32 and f64: convert one with cast"},
        {[] { return In{z({2, 2}, i64), z({2}, i64)}; }, "[solve] expected f32 or f64, got i64: convert with cast"},
        {[] { return In{from({1, 2, 2, 4}, {2, 2}), z({2})}; }, "[solve] matrix (2, 2) is singular: pivot 2 is 0"},
        {[] { return In{from({1, 0, 0, 1, 1, 1, 1, 1}, {2, 2, 2}), z({2, 2, 1})}; }, "[solve] matrix 1 of the stack (2, 2, 2) is singular: pivot 2 is 0"}}},
      {"inverse", [](const In& x) { return inverse(x[0]); }, differentiable,
       {{[] { return In{z({3})}; }, "[inverse] expected square matrices (..., n, n), got (3)"},
        {[] { return In{z({2, 2})}; }, "[inverse] matrix (2, 2) is singular: pivot 1 is 0"}}},
      {"cholesky", [](const In& x) { return cholesky(matmul_nt(x[0], x[0]) + identity(x[0])); }, differentiable,
       {{[] { return In{NAN * from({1, 0, 0, 1}, {2, 2})}; }, "[cholesky] matrix (2, 2) is not positive definite: its first 1 rows and columns are not"}}},
      // Convolution, pooling, normalization, attention
      {"conv2d", [](const In& x) { return conv2d(x[0], x[1], x[2]); }, differentiable,
       {{[] { return In{z({3, 4, 4}), z({2, 3, 3, 3}), z({2})}; },
         "[conv2d] expected x (N, C, H, W) and a weight (out, C / groups, h, w), got (3, 4, 4) and (2, 3, 3, 3)"},
        {[] { return In{z({1, 3, 4, 4}), z({2, 2, 3, 3}), z({2})}; },
         "[conv2d] expected a weight (out, 3, h, w) for x (1, 3, 4, 4) in 1 group, got (2, 2, 3, 3)"},
        {[] { return In{z({1, 3, 4, 4}), z({2, 3, 3, 5}), z({2})}; },
         "[conv2d] the kernel (3, 5) reaches over more than the image (4, 4) with padding (0, 0)"},
        {[] { return In{z({1, 3, 4, 4}), z({2, 3, 0, 1}), z({2})}; },
         "[conv2d] the kernel (0, 1) reaches over more than the image (4, 4) with padding (0, 0)"},
        {[] { return In{z({1, 3, 4, 4}), z({2, 3, 3, 3}), z({3})}; }, "[conv2d] expected a bias (2), got (3)"},
        {[] { return In{z({1, 3, 4, 4}), z({2, 3, 3, 3}, f64), z({2})}; }, "[conv2d] dtypes differ: f32 and f64: convert one with cast"},
        {[] { return In{z({1, 3, 4, 4}, u8), z({2, 3, 3, 3}, u8), z({2}, u8)}; },
         "[conv2d] expected f32 or f64, got u8: convert with cast"}}},
      {"conv2d_without_bias", [](const In& x) { return conv2d(x[0], x[1]); }},
      {"conv2d_all", [](const In& x) {
         return conv2d(x[0], x[1], x[2], {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2});
       }, differentiable,
       {{[] { return In{z({1, 3, 4, 4}), z({2, 1, 3, 3}), z({2})}; },
         "[conv2d] expected groups that divide the channels of x and the outputs, got 2 for (1, 3, 4, 4) and (2, 1, 3, 3)"},
        {[] { return In{z({1, 4, 4, 4}), z({3, 2, 3, 3}), z({3})}; },
         "[conv2d] expected groups that divide the channels of x and the outputs, got 2 for (1, 4, 4, 4) and (3, 2, 3, 3)"}}},
      {"conv1d_all", [](const In& x) {
         return conv1d(x[0], x[1], x[2], {.stride = 2, .padding = 1, .dilation = 2, .groups = 2});
       }, differentiable,
       {{[] { return In{z({3, 4}), z({2, 3, 3}), z({2})}; },
         "[conv1d] expected x (N, C, L) and a weight (out, C / groups, k), got (3, 4) and (2, 3, 3)"}}},
      {"conv_transpose2d_all", [](const In& x) {
         return conv_transpose2d(x[0], x[1], x[2], {.stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2},
                                                    .dilation = {2, 1}, .groups = 2});
       }, differentiable,
       {{[] { return In{z({1, 3, 4, 4}), z({2, 3, 3, 3}), z({2})}; },
         "[conv_transpose2d] expected x (N, C, H, W) and a weight (C, out / groups, h, w), got (1, 3, 4, 4) and (2, 3, 3, 3)"},
        {[] { return In{z({1, 2, 4, 4}), z({2, 3, 3, 3}), z({2})}; }, "[conv_transpose2d] expected a bias (6), got (2)"}}},
      {"max_pool2d", [](const In& x) {
         return max_pool2d(x[0], {3, 2}, {.stride = {2, 1}, .padding = {1, 1}, .dilation = {1, 2}});
       }, differentiable,
       {{[] { return In{z({3, 4, 4})}; }, "[max_pool2d] expected x (N, C, H, W), got (3, 4, 4)"},
        {[] { return In{z({2, 3, 0, 4})}; },
         "[max_pool2d] the kernel (3, 2) reaches over more than the image (0, 4) with padding (1, 1)"},
        {[] { return In{z({2, 3, 4, 4}, i64)}; }, "[max_pool2d] expected f32 or f64, got i64: convert with cast"}}},
      {"max_pool1d", [](const In& x) { return max_pool1d(x[0], 3); }, differentiable,
       {{[] { return In{z({3, 4, 4, 4})}; }, "[max_pool1d] expected x (N, C, L), got (3, 4, 4, 4)"}}},
      {"avg_pool2d", [](const In& x) { return avg_pool2d(x[0], {3, 2}, {.stride = {2, 1}, .padding = 1}); }, differentiable,
       {{[] { return In{z({3, 4, 4})}; }, "[avg_pool2d] expected x (N, C, H, W), got (3, 4, 4)"},
        {[] { return In{z({2, 3, 0, 4})}; },
         "[avg_pool2d] the kernel (3, 2) reaches over more than the image (0, 4) with padding (1, 1)"},
        {[] { return In{z({2, 3, 4, 4}, i64)}; }, "[avg_pool2d] expected f32 or f64, got i64: convert with cast"}}},
      {"avg_pool2d_unpadded", [](const In& x) {
         return avg_pool2d(x[0], {3, 2}, {.stride = {2, 1}, .padding = 1, .count_include_pad = false});
       }},
      {"avg_pool1d", [](const In& x) { return avg_pool1d(x[0], 3); }, differentiable,
       {{[] { return In{z({3, 4, 2})}; },
         "[avg_pool1d] the kernel (1, 3) reaches over more than the image (1, 2) with padding (0, 0)"}}},
      {"adaptive_avg_pool2d", [](const In& x) { return adaptive_avg_pool2d(x[0], {3, 2}); }, differentiable,
       {{[] { return In{z({3, 4, 4})}; }, "[adaptive_avg_pool2d] expected x (N, C, H, W), got (3, 4, 4)"},
        {[] { return In{z({3, 4, 0, 4})}; }, "[adaptive_avg_pool2d] expected sizes from 1 to 2^31, got 3 of 0"}}},
      {"adaptive_avg_pool1d", [](const In& x) { return adaptive_avg_pool1d(x[0], 3); }, differentiable,
       {{[] { return In{z({3, 4, 4, 1})}; }, "[adaptive_avg_pool1d] expected x (N, C, L), got (3, 4, 4, 1)"}}},
      {"interpolate_nearest", [](const In& x) { return interpolate(x[0], {5, 3}); }, differentiable,
       {{[] { return In{z({3, 4, 4})}; }, "[interpolate] expected x (N, C, H, W), got (3, 4, 4)"},
        {[] { return In{z({3, 4, 0, 4})}; }, "[interpolate] expected sizes from 1 to 2^31, got 5 of 0"}}},
      {"interpolate_bilinear", [](const In& x) { return interpolate(x[0], {5, 3}, Interpolation::bilinear); }},
      {"interpolate_corners", [](const In& x) { return interpolate(x[0], {5, 3}, Interpolation::align_corners); }},
      {"channel_mean", [](const In& x) { return channel_moments(x[0]).mean; }, differentiable,
       {{[] { return In{z({3})}; }, "[channel_moments] expected x (N, C, ...), got (3)"},
        {[] { return In{z({1, 3, 1})}; }, "[channel_moments] expected at least two numbers a channel, got (1, 3, 1)"},
        {[] { return In{z({0, 3})}; }, "[channel_moments] expected at least two numbers a channel, got (0, 3)"}}},
      {"channel_variance", [](const In& x) { return channel_moments(x[0]).variance; }},
      {"batch_norm", [](const In& x) { return batch_norm(x[0], x[1], x[2], x[3], x[4]); }, differentiable,
       {{[] { return In{z({2, 3}), z({2}), z({3}), z({3}), z({3})}; },
         "[batch_norm] x (2, 3) needs 3 numbers, one a channel, got (2)"},
        {[] { return In{z({2}), z({2}), z({3}), z({3}), z({3})}; }, "[batch_norm] expected x (N, C, ...), got (2)"}}},
      {"group_norm", [](const In& x) { return group_norm(x[0], 2, x[1], x[2]); }, differentiable,
       {{[] { return In{z({2, 4}), z({2}), z({4})}; }, "[group_norm] x (2, 4) needs 4 numbers, one a channel, got (2)"},
        {[] { return In{z({2, 3}), z({3}), z({3})}; }, "[group_norm] expected groups that divide the 3 channels, got 2"}}},
      {"rms_norm", [](const In& x) { return rms_norm(x[0], x[1]); }, differentiable,
       {{[] { return In{z({2, 4}), z({2})}; }, "[rms_norm] x (2, 4) needs a weight of its last axis, got (2)"}}},
      {"attention", [](const In& x) { return scaled_dot_product_attention(x[0], x[1], x[2], x[3]); }, differentiable,
       {{[] { return In{z({3, 4}), z({2, 3}), z({2, 3}), z({3, 2})}; },
         "[scaled_dot_product_attention] expected query (..., T, E), key (..., S, E) and value (..., S, V), got (3, 4), "
         "(2, 3) and (2, 3)"},
        {[] { return In{z({3, 4}), z({2, 4}), z({2, 3}), z({2, 3, 2})}; },
         "[scaled_dot_product_attention] the mask (2, 3, 2) does not stretch to (3, 2)"}}},
      {"attention_causal", [](const In& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {}, true); }},
      // What operators, numbers on either side and integers make of them
      {"add_assigned", [](const In& x) { Tensor y = x[0]; y += x[1]; y += 1.5; return y; }},
      {"sub_assigned", [](const In& x) { Tensor y = x[0]; y -= x[1]; y -= 1.5; return y; }},
      {"mul_assigned", [](const In& x) { Tensor y = x[0]; y *= x[1]; y *= 1.5; return y; }},
      {"div_assigned", [](const In& x) { Tensor y = x[0]; y /= x[1]; y /= 1.5; return y; }},
      {"number_maximum", [](const In& x) { return maximum(0.5, x[0]); }},
      {"number_minimum", [](const In& x) { return minimum(0.5, x[0]); }},
      {"number_pow", [](const In& x) { return pow(2, x[0]); }},
      {"where_number", [](const In& x) { return where(x[0], x[1], 0.5); }},
      {"number_where", [](const In& x) { return where(x[0], 0.5, x[1]); }},
      {"number_where_number", [](const In& x) { return where(x[0], 1, -1, i64); }, constant},
      {"less_sign", [](const In& x) { return (x[0] < x[1]) + 2 * (x[0] < 0.5) + 4 * (0.5 < x[0]); }, constant},
      {"less_equal_sign", [](const In& x) { return (x[0] <= x[1]) + 2 * (x[0] <= 0.5) + 4 * (0.5 <= x[0]); }, constant},
      {"greater_sign", [](const In& x) { return (x[0] > x[1]) + 2 * (x[0] > 0.5) + 4 * (0.5 > x[0]); }, constant},
      {"greater_equal_sign", [](const In& x) { return (x[0] >= x[1]) + 2 * (x[0] >= 0.5) + 4 * (0.5 >= x[0]); }, constant},
      {"logical_and", [](const In& x) { return x[0] && x[1]; }, constant,
       {{[] { return In{z({2}), z({3}, u8)}; }, "[where] shapes do not broadcast: (2) and (3)"}}},
      {"logical_or", [](const In& x) { return x[0] || x[1]; }, constant},
      {"logical_not", [](const In& x) { return !x[0]; }, constant},
      {"number_sub_integers", [](const In& x) { return 1 - x[0]; }, constant,
       {{[] { return In{from({2}, u8)}; }, "[sub] 1 - 2 does not fit u8: convert with cast"}}},
      {"add_integers", [](const In& x) { return x[0] + x[1]; }, constant,
       {{[] { return In{from({200}, u8), from({100}, u8)}; }, "[add] 200 + 100 does not fit u8: convert with cast"},
        {[] { return In{full({}, -0x1p63, i64), ints({-1})}; }, "[add] -9223372036854775808 + -1 does not fit i64: convert with cast"},
        {[] { return In{z({2}, i64), z({3}, i64)}; }, "[add] shapes do not broadcast: (2) and (3)"}}},
      {"sub_integers", [](const In& x) { return x[0] - x[1]; }, constant},
      {"mul_integers", [](const In& x) { return x[0] * x[1]; }, constant,
       {{[] { return In{from({16}, u8), from({16}, u8)}; }, "[mul] 16 * 16 does not fit u8: convert with cast"}}},
      {"neg_integers", [](const In& x) { return -x[0]; }, constant},
      {"maximum_integers", [](const In& x) { return maximum(x[0], x[1]); }, constant},
      {"minimum_integers", [](const In& x) { return minimum(x[0], x[1]); }, constant},
      {"max_integers", [](const In& x) { return max(x[0], 1); }, constant},
      {"max_integers_all", [](const In& x) { return max(x[0], {0, 2}); }, constant},
      {"min_integers", [](const In& x) { return min(x[0], 1); }, constant},
      {"add_mixed", [](const In& x) { return x[0] + x[1]; }},
      {"sub_mixed", [](const In& x) { return x[0] - x[1]; }},
      {"mul_mixed", [](const In& x) { return x[0] * x[1]; }},
      {"div_mixed", [](const In& x) { return x[0] / x[1]; }},
      {"pow_mixed", [](const In& x) { return pow(x[0], x[1]); }},
      {"maximum_mixed", [](const In& x) { return maximum(x[0], x[1]); }},
      {"where_mixed", [](const In& x) { return where(x[0], x[1], x[2]); }},
      {"greater_mixed", [](const In& x) { return x[0] > x[1]; }, constant},
      {"add_mixed_integers", [](const In& x) { return x[0] + x[1]; }, constant},

      // Indexing
      {"index_row_1", [](const In& x) { return x[0][1]; }, differentiable,
       {{[] { return In{z({1, 3})}; }, "[index] position 1 is outside axis 0 of (1, 3)"},
        {[] { return In{z({})}; }, "[index] () has 0 axes, got 1 positions"}}},
      {"index_row_minus_1", [](const In& x) { return x[0][-1]; }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[index] position -1 is outside axis 0 of (0, 3)"}}},
      {"index_rows_1_3", [](const In& x) { return x[0][{1, 3}]; }},
      {"index_element_1_minus_2", [](const In& x) { return x[0](1, -2); }, differentiable,
       {{[] { return In{z({3})}; }, "[index] (3) has 1 axes, got 2 positions"}}},
      {"index_columns_by_2", [](const In& x) { return x[0](all(), range(0, 4, 2)); }},
      {"index_columns_back", [](const In& x) { return x[0](all(), range(placeholders::_, placeholders::_, -1)); }},
      {"index_columns_open", [](const In& x) { return x[0](all(), range(1, placeholders::_)); }},
      {"index_columns_first_2", [](const In& x) { return x[0](ellipsis(), range(2)); }, differentiable,
       {{[] { return In{z({})}; }, "[index] () has 0 axes, got 1 positions"}}},
      {"index_newaxis", [](const In& x) { return x[0](newaxis(), 0, ellipsis(), newaxis(), range(-2, placeholders::_)); }},
      {"index_range_by_0", [](const In& x) { return x[0](range(0, 2, x[0].size(0) > 0 ? 1 : 0)); }, differentiable,
       {{[] { return In{z({0})}; }, "[slice] the step must not be 0"}}},
      {"index_ellipses", [](const In& x) { return x[0].rank() > 0 ? x[0](ellipsis()) : x[0](ellipsis(), ellipsis()); }, differentiable,
       {{[] { return In{z({})}; }, "[index] more than one ellipsis"}}},
      {"index_mask", [](const In& x) { return x[0][x[1]]; }, differentiable,
       {{[] { return In{z({2, 3}), z({3}, u8)}; }, "[index] the mask (3) is not shaped like the first axes of (2, 3)"},
        {[] { return In{z({2}), z({2, 1}, u8)}; }, "[index] the mask (2, 1) is not shaped like the first axes of (2)"},
        {[] { return In{z({2}), z({2})}; }, "[index] expected a mask (u8) or positions (i64), got f32: convert with cast"}}},
      {"index_positions", [](const In& x) { return x[0][x[1]]; }, differentiable,
       {{[] { return In{z({3, 2}), ints({0, -1})}; }, "[take_rows] row -1 is outside 0 to 2"}}},
      {"index_put", [](const In& x) { return index_put(x[0], {1, range(0, 3, 2)}, x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), z({3})}; }, "[index_put] shapes do not broadcast: (2) and (3)"},
        {[] { return In{z({2, 3}), z({1, 2})}; }, "[index_put] values (1, 2) do not stretch to (2)"},
        {[] { return In{z({2, 3}), z({}, f64)}; }, "[index_put] dtypes differ: f32 and f64: convert one with cast"},
        {[] { return In{z({1, 3}), z({})}; }, "[index] position 1 is outside axis 0 of (1, 3)"}}},
      {"index_put_number", [](const In& x) { return index_put(x[0], {all(), -1}, 7); }},
      {"index_select_1", [](const In& x) { return index_select(x[0], 1, x[1]); }, differentiable,
       {{[] { return In{z({2, 3}), ints({3})}; }, "[index_select] position 3 is outside 0 to 2"},
        {[] { return In{z({2, 3}), ints({-1})}; }, "[index_select] position -1 is outside 0 to 2"},
        {[] { return In{z({2, 3}), z({1})}; }, "[index_select] expected positions of i64, got f32: convert with cast"},
        {[] { return In{z({2}), ints({0})}; }, "[index_select] axis 1 is outside shape (2)"}}},
      {"masked_fill", [](const In& x) { return masked_fill(x[0], x[1], -1.5); }, differentiable,
       {{[] { return In{z({2}), z({2, 2}, u8)}; }, "[masked_fill] the mask (2, 2) does not stretch to (2)"},
        {[] { return In{z({2}), z({2})}; }, "[where] the condition must be u8, as comparisons return it, got f32"}}},
      {"tril", [](const In& x) { return tril(x[0]); }, differentiable,
       {{[] { return In{z({3})}; }, "[tril] expected at least two axes, got (3)"}}},
      {"tril_1", [](const In& x) { return tril(x[0], 1); }},
      {"triu_minus_1", [](const In& x) { return triu(x[0], -1); }, differentiable,
       {{[] { return In{z({3})}; }, "[triu] expected at least two axes, got (3)"}}},
      {"flip_0", [](const In& x) { return flip(x[0], 0); }, differentiable,
       {{[] { return In{z({})}; }, "[flip] axis 0 is outside shape ()"}}},
      {"flip_all", [](const In& x) { return flip(x[0], Axes::all()); }},
      {"roll_2", [](const In& x) { return roll(x[0], 2, -1); }, differentiable,
       {{[] { return In{z({})}; }, "[roll] axis -1 is outside shape ()"}}},
      {"roll_minus_4", [](const In& x) { return roll(x[0], -4, 0); }},
      {"pad_1_2", [](const In& x) { return pad(x[0], {1, 2}); }, differentiable,
       {{[] { return In{z({})}; }, "[pad] expected up to 0 pairs of widths of 0 or more for (), got (1, 2)"}}},
      {"pad_1_0_0_2", [](const In& x) { return pad(x[0], {1, 0, 0, 2}, 5); }, differentiable,
       {{[] { return In{z({3})}; }, "[pad] expected up to 1 pairs of widths of 0 or more for (3), got (1, 0, 0, 2)"}}},
      {"split_2", [](const In& x) { return concat({split(x[0], 2, 1)[1], split(x[0], 2, 1)[0]}, 1); }, differentiable,
       {{[] { return In{z({3})}; }, "[split] axis 1 is outside shape (3)"}}},
      {"split_1_3", [](const In& x) { return split(x[0], {1, 3}, -1)[1]; }, differentiable,
       {{[] { return In{z({2, 3})}; }, "[split] axis -1 of (2, 3) is not the sum of (1, 3)"}}},
      {"chunk_3", [](const In& x) { return chunk(x[0], 3)[1]; }, differentiable,
       {{[] { return In{z({})}; }, "[chunk] axis 0 is outside shape ()"}}},
      {"scatter_add_onto", [](const In& x) { return scatter_add(x[0], 1, x[1], x[2]); }, differentiable,
       {{[] { return In{z({1, 2}), from({2}, {1, 1}, i64), z({1, 1})}; }, "[scatter_add] index 2 is outside 0 to 1"}}},

      // Sorting, accumulating
      {"sort", [](const In& x) { return sort(x[0]).values; }, differentiable,
       {{[] { return In{z({})}; }, "[argsort] axis -1 is outside shape ()"}}},
      {"sort_descending_0", [](const In& x) { return sort(x[0], 0, true).values; }},
      {"argsort", [](const In& x) { return argsort(x[0]); }, constant},
      {"argsort_descending_0", [](const In& x) { return argsort(x[0], 0, true); }, constant},
      {"topk_2", [](const In& x) { return topk(x[0], 2).values; }, differentiable,
       {{[] { return In{z({3, 1})}; }, "[topk] expected a count from 0 to 1, got 2"}}},
      {"topk_smallest", [](const In& x) { return topk(x[0], 2, 0, false).values; }},
      {"topk_indices", [](const In& x) { return topk(x[0], 2).indices; }, constant},
      {"argmin_last", [](const In& x) { return argmin(x[0]); }, constant,
       {{[] { return In{z({})}; }, "[argmin] axis -1 is outside shape ()"},
        {[] { return In{z({2, 0})}; }, "[argmin] shape (2, 0) has no elements to choose from"}}},
      {"cumsum_last", [](const In& x) { return cumsum(x[0], -1); }, differentiable,
       {{[] { return In{z({})}; }, "[cumsum] axis -1 is outside shape ()"}}},
      {"cumsum_axis0", [](const In& x) { return cumsum(x[0], 0); }},
      {"prod_all", [](const In& x) { return prod(x[0]); }},
      {"prod_axis1_keep", [](const In& x) { return prod(x[0], 1, true); }, differentiable,
       {{[] { return In{z({3})}; }, "[prod] axis 1 is outside shape (3)"}}},
      {"prod_axes02", [](const In& x) { return prod(x[0], {0, 2}); }},
      {"stddev_all", [](const In& x) { return stddev(x[0]); }, differentiable,
       {{[] { return In{z({0, 3})}; }, "[var] expected more than 0 elements, got 0 of shape (0, 3)"}}},
      {"stddev_axis1_keep", [](const In& x) { return stddev(x[0], 1, true); }},
      {"stddev_sample", [](const In& x) { return stddev(x[0], {0, 2}, false, 1); }},
      {"sum_vector_of_axes", [](const In& x) { return sum(x[0], std::vector<int>{0, -1}); }, differentiable,
       {{[] { return In{z({3})}; }, "[sum] axis -1 is named twice"}}},
      {"isnan", [](const In& x) { return isnan(x[0]); }, constant},
      {"isfinite", [](const In& x) { return isfinite(x[0]); }, constant},
  };
  // clang-format on
  return rows;
}

// The fixtures.
const Json& fixtures() {
  static const Json json = Json::parse(std::ifstream(ELK_TESTS_DIR "/ops/fixtures.json"));
  return json;
}

// A fixture's tensor; numbers with a fraction take `floats`.
Tensor tensor(const Json& json, DType floats) {
  Shape shape;
  for (const Index size : json["shape"]) shape.push_back(size);
  const Tensor x = from(json["values"].get<std::vector<double>>(), shape);
  const std::string dtype = json["dtype"];
  return cast(x, dtype == "float" ? floats : dtype == "i64" ? i64 : u8);
}

std::string row_of(const std::string& name) { return name.substr(0, name.find('/')); }

In inputs(const Json& fixture, DType floats) {
  In list;
  for (const Json& json : fixture["inputs"]) list.push_back(tensor(json, floats));
  return list;
}

// Within `tolerance`, relative to numbers above 1.
void expect_near(const Tensor& got, const Tensor& expected, double tolerance) {
  ASSERT_EQ(to_string(got.shape()), to_string(expected.shape()));
  ASSERT_STREQ(name(got.dtype()), name(expected.dtype()));
  for (Index i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got.at(i), expected.at(i), tolerance * std::max(1.0, std::abs(expected.at(i))))
        << "element " << i;
}

struct GeneralKernels {
  GeneralKernels() { kernels::set_reference(true); }
  ~GeneralKernels() { kernels::set_reference(false); }
  GeneralKernels(const GeneralKernels&) = delete;
  GeneralKernels& operator=(const GeneralKernels&) = delete;
};

// A row as a function of its float inputs alone, the others being as in the fixture.
struct OfFloats {
  const Row& row;
  In all, floats;
  OfFloats(const Row& the_row, const Json& fixture, DType dtype) : row(the_row), all(inputs(fixture, dtype)) {
    for (const Tensor& x : all)
      if (is_float(x.dtype())) floats.push_back(x);
  }
  Tensor operator()(const In& x) const {
    In in = all;
    std::size_t next = 0;
    for (Tensor& one : in)
      if (is_float(one.dtype())) one = x[next++];
    return row.f(in);
  }
  Gradients gradients() const {
    Tape tape;
    for (const Tensor& x : floats) tape.watch(x);
    const Tensor y = (*this)(floats);
    return tape.backward(y, full(y.shape(), 0.5, y.dtype()));
  }
};

class Operation : public testing::TestWithParam<const Row*> {
 protected:
  const Row& row() const { return *GetParam(); }

  template <class F>
  void for_each_case(F f) const {
    for (const auto& [name, fixture] : fixtures().items()) {
      if (row_of(name) != row().name) continue;
      SCOPED_TRACE(name);
      f(fixture);
    }
  }
};

TEST_P(Operation, AgreesWithNumPy) {
  for_each_case([&](const Json& fixture) {
    for (const DType dtype : {f64, f32}) {
      const double tolerance = dtype == f64 ? 1e-12 : 1e-5;
      const Tensor expected = tensor(fixture["expected"], dtype);
      SCOPED_TRACE(name(dtype));
      expect_near(row().f(inputs(fixture, dtype)), expected, tolerance);
      SCOPED_TRACE("the general kernel");
      const GeneralKernels general;
      expect_near(row().f(inputs(fixture, dtype)), expected, tolerance);
    }
  });
}

TEST_P(Operation, HasItsDerivatives) {
  if (row().derivatives == constant) return;
  for_each_case([&](const Json& fixture) {
    const OfFloats f(row(), fixture, f64), single(row(), fixture, f32);
    if (fixture["expected"]["dtype"] != "float") return;  // sum and where also take integers
    GradcheckOptions options;
    options.max_entries = 40;
    const GradcheckReport report = gradcheck(f, f.floats, options);
    EXPECT_TRUE(report) << report.to_string();

    const Gradients expected = f.gradients(), got = single.gradients();
    for (std::size_t i = 0; i < f.floats.size(); ++i)
      expect_near(got[single.floats[i]], cast(expected[f.floats[i]], f32), 1e-4);
  });
}

TEST_P(Operation, RefusesWrongArguments) {
  for (const Refused& refused : row().refused) {
    try {
      (void)row().f(refused.x());
      ADD_FAILURE() << "did not throw: " << refused.text;
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), refused.text);
    }
  }
}

std::vector<const Row*> rows() {
  std::vector<const Row*> list;
  for (const Row& row : table()) list.push_back(&row);
  return list;
}

INSTANTIATE_TEST_SUITE_P(Table, Operation, testing::ValuesIn(rows()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST(Table, EveryRowHasCasesAndEveryCaseARow) {
  for (const Row& row : table()) {
    bool found = false;
    for (const auto& [name, value] : fixtures().items()) found |= row_of(name) == row.name;
    EXPECT_TRUE(found) << row.name << " has no case in fixtures.py";
  }
  for (const auto& [name, value] : fixtures().items()) {
    bool found = false;
    for (const Row& row : table()) found |= row_of(name) == row.name;
    EXPECT_TRUE(found) << name << " has no row";
  }
}

}  // namespace
}  // namespace elk
