// The data sets of the playground, and what a network gets of their points.
#pragma once

#include <string_view>

#include <elk/tensor/tensor.hpp>

#include "state.hpp"

namespace elk::play {

/// Some examples: points (N, 2), of digits none; what the network gets, f64 (N, inputs); and what it should
/// say: as the loss takes it.
struct Examples {
  Tensor points, inputs, labels, targets;
};

struct Data {
  Examples train, test;
};

/// Draws from `rng` as the exported program does.
Data make_data(const State& state, Rng& rng);

/// The features of points (N, 2), f64 (N, features).
Tensor features_of(const State& state, const Tensor& points);

/// Labels as the loss takes them.
Tensor targets_of(const State& state, const Tensor& labels);

/// How many there are to train on, and to judge by.
Index train_count(const State& state);
Index test_count(const State& state);

/// The source of the data set's function, and how the exported program calls it for `n` examples; the text
/// `first` tells digits where to begin.
std::string_view source_of(const State& state);
std::string call_of(const State& state, Index n, Index first);

/// An expression of x and y for each feature, of the labels for the loss, and of the loss for `prediction`
/// and `target`: in the words of the exported program.
std::string feature_text(const std::string& feature);
std::string target_text(const State& state);
std::string loss_text(const State& state);

/// The loss itself.
Tensor loss_of(const State& state, const Tensor& prediction, const Tensor& target);

}  // namespace elk::play
