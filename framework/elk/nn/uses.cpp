#include <algorithm>

#include <elk/base/format.hpp>
#include <elk/nn/uses.hpp>

namespace elk::detail {

void Uses::add(const std::shared_ptr<nn::Parameter::Slot>& slot, const Call& call) {
  const std::lock_guard lock(mutex_);
  if (!seen_.insert(slot.get()).second) return;
  const nn::Module& user = *innermost_call->module;
  list_.push_back({slot, &user == call.module
                             ? fmt::format("a parameter {} of {}", slot->value().shape(), user.describe())
                             : user.describe()});
}

std::string Uses::unlisted(const std::vector<nn::NamedSlot>& listed, const Gradients* gradients) const {
  const std::lock_guard lock(mutex_);
  std::size_t used = 0;
  std::vector<std::string> missing;
  for (const Use& use : list_) {
    const auto slot = use.slot.lock();
    if (slot == nullptr || slot->frozen() || (gradients != nullptr && !gradients->has(slot->value())))
      continue;
    ++used;
    const auto is_it = [&](const nn::NamedSlot& parameter) { return parameter.slot == slot; };
    if (std::any_of(listed.begin(), listed.end(), is_it)) continue;
    missing.push_back(use.where);
  }
  // Operands are evaluated in an order of the compiler's own, so that of the uses is none.
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  if (missing.empty()) return "";
  return fmt::format("the forward pass used {} parameters, the network lists {}: not listed: {}", used,
                     listed.size(), fmt::join(missing, ", "));
}

void Uses::check(const char* operation, const std::vector<nn::NamedSlot>& listed,
                 const Gradients* gradients) const {
  if (const std::string text = unlisted(listed, gradients); !text.empty())
    fail<TapeError>("[{}] {}: name it in fields(), or freeze it", operation, text);
}

void tell_used(const std::shared_ptr<nn::Parameter::Slot>& slot) {
  for (const Call* call = innermost_call; call != nullptr; call = call->outer)
    if (call->uses != nullptr) call->uses->add(slot, *call);
}

}  // namespace elk::detail
