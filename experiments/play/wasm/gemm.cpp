// In place of a BLAS: the products that the library's own loops leave to one, by plain loops.
#include <cstddef>

namespace {

constexpr int transposed = 112;  // CblasTrans

template <class T>
void gemm(int ta, int tb, int m, int n, int k, T alpha, const T* a, int lda, const T* b, int ldb, T beta,
          T* c, int ldc) {
  const std::size_t a_row = ta == transposed ? 1 : static_cast<std::size_t>(lda),
                    a_step = ta == transposed ? static_cast<std::size_t>(lda) : 1;
  for (int i = 0; i < m; ++i) {
    T* row = c + static_cast<std::size_t>(i) * static_cast<std::size_t>(ldc);
    for (int j = 0; j < n; ++j) row[j] = beta == T(0) ? T(0) : beta * row[j];
    for (int p = 0; p < k; ++p) {
      const T x = alpha * a[static_cast<std::size_t>(i) * a_row + static_cast<std::size_t>(p) * a_step];
      if (tb == transposed)
        for (int j = 0; j < n; ++j)
          row[j] +=
              x *
              b[static_cast<std::size_t>(j) * static_cast<std::size_t>(ldb) + static_cast<std::size_t>(p)];
      else
        for (int j = 0; j < n; ++j)
          row[j] +=
              x *
              b[static_cast<std::size_t>(p) * static_cast<std::size_t>(ldb) + static_cast<std::size_t>(j)];
    }
  }
}

}  // namespace

// Row-major, which is all that the library asks for.
extern "C" {
void cblas_sgemm(int, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda,
                 const float* b, int ldb, float beta, float* c, int ldc) {
  gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void cblas_dgemm(int, int ta, int tb, int m, int n, int k, double alpha, const double* a, int lda,
                 const double* b, int ldb, double beta, double* c, int ldc) {
  gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
}
