// Convolutions by oneDNN, where it is built in. Private to kernels/.
#pragma once

#include <elk/kernels/convolution.hpp>

namespace elk::kernels {

/// The three products of a convolution.
enum class Pass { forward, input, weight };

/// Whether oneDNN is faster than the products that convolutions are cut into otherwise, by the shape and the
/// instruction set alone. False where it is not built in, and at the baseline, which it does not know.
bool onednn_pays(Pass pass, const Geometry& g);

/// The same products of f32 as in convolution.hpp, of a batch that is not empty. False, with nothing done,
/// where oneDNN cannot be used, or has no code of its own for the form.
bool onednn_convolve(const char* operation, const Geometry& g, const float* x, const float* weight,
                     const float* bias, float* y);
bool onednn_convolve_input(const char* operation, const Geometry& g, const float* dy, const float* weight,
                           float* dx);
bool onednn_convolve_weight(const char* operation, const Geometry& g, const float* dy, const float* x,
                            float* dweight);

}  // namespace elk::kernels
