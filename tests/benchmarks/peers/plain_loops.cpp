// The same MLP as plain loops around one sgemm (oneDNN's): what the machine allows without a framework.
// --fold: the weight update is folded into the gradient's product, W += -lr * X^T dY, so that the gradient is
// never written. --version prints that of oneDNN; for the other options see peer.hpp. DATA holds the unpacked
// MNIST files.
#include <dnnl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "peer.hpp"

using Floats = std::vector<float>;

std::vector<unsigned char> raw(const std::string& path, int header) {
  auto bytes = read_bytes(path);
  bytes.erase(bytes.begin(), bytes.begin() + header);
  return bytes;
}

// C (m,n) = alpha * op(A) op(B) + beta * C, row-major
void gemm(bool ta, bool tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
          int ldb, float beta, float* c, int ldc) {
  dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    const dnnl_version_t* v = dnnl_version();
    std::printf("%d.%d.%d\n", v->major, v->minor, v->patch);
    return 0;
  }
  const Options o = parse(argc, argv);
  const std::string& data = o.data;
  const std::vector<int>& sizes = o.layers;
  const int epochs = o.epochs, batch = o.batch, depth = int(sizes.size()) - 1;

  const auto pixels = raw(data + "/train-images-idx3-ubyte", 16),
             labels = raw(data + "/train-labels-idx1-ubyte", 8);
  const auto test_pixels = raw(data + "/t10k-images-idx3-ubyte", 16),
             test_labels = raw(data + "/t10k-labels-idx1-ubyte", 8);
  const int n = int(labels.size()), in = sizes[0], classes = sizes.back(), rows = std::max(batch, 1000);

  std::mt19937 engine(100);
  std::vector<Floats> w(depth), b(depth), dw(depth), h(depth + 1), dh(depth + 1);
  for (int l = 0; l < depth; ++l) {
    std::normal_distribution<float> normal(0, std::sqrt(2.f / sizes[l]));
    w[l].resize(size_t(sizes[l]) * sizes[l + 1]);
    for (float& value : w[l]) value = normal(engine);
    dw[l].resize(w[l].size());
    b[l].assign(sizes[l + 1], 0);
  }
  for (int l = 0; l <= depth; ++l) {
    h[l].resize(size_t(rows) * sizes[l]);
    dh[l].resize(size_t(rows) * sizes[l]);
  }
  const auto gather = [&](const std::vector<unsigned char>& from, const int* index, int m) {
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < in; ++j) h[0][size_t(i) * in + j] = from[size_t(index[i]) * in + j] / 255.f;
  };
  const auto forward = [&](int m) {
    for (int l = 0; l < depth; ++l) {
      const int k = sizes[l], out = sizes[l + 1];
      float* y = h[l + 1].data();
      for (int i = 0; i < m; ++i) std::memcpy(y + size_t(i) * out, b[l].data(), sizeof(float) * out);
      gemm(false, false, m, out, k, 1, h[l].data(), k, w[l].data(), out, 1, y, out);
      if (l < depth - 1)
        for (int i = 0; i < m * out; ++i) y[i] = y[i] > 0 ? y[i] : 0;
    }
  };

  std::vector<int> order(n), test_order(test_labels.size());
  std::iota(order.begin(), order.end(), 0);
  std::iota(test_order.begin(), test_order.end(), 0);
  float lr = float(o.lr);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    std::shuffle(order.begin(), order.end(), engine);
    double total = 0;
    for (int s = 0; s < n; s += batch) {
      const int m = std::min(batch, n - s);
      gather(pixels, &order[s], m);
      forward(m);
      for (int i = 0; i < m; ++i) {  // softmax, cross-entropy and its gradient
        float* z = &h[depth][size_t(i) * classes];
        float* dz = &dh[depth][size_t(i) * classes];
        const float top = *std::max_element(z, z + classes);
        float sum = 0;
        for (int j = 0; j < classes; ++j) sum += dz[j] = std::exp(z[j] - top);
        const int y = labels[order[s + i]];
        total -= std::log(dz[y] / sum);
        for (int j = 0; j < classes; ++j) dz[j] = (dz[j] / sum - (j == y)) / m;
      }
      for (int l = depth - 1; l >= 0; --l) {
        const int k = sizes[l], out = sizes[l + 1];
        const float* dy = dh[l + 1].data();
        if (l > 0) {
          gemm(false, true, m, k, out, 1, dy, out, w[l].data(), out, 0, dh[l].data(), k);
          for (int i = 0; i < m * k; ++i) {
            const float d = dh[l][i];
            dh[l][i] = h[l][i] > 0 ? d : 0;
          }
        }
        if (o.fold) {
          gemm(true, false, k, out, m, -lr, h[l].data(), k, dy, out, 1, w[l].data(), out);
        } else {
          gemm(true, false, k, out, m, 1, h[l].data(), k, dy, out, 0, dw[l].data(), out);
          for (size_t i = 0; i < w[l].size(); ++i) w[l][i] -= lr * dw[l][i];
        }
        for (int i = 0; i < m; ++i)
          for (int j = 0; j < out; ++j) b[l][j] -= lr * dy[size_t(i) * out + j];
      }
    }
    lr *= float(o.decay);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    int right = 0;
    for (size_t s = 0; s < test_labels.size(); s += 1000) {
      gather(test_pixels, &test_order[s], 1000);
      forward(1000);
      for (int i = 0; i < 1000; ++i) {
        const float* z = &h[depth][size_t(i) * classes];
        right += std::max_element(z, z + classes) - z == test_labels[s + i];
      }
    }
    std::printf("epoch %d sec %.3f loss %.4f acc %.4f\n", epoch + 1, seconds, total / n, right / 1e4);
    std::fflush(stdout);
  }
}
