// Which parameters the calls of a module use, its buffers, and write access to a parameter's slot. For
// optimizers, reports and fits; user code has no reason to include it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/nn/module.hpp>

namespace elk::detail {

/// The trained parameters that the calls of one module used on a tape between listen() and stop(). Threads
/// may call the module at once. See Module::uses.
class Uses {
 public:
  bool listening() const { return listening_.load(std::memory_order_relaxed); }
  void listen() { listening_ = true; }
  void stop() { listening_ = false; }
  void add(const std::shared_ptr<nn::Parameter::Slot>& slot, const Call& call);

  /// "the forward pass used 4 parameters, the network lists 2: not listed: Linear(784, 128)", or "" when all
  /// that were used, of those that `gradients` are of, are among `listed`.
  std::string unlisted(const std::vector<nn::NamedSlot>& listed, const Gradients* gradients = nullptr) const;
  /// TapeError when that is not "".
  void check(const char* operation, const std::vector<nn::NamedSlot>& listed,
             const Gradients* gradients = nullptr) const;

 private:
  struct Use {
    std::weak_ptr<nn::Parameter::Slot> slot;
    std::string where;  // as a message names it
  };
  std::atomic<bool> listening_{false};
  mutable std::mutex mutex_;
  std::unordered_set<const void*> seen_;
  std::vector<Use> list_;
};

/// The buffers of a module, each once, as long as its members stay where they are.
std::vector<Tensor*> buffers(const nn::Module& module);
/// Their names, as state() has them.
std::vector<std::string> buffer_names(const nn::Module& module);

/// Tells all who asked about the calls under way.
void tell_used(const std::shared_ptr<nn::Parameter::Slot>& slot);

/// The value of a slot, to be written in place or to stand aside for a moment.
struct SlotAccess {
  static Tensor& value(nn::Parameter::Slot& slot) { return slot.value_; }
};

}  // namespace elk::detail
