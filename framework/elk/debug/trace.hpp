// The tape as a page: what a run recorded, entry by entry, and how the gradient flowed back.
//
//   elk::Tape tape;
//   elk::Trace trace(tape);           // before the forward pass
//   const elk::Tensor loss = elk::cross_entropy(net(x), labels);
//   const elk::Gradients gradients = tape.backward(loss);
//   trace.write("trace.html", net);   // for a browser; trace.json and trace.dot for programs
//
// In a training loop: make one Trace before the loop, call `trace.follow(tape);` in each step, and write()
// after the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <elk/autograd/scope.hpp>
#include <elk/autograd/tape.hpp>
#include <elk/nn/module.hpp>

namespace elk {

namespace tracing {
struct Step;
struct Calls;
}  // namespace tracing

/// What a page says about an operation. Its rules also give the names of its inputs: "dW = dyᵀ x" is the rule
/// of W.
struct Explanation {
  std::string formula;             ///< of the value: "y = x Wᵀ + b"
  std::string words;               ///< the same in words
  std::vector<std::string> rules;  ///< one per input: "dx = dy W"; the last is for all further inputs
  std::string rule_words;          ///< the same in words
};

/// Keeps what the tapes that it follows record, and the gradients of their backward: every tensor stays alive
/// as long as the Trace. Gradients of weights are then computed even if nobody reads them; results are the
/// same to the bit. Like a tape it is on the stack and belongs to its thread; a tape may end before or after
/// it.
class Trace : private ScopeObserver {
 public:
  Trace();
  explicit Trace(Tape& tape) : Trace() { follow(tape); }
  static void* operator new(std::size_t) = delete;
  static void* operator new[](std::size_t) = delete;

  /// Starts the next step: what `tape` records from now on. The default labels are "step 1", "step 2", ...
  void follow(Tape& tape, std::string label = "");

  /// Gives `x` a name in all steps, for example an input. Parameters have their names in the network.
  void name(const Tensor& x, std::string name);

  /// The explanation of your own operation.
  void explain(const std::string& operation, Explanation text);

  /// Compares the gradients of the last step, whose backward must be done (TapeError), with central
  /// differences of the loss, for some elements of each parameter of `net`, including the largest gradients.
  /// Calls `loss(x)`, the loss of that step, a few times for each parameter, with the parameters of that
  /// step. It computes in f64, or, if the loss does not take f64, in the network's own dtype, which is less
  /// exact. Dropout does nothing in these calls, so the loss differs, unless `loss` begins with `Rng copy =
  /// rng; Tape tape(copy);`, with the Rng as it was before the step. Afterwards the network is unchanged.
  void check(nn::Module& net, const Tensor& x, const std::function<Tensor(const Tensor& x)>& loss);

  /// Writes all steps in the format that the ending of the name selects: .html, a page that needs nothing
  /// else; .json, for programs, see docs/trace.md; .dot, the graph of the last step for Graphviz. Parameters
  /// and modules have their names in `net`, as they are now. ValueError for another ending, TapeError when
  /// nothing was recorded, FileError.
  void write(const std::string& path, const nn::Module& net) const { write(path, &net); }
  /// The same without names of parameters and modules.
  void write(const std::string& path) const { write(path, nullptr); }

  /// The text that write() puts into a .json file, for a page that shows it at once.
  std::string json(const nn::Module& net) const { return json(&net); }

  /// How many entries of a step are kept, operations and their inputs: the first ones.
  static constexpr std::size_t entry_limit = 2000;

 private:
  void begin(const void* subject) override;
  void end(const void* subject) override;
  void write(const std::string& path, const nn::Module* net) const;
  std::string json(const nn::Module* net) const;
  std::vector<const tracing::Step*> recorded() const;

  std::shared_ptr<tracing::Calls> calls_;              // of modules, those that are running; shared, too
  std::vector<std::shared_ptr<tracing::Step>> steps_;  // shared with the tapes that fill them
  std::map<std::uint64_t, std::string> names_;         // by the tensor's id
  std::map<std::string, Explanation> explanations_;    // by operation
};

}  // namespace elk
