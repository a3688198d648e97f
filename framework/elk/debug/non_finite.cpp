#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/debug/non_finite.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk {

std::string first_non_finite(const nn::Module& net, const Tensor& x, Rng rng,
                             const std::function<Tensor(const Tensor& x)>& loss) {
  if (!kernels::all_finite(x)) return "the input";
  for (const nn::NamedSlot& parameter : net.parameters())
    if (!kernels::all_finite(parameter.slot->value())) return "parameter " + parameter.name;

  const Pause pause;  // the caller's tapes
  std::string found;
  Tape tape(rng);
  if (is_float(x.dtype())) tape.watch(x);  // so that operations before the first parameter are seen too
  tape.observe([&](const Tape::Event& event) {
    if (!found.empty() || kernels::all_finite(event.output)) return;
    const std::string layer = net.name_of(static_cast<const nn::Module*>(event.scope));
    found = layer.empty() ? event.operation : fmt::format("{} in {}", event.operation, layer);
  });
  (void)loss(x);
  return found;
}

}  // namespace elk
