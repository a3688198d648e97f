// Clipping: gradients limited before the step, adam.step(clip_norm(tape.backward(loss), 1)).
#pragma once

#include <elk/autograd/tape.hpp>

namespace elk::optim {

/// The Euclidean norm of all gradients taken together, in f64.
double norm(const Gradients& gradients);

/// All gradients, scaled down together so that norm() is at most `limit`; the same ones when it is already,
/// or when it is NaN. ValueError unless limit is above 0. (R. Pascanu et al., "On the difficulty of training
/// recurrent neural networks", 2013.)
Gradients clip_norm(Gradients gradients, double limit);

/// Each element limited to [-limit, limit]. ValueError unless limit is above 0.
Gradients clip_value(Gradients gradients, double limit);

}  // namespace elk::optim
