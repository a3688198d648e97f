// The tape as a page to look at: what a run recorded, entry by entry, and how the gradient flowed back.
//
//   elk::Tape tape;
//   elk::Trace trace(tape);           // before the forward pass
//   const elk::Tensor loss = elk::cross_entropy(net(x), labels);
//   const elk::Gradients gradients = tape.backward(loss);
//   trace.write("trace.html", net);   // for a browser; trace.json and trace.dot for programs
//
// In a training loop: one Trace before it, `trace.follow(tape);` in each step, and write() behind it.
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

/// What a page says about an operation. Its rules tell what its inputs are called: "dW = dyᵀ x" is that of W.
struct Explanation {
  std::string formula;             ///< of the value: "y = x Wᵀ + b"
  std::string words;               ///< the same in words
  std::vector<std::string> rules;  ///< of each input: "dx = dy W"; the last goes for all further
  std::string rule_words;          ///< the same in words
};

/// Keeps what the tapes that it follows record, and the gradients of their backward: every tensor stays alive
/// until the Trace goes. Weights' gradients are then computed even if nobody reads them; results are the same
/// to the bit. Lives on the stack and belongs to its thread, as a tape does; a tape may end before it or
/// after it.
class Trace : private ScopeObserver {
 public:
  Trace();
  explicit Trace(Tape& tape) : Trace() { follow(tape); }
  static void* operator new(std::size_t) = delete;
  static void* operator new[](std::size_t) = delete;

  /// The next step: what `tape` records from now on. "step 1", "step 2", ... where no label is given.
  void follow(Tape& tape, std::string label = "");

  /// Calls `x`, of all steps, by a name: an input, say. Parameters have theirs in the network.
  void name(const Tensor& x, std::string name);

  /// What to say about an operation of one's own.
  void explain(const std::string& operation, Explanation text);

  /// Sets central differences of the loss beside the gradients of the last step, which backward must have
  /// done (TapeError): for some elements of each parameter of `net`, the largest gradients among them. Calls
  /// `loss(x)`, the loss of that step, a few times for each parameter, with the parameters as they were; in
  /// f64, or where the loss does not take that in the network's own dtype, which tells less. Dropout passes
  /// everything there, which makes it another loss, unless `loss` begins with `Rng copy = rng; Tape
  /// tape(copy);` of the Rng as it was before the step. The network is afterwards as it was.
  void check(nn::Module& net, const Tensor& x, const std::function<Tensor(const Tensor& x)>& loss);

  /// Writes all steps as the name's ending says: .html, a page that needs nothing else; .json, for programs,
  /// see docs/trace.md; .dot, the graph of the last step for Graphviz. Parameters and modules have their
  /// names in `net`, as they are now. ValueError for another ending, TapeError when nothing was recorded,
  /// FileError.
  void write(const std::string& path, const nn::Module& net) const { write(path, &net); }
  /// The same without names of parameters and modules.
  void write(const std::string& path) const { write(path, nullptr); }

  /// What write() puts into a file .json, as text: for a page that shows it at once.
  std::string json(const nn::Module& net) const { return json(&net); }

  /// How many entries, operations and their inputs, are kept of a step: the first ones.
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
