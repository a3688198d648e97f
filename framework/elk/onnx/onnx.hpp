// Networks as ONNX files, which other programs run: ONNX Runtime, OpenCV, TensorRT, a browser.
// https://onnx.ai/onnx/intro. Link elkgrad::onnx.
#pragma once

#include <string>

#include <elk/nn/sequential.hpp>

namespace elk {

/// Writes `net` as the ONNX file `path` (operator set 13), which appears whole or not at all. Its input
/// "input" is (batch, input_shape...), its output "output" (batch, ...); the batch can have any size; both
/// are of the network's dtype (f32, where it has no parameters). The weights keep the names and shapes of
/// state().
///
/// What can be written: Linear, LayerNorm, ReLU, LeakyReLU, Sigmoid, Tanh, GELU, Softmax, Flatten, Dropout
/// (which is left out: an ONNX file is for evaluation), Residual and Sequential within each other, and of
/// Function those that are named relu, leaky_relu, sigmoid, tanh, gelu or clip(...), as in models::MLP. A
/// Function is only a name to us: it is called, and refused unless it computes what its name says. A class
/// derived from Sequential is refused unless it computes what its parts do one after another.
///
/// Throws ValueError naming the module for one that has no ONNX form; for an input shape with a size below 1
/// or no axis; and for a network of 2 GiB or more, ONNX's limit. Throws the network's own ShapeError where it
/// does not take such inputs; Error, where ONNX's reference checker refuses the file; FileError, where it
/// cannot be written.
void save_onnx(const std::string& path, const nn::Sequential& net, const Shape& input_shape);

}  // namespace elk
