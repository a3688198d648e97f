// Networks as ONNX files, which other programs run: ONNX Runtime, OpenCV, TensorRT, a browser.
// https://onnx.ai/onnx/intro. Link elkgrad::onnx.
#pragma once

#include <string>

#include <elk/nn/sequential.hpp>

namespace elk {

/// Writes `net` as the ONNX file `path` (operator set 13), which appears complete or not at all. Its input
/// "input" is (batch, input_shape...), its output "output" (batch, ...); the batch can have any size; both
/// have the network's dtype (f32 if it has no parameters). The weights keep the names and shapes of state().
///
/// What can be written: Linear, LayerNorm, ReLU, LeakyReLU, Sigmoid, Tanh, GELU, Softmax, Flatten, Dropout
/// and GaussianNoise (which are left out: an ONNX file is for evaluation), Residual and Sequential, also
/// nested, and Functions named relu, leaky_relu, sigmoid, tanh, gelu or clip(...), as in models::MLP. Only
/// the name of a Function is known: so it is called, and it is an error if it does not compute what its name
/// says. For a class derived from Sequential it is an error if it does not compute what its parts do one
/// after another.
///
/// Throws ValueError naming the module for one that has no ONNX form; for an input shape with a size below 1
/// or no axis; and for a network of 2 GiB or more, ONNX's limit. Throws the network's own ShapeError if it
/// does not take such inputs; Error if ONNX's reference checker rejects the file; FileError if it cannot be
/// written.
void save_onnx(const std::string& path, const nn::Sequential& net, const Shape& input_shape);

}  // namespace elk
