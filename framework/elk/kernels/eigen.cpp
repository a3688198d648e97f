#include <algorithm>
#include <cmath>
#include <vector>

#include <elk/kernels/blas_call.hpp>
#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>

// LAPACK comes inside OpenBLAS, or beside another BLAS. Where there is none all else works, and this says
// what is missing. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" [[gnu::weak]] void dsyevd_(const char* job, const char* part, const int* n, double* a,
                                      const int* lda, double* w, double* work, const int* work_size,
                                      int* iwork, const int* iwork_size, int* info);

namespace elk::kernels {

Eigen eigen_symmetric(const Tensor& matrix) {
  if (matrix.dtype() != f64) fail<DTypeError>("[eigen_symmetric] expected f64, got {}", matrix.dtype());
  // The size of the workspace, about 2 n^2, must be an int.
  constexpr Index most = 32000;
  if (matrix.rank() != 2 || matrix.size(0) != matrix.size(1) || matrix.size(0) > most)
    fail<ShapeError>("[eigen_symmetric] expected a square matrix of up to {} rows, got {}", most,
                     matrix.shape());
  if (!all_finite(matrix)) fail<ValueError>("[eigen_symmetric] the matrix holds NaN or infinity");
  if (!dsyevd_) fail<Error>("[eigen_symmetric] there is no LAPACK beside this BLAS: OpenBLAS brings one");
  const Index size = matrix.size(0);
  Eigen result{empty({size}, f64), empty({size, size}, f64)};
  if (size == 0) return result;

  // LAPACK's matrices are column-major: our rows are its columns, below the diagonal is above.
  const int n = static_cast<int>(size), work_size = 1 + 6 * n + 2 * n * n, iwork_size = 3 + 5 * n;
  Tensor work = empty({work_size}, f64);
  std::vector<int> iwork(static_cast<std::size_t>(iwork_size));
  double* const w = writable<double>(result.values);
  double* const v = writable<double>(result.vectors);
  std::copy_n(readable<double>(matrix), size * size, v);
  int info = 0;
  const BlasCall call("eigen_symmetric");
  dsyevd_("V", "U", &n, v, &n, w, writable<double>(work), &work_size, iwork.data(), &iwork_size, &info);
  if (info != 0) fail<Error>("[eigen_symmetric] LAPACK's dsyevd failed: info {}", info);
  // With all vectors by QR iteration, an upper bound (G. Golub, C. Van Loan, "Matrix Computations", 8.3).
  count_flops(9 * size * size * size);

  // From ascending to descending, with signs.
  std::reverse(w, w + size);
  for (Index i = 0, j = size - 1; i < j; ++i, --j)
    std::swap_ranges(v + i * size, v + (i + 1) * size, v + j * size);
  for (Index i = 0; i < size; ++i) {
    double* const row = v + i * size;
    const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
    if (*std::max_element(row, row + size, smaller) < 0)
      for (Index j = 0; j < size; ++j) row[j] = -row[j];
  }
  return result;
}

}  // namespace elk::kernels
