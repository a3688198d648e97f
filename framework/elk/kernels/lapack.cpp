#include <algorithm>
#include <vector>

#include <elk/kernels/blas_call.hpp>
#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/lapack.hpp>

// LAPACK comes inside OpenBLAS, or beside another BLAS. Where there is none all else works, and this says
// what is missing. NOLINTBEGIN(readability-identifier-naming)
extern "C" {
[[gnu::weak]] void dgetrf_(const int* m, const int* n, double* a, const int* lda, int* pivots, int* info);
[[gnu::weak]] void dgetrs_(const char* transposed, const int* n, const int* columns, const double* a,
                           const int* lda, const int* pivots, double* b, const int* ldb, int* info);
[[gnu::weak]] void dpotrf_(const char* part, const int* n, double* a, const int* lda, int* info);
}
// NOLINTEND(readability-identifier-naming)

namespace elk::kernels {

namespace {

constexpr Index most_rows = 32000;  // rows, so that sizes fit LAPACK's int

// How many matrices it is, of how many rows.
Index count_of(const char* operation, const Tensor& a, bool lapack) {
  if (a.rank() < 2 || a.size(-1) != a.size(-2) || a.size(-1) > most_rows)
    fail<ShapeError>("[{}] expected square matrices (..., n, n) of up to {} rows, got {}", operation,
                     most_rows, a.shape());
  if (a.dtype() != f64) fail<DTypeError>("[{}] expected f64, got {}", operation, a.dtype());
  if (!lapack) fail<Error>("[{}] there is no LAPACK beside this BLAS: OpenBLAS brings one", operation);
  return a.size() == 0 ? 0 : a.size() / (a.size(-1) * a.size(-1));
}

// " 3 of the stack", if there is more than one.
std::string which(Index i, Index count) { return count > 1 ? fmt::format(" {} of the stack", i) : ""; }

}  // namespace

Tensor solve(const char* operation, const Tensor& a, const Tensor& b) {
  const Index count = count_of(operation, a, dgetrf_ != nullptr && dgetrs_ != nullptr), size = a.size(-1);
  if (b.size(-1) > most_rows)
    fail<ShapeError>("[{}] expected up to {} columns, got {}", operation, most_rows, b.size(-1));
  // LAPACK's matrices are column-major: ours is its transpose, and the columns of b come one after another.
  Tensor factors = empty(a.shape(), f64), columns = transpose(b);
  std::copy_n(readable<double>(a), a.size(), writable<double>(factors));
  if (b.size() == 0) return transpose(columns);
  const int n = static_cast<int>(size), k = static_cast<int>(b.size(-1));
  std::vector<int> pivots(static_cast<std::size_t>(n));
  const BlasCall call(operation);
  for (Index i = 0; i < count; ++i) {
    double* const f = writable<double>(factors) + i * size * size;
    int info = 0;
    dgetrf_(&n, &n, f, &n, pivots.data(), &info);
    if (info > 0)
      fail<ValueError>("[{}] matrix{} {} is singular: pivot {} is 0", operation, which(i, count), a.shape(),
                       info);
    dgetrs_("T", &n, &k, f, &n, pivots.data(), writable<double>(columns) + i * size * k, &n, &info);
    if (info != 0) fail<Error>("[{}] LAPACK's dgetrs failed: info {}", operation, info);
  }
  count_flops(count * (2 * size * size * size / 3 + 2 * size * size * k));
  return transpose(columns);
}

Tensor cholesky(const Tensor& a) {
  const Index count = count_of("cholesky", a, dpotrf_ != nullptr), size = a.size(-1);
  Tensor l = empty(a.shape(), f64);
  std::copy_n(readable<double>(a), a.size(), writable<double>(l));
  const int n = static_cast<int>(size);
  const BlasCall call("cholesky");
  for (Index i = 0; i < count; ++i) {
    double* const matrix = writable<double>(l) + i * size * size;
    int info = 0;
    dpotrf_("U", &n, matrix, &n, &info);            // above its diagonal is below ours
    for (int row = 0; info == 0 && row < n; ++row)  // NaN, which not every LAPACK sees
      if (!(matrix[row * (size + 1)] > 0)) info = row + 1;
    if (info != 0)
      fail<ValueError>(
          "[cholesky] matrix{} {} is not positive definite: its first {} rows and columns are not",
          which(i, count), a.shape(), info);
    for (Index row = 0; row < size; ++row)
      std::fill(matrix + row * size + row + 1, matrix + (row + 1) * size, 0.0);
  }
  count_flops(count * (size * size * size / 3));
  return l;
}

}  // namespace elk::kernels
