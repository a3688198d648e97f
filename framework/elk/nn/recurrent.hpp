// Recurrent layers over sequences (N, T, features): the batch is the first axis, as everywhere here and as
// with PyTorch's batch_first. Weights have PyTorch's names: weight_ih_l0 (gates * hidden, in), weight_hh_l0
// (gates * hidden, hidden), bias_ih_l0, bias_hh_l0, ..., those of a backward direction end in _reverse.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <elk/nn/module.hpp>

namespace elk::nn {

/// The state of a recurrent layer: h, and for an LSTM also c, each (layers * directions, N, hidden).
struct RecurrentState {
  Tensor h, c = {};
};

/// What the recurrent layers have in common. All weights begin uniform within 1 / sqrt(hidden) of 0.
class Recurrent : public Module {
 public:
  /// Options. `dropout` applies between one layer and the next.
  struct Options {
    Index layers = 1;
    bool bias = true;
    double dropout = 0;
    bool bidirectional = false;
    DType dtype = f32;
  };
  /// The last layer's h at every step, (N, T, hidden * directions), and the final state of all layers.
  struct Result {
    Tensor output;
    RecurrentState state;
  };

  /// For x (N, T, in) with T above 0, starting from the state `from`, or from zeros if that is undefined.
  Result run(const Tensor& x, const RecurrentState& from = {}) const;
  /// The output of run(x).
  Tensor forward(const Tensor& x) const override { return compute(x, {}).output; }

  void fields(Fields& f) override;
  std::string describe() const override;

  Index inputs() const { return in_; }
  Index hidden() const { return hidden_; }
  const Options& options() const { return options_; }
  /// One direction of one layer.
  struct Cell {
    std::string suffix;  // "_l0", "_l0_reverse"
    Parameter weight_ih, weight_hh;
    std::optional<Parameter> bias_ih, bias_hh;
  };
  /// In the order of the layers; with two directions the forward one comes first.
  const std::vector<Cell>& cells() const { return cells_; }
  /// The same, for other initial weights: init::orthogonal_(gru.cells()[0].weight_hh, rng).
  std::span<Cell> cells() { return cells_; }

 protected:
  /// h and c of one example.
  struct Memory {
    Tensor h, c;
  };
  Recurrent(const char* name, Index gates, Index in, Index hidden, Rng& rng, const Options& options);
  /// The next state, from the input's share of the gates (N, gates * hidden), and from h's.
  virtual Memory step(const Tensor& input, const Tensor& recurrent, const Memory& memory) const = 0;
  /// Whether c is used.
  virtual bool has_cell() const { return false; }

 private:
  Result compute(const Tensor& x, const RecurrentState& from) const;
  Tensor scan(const Cell& cell, const Tensor& x, bool backwards, Memory& memory) const;
  Tensor initial(const Tensor& given, const char* name, Index batch) const;

  const char* name_;
  Index in_, hidden_;
  Options options_;
  std::vector<Cell> cells_;
};

/// h' = tanh(W_ih x + b_ih + W_hh h + b_hh). (J. L. Elman, "Finding structure in time", 1990.)
class RNN : public Recurrent {
 public:
  RNN(Index in, Index hidden, Rng& rng, const Options& options)
      : Recurrent("RNN", 1, in, hidden, rng, options) {}
  RNN(Index in, Index hidden, Rng& rng) : RNN(in, hidden, rng, Options()) {}

 private:
  Memory step(const Tensor& input, const Tensor& recurrent, const Memory& memory) const override;
};

/// Gates r, z and n: h' = (1 - z) n + z h, n = tanh(W_in x + b_in + r (W_hn h + b_hn)). (K. Cho et al.,
/// "Learning phrase representations using RNN encoder-decoder", 2014.)
class GRU : public Recurrent {
 public:
  GRU(Index in, Index hidden, Rng& rng, const Options& options)
      : Recurrent("GRU", 3, in, hidden, rng, options) {}
  GRU(Index in, Index hidden, Rng& rng) : GRU(in, hidden, rng, Options()) {}

 private:
  Memory step(const Tensor& input, const Tensor& recurrent, const Memory& memory) const override;
};

/// Gates i, f, g and o: c' = f c + i g, h' = o tanh(c'). (S. Hochreiter, J. Schmidhuber, "Long short-term
/// memory", 1997; with forget gates, F. Gers et al., 2000.)
class LSTM : public Recurrent {
 public:
  LSTM(Index in, Index hidden, Rng& rng, const Options& options)
      : Recurrent("LSTM", 4, in, hidden, rng, options) {}
  LSTM(Index in, Index hidden, Rng& rng) : LSTM(in, hidden, rng, Options()) {}

 private:
  Memory step(const Tensor& input, const Tensor& recurrent, const Memory& memory) const override;
  bool has_cell() const override { return true; }
};

}  // namespace elk::nn
