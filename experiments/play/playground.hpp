// A small network in training, and all that a page shows of it.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/optim/optimizer.hpp>

#include "data.hpp"
#include "state.hpp"

namespace elk::play {

/// What a hidden layer, or the output, is doing.
struct LayerReport {
  std::string name;  ///< of its weights: "layer1"
  Index units = 0;
  std::vector<bool> dead;    ///< of each unit of a relu: 0 for every example of the training set
  std::vector<double> flat;  ///< of each unit of a tanh or sigmoid: the share of examples that saturate it
  Index distinct = 0;        ///< how many units do not do the same as one before them
  double mean = 0, deviation = 0;                              ///< of what its units give
  double weight_norm = 0, gradient_norm = 0, update_norm = 0;  ///< of its weights in the last step
};

class Playground {
 public:
  explicit Playground(State state);
  Playground(const Playground&) = delete;
  Playground& operator=(const Playground&) = delete;

  const State& state() const { return state_; }
  const Data& data() const { return data_; }
  const nn::Sequential& net() const { return net_; }
  Index steps() const { return steps_; }
  Index epochs() const { return epochs_; }

  /// One step of training on the next batch. Nothing where there are no examples. `watched`: keeps the norms
  /// that layers() reports, which takes longer.
  void step(bool watched = true);

  double batch_loss() const { return batch_loss_; }  ///< of the last step, before its update
  /// How good the network as it is does on `examples`; NaN where there are none.
  struct Score {
    double loss = NAN;
    double accuracy = NAN;  ///< the share that is right; NaN of a curve
  };
  Score score(const Examples& examples) const;

  /// The hidden layers, then the output.
  std::vector<LayerReport> layers() const;

  /// What the layers make of inputs (N, features): the inputs, each hidden layer's units behind the
  /// activation, and the output; f64 (N, units).
  std::vector<Tensor> maps(const Tensor& inputs) const;

  /// The trace of the next step and, after it, of the same batch with the updated weights, in the JSON of a
  /// Trace. The playground is afterwards as it was. `rows`: only so many examples of the batch, 0 for all.
  /// ValueError without examples.
  std::string lens(Index rows) const;
  /// The rows of the training set that it looks at.
  std::vector<Index> lens_rows(Index rows) const;

  /// Changes a number now, and returns what was there. `change.element` of x and labels is one of the lens's
  /// rows. The state has it from here on. ValueError for what is not there or cannot be.
  double edit(Edit change, Index rows);
  /// Takes back the last of the changes that were made after as many steps as now. ValueError if there is
  /// none.
  void undo();

  /// The program that does the same with the library, for `steps` steps. It prints the losses on both sets.
  std::string as_cpp(Index steps) const;

 private:
  void advance();
  std::vector<Index> batch_rows() const;
  Index numbers_of(const std::string& tensor) const;
  std::shared_ptr<nn::Parameter::Slot> slot_of(const std::string& tensor) const;
  void check(const Edit& change) const;
  double put(const Edit& change);
  void put_due();
  std::vector<Edit>::iterator first_to_come();  // of the edits, after the steps of now

  State state_;
  Rng rng_;
  Data data_;
  nn::Sequential net_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::vector<Index> order_;  // of this epoch
  std::size_t next_ = 0;      // in it
  Index steps_ = 0, epochs_ = 0;
  std::vector<double> replaced_;  // by the edits after as many steps as now
  double batch_loss_;
  struct Norms {
    double weight = 0, gradient = 0, update = 0;
  };
  std::vector<Norms> norms_;  // of each layer's weights
};

/// The optimizer that the state names, and how a program makes it.
std::unique_ptr<optim::Optimizer> make_optimizer(const State& state, const nn::Sequential& net);
std::string optimizer_text(const State& state);

}  // namespace elk::play
