// Statistics of tensors and of what layers give. Private to debug/.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include <elk/autograd/scope.hpp>
#include <elk/autograd/tape.hpp>
#include <elk/debug/doctor.hpp>
#include <elk/debug/inspect.hpp>

namespace elk::inspect {

/// Of all elements; all 0 where there are none. `size` is the root mean square, `zeros` a share.
struct Moments {
  double mean = 0, deviation = 0, size = 0, zeros = 0, low = 0, high = 0;
  bool finite = true;
};

Moments moments(const Tensor& x);

/// Collects what layers and activation functions of `net` give while it lives. Activation functions are known
/// by their operations, which a tape must be made to report: tape.observe(... operation(event) ...).
class Activations : public ScopeObserver {
 public:
  explicit Activations(const nn::Module& net);
  void operation(const Tape::Event& event);
  void output(const void* subject, const Tensor& y) override;

  std::vector<LayerHealth> layers;

 private:
  void add(const std::string& name, const std::string& kind, const Tensor& y);

  std::unordered_map<const void*, Part> parts_;
  std::unordered_map<std::string, int> calls_;  // by name and kind
  std::string last_;                            // layer
  std::uint64_t activation_ = 0;                // the id of the last one's result
};

}  // namespace elk::inspect
