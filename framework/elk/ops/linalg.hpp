// Matrix products. "nt" and "tn" say which operand is read as its transpose; nothing is copied to do so.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

// Axes before the last two are stacks of matrices, and broadcast.

/// a (m, k) times b (k, n): (m, n).
Tensor matmul(const Tensor& a, const Tensor& b);
/// a (m, k) times the transpose of b (n, k): (m, n).
Tensor matmul_nt(const Tensor& a, const Tensor& b);
/// The transpose of a (k, m) times b (k, n): (m, n).
Tensor matmul_tn(const Tensor& a, const Tensor& b);
/// Of two stacks of equally many matrices: a (B, m, k) times b (B, k, n): (B, m, n).
Tensor bmm(const Tensor& a, const Tensor& b);
/// Every element of a (m) times every one of b (n): (m, n).
Tensor outer(const Tensor& a, const Tensor& b);
/// x (..., in), weight (out, in), bias (out) or undefined: x weightᵀ + bias, (..., out).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace elk
