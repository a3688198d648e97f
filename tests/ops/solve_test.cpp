// What the table of operations does not say of systems of equations: NaN, infinities and ill-conditioned
// matrices.
#include <gtest/gtest.h>

#include <cmath>

#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/ops/solve.hpp>
#include <support.hpp>

namespace elk {
namespace {

using test::error_of;
using test::values;

TEST(Solve, NaNGoesOn) {
  for (const DType dtype : {f32, f64}) {
    const Tensor a = from({NAN, 1, 0, 2}, {2, 2}, dtype), b = from({1, 1}, dtype);
    EXPECT_TRUE(std::isnan(sum(solve(a, b)).item()));
    EXPECT_TRUE(std::isnan(sum(inverse(a)).item()));
    EXPECT_TRUE(std::isnan(sum(solve(from({1, 0, 0, 1}, {2, 2}, dtype), from({NAN, 1}, dtype))).item()));
  }
}

TEST(Solve, AHilbertMatrixInF32IsSolvedInF64) {
  const Index n = 6;
  const Tensor i = cast(arange(n), f32);
  const Tensor hilbert = 1 / (expand(i, 1) + i + 1), x = ones({n});
  // The right side of the rounded matrix, which is what is solved.
  const Tensor b = matmul(cast(hilbert, f64), ones({n, 1}, f64));
  const Tensor got = solve(cast(hilbert, f64), b);
  for (const double v : values(got)) EXPECT_NEAR(v, 1, 1e-8);
  EXPECT_EQ(solve(hilbert, x).dtype(), f32);
}

TEST(Cholesky, ReadsTheLowerTriangleAlone) {
  EXPECT_EQ(values(cholesky(from({4, 99, 2, 2}, {2, 2}))), (std::vector<double>{2, 0, 1, 1}));
  EXPECT_EQ(error_of<ValueError>([] {
              (void)cholesky(from({1, 2, 2, 1}, {2, 2}));
            }),
            "[cholesky] matrix (2, 2) is not positive definite: its first 2 rows and columns are not");
  EXPECT_EQ(
      error_of<ValueError>([] {
        (void)cholesky(zeros({2, 1, 1}));
      }),
      "[cholesky] matrix 0 of the stack (2, 1, 1) is not positive definite: its first 1 rows and columns are "
      "not");
  EXPECT_EQ(error_of<ShapeError>([] {
              (void)cholesky(zeros({2, 3}));
            }),
            "[cholesky] expected square matrices (..., n, n), got (2, 3)");
  EXPECT_EQ(error_of<DTypeError>([] {
              (void)cholesky(zeros({2, 2}, i64));
            }),
            "[cholesky] expected f32 or f64, got i64: convert with cast");
  EXPECT_EQ(cholesky(zeros({0, 0})).shape(), (Shape{0, 0}));
}

}  // namespace
}  // namespace elk
