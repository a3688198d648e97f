// Whether a BLAS has its C interface, with int for sizes, and multiplies; prints its name.
#include <cstdio>

#include <elk/base/machine.hpp>

extern "C" {
void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a,
                 int lda, const float* b, int ldb, float beta, float* c, int ldc);
void cblas_dgemm(int order, int trans_a, int trans_b, int m, int n, int k, double alpha, const double* a,
                 int lda, const double* b, int ldb, double beta, double* c, int ldc);
}

namespace {

constexpr int row_major = 101, plain = 111, transposed = 112;

// (1 2; 3 4) times the transpose of (5 6; 7 8) is (17 23; 39 53).
template <class T, class Gemm>
bool multiplies(Gemm gemm) {
  const T a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
  T c[] = {0, 0, 0, 0};
  gemm(row_major, plain, transposed, 2, 2, 2, T(1), a, 2, b, 2, T(0), c, 2);
  return c[0] == 17 && c[1] == 23 && c[2] == 39 && c[3] == 53;
}

}  // namespace

int main() {
  if (!multiplies<float>(cblas_sgemm) || !multiplies<double>(cblas_dgemm)) return 1;
  std::printf("%s", elk::blas_name().c_str());
}
