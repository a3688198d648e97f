// Sums of products, written as their indices.
#pragma once

#include <string>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Einstein's notation: einsum("bij,bjk->bik", {a, b}) sums the product of the operands over every letter
/// that does not appear after the arrow. A letter that appears twice in one operand takes its diagonal; "..."
/// stands for the axes without letters, which broadcast, as do axes of size 1; without an arrow the result
/// has the letters that appear once, in alphabetical order. (As NumPy's and PyTorch's.) Computed from the
/// left by matrix products, operand by operand. ValueError for a text that is not an equation, ShapeError for
/// operands that do not fit it.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands);

}  // namespace elk
