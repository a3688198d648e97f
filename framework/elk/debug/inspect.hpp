// What reports on a network share: its modules as a list, putting it back as it was, and tables of text.
// Private to debug/.
#pragma once

#include <string>
#include <vector>

#include <elk/data/examples.hpp>
#include <elk/nn/module.hpp>

namespace elk::inspect {

/// A module of a network.
struct Part {
  std::string name;  ///< dotted; "" for the network itself
  const nn::Module* module;
  std::vector<nn::NamedSlot> parameters;  ///< of its own, under their names in the network
  std::vector<Tensor*> buffers;           ///< of its own
  bool leaf;                              ///< it lists no modules
};

/// The network, then the modules below it, depth first in the order of fields(); one that is listed twice is
/// here twice.
std::vector<Part> parts(const nn::Module& net);

/// Puts parameters and buffers back when it goes: the very tensors that were there. Optimizers copy before
/// they write while it lives.
class Kept {
 public:
  explicit Kept(const nn::Module& net);
  ~Kept();
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

 private:
  std::vector<nn::NamedSlot> slots_;  // share the slots, which are thus there to the end
  std::vector<Tensor> values_;
  std::vector<Tensor*> buffers_;
  std::vector<Tensor> buffer_values_;
};

/// The dtype of the network's parameters, and so of floats that it is given; f32 where there are none.
DType dtype_of(const nn::Module& net);

/// The first `n` examples of a batch. An input without a row for each example, such as a mask, stays whole.
Batch first(const Batch& batch, Index n);

/// Columns as wide as their widest cell with two spaces between them; `align` has an 'l' (left) or 'r'
/// (right) for each. Every row ends with a line break and has no trailing spaces.
std::string table(const std::string& align, const std::vector<std::vector<std::string>>& rows);

/// At most `width` characters: the end is kept where `keep_end`, else the beginning, and dots stand for what
/// was cut.
std::string shortened(const std::string& text, std::size_t width, bool keep_end = false);

/// A share, 0 to 1, with three digits: "12.5%", "<0.1%".
std::string percent(double share);

}  // namespace elk::inspect
