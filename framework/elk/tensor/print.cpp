#include <algorithm>
#include <cmath>
#include <ostream>

#include <elk/base/format.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk {

namespace {

constexpr Index shortened_above = 1000;  // elements; above, each axis shows its first and last three
constexpr Index edge = 3;

void print(std::string& out, const Tensor& x, int axis, Index offset, const Shape& strides) {
  if (axis == x.rank()) {
    if (x.dtype() == i64) {  // not through at(): a double may not hold it
      out += fmt::to_string(x.data<std::int64_t>()[static_cast<std::size_t>(offset)]);
    } else {
      const double value = x.at(offset);
      out += std::isnan(value) ? "nan" : fmt::format("{:.5g}", value);  // the sign of a NaN says nothing
    }
    return;
  }
  const bool last = axis == x.rank() - 1;
  const std::string separator = last ? ", " : ",\n" + std::string(static_cast<std::size_t>(axis) + 1, ' ');
  const bool shortened = x.size() > shortened_above && x.size(axis) > 2 * edge;
  out += '[';
  for (Index i = 0; i < x.size(axis); ++i) {
    if (i > 0) out += separator;
    if (shortened && i == edge) {
      out += "..." + separator;
      i = x.size(axis) - edge;
    }
    print(out, x, axis + 1, offset + i * strides[axis], strides);
  }
  out += ']';
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  Shape strides = tensor.shape();
  Index stride = 1;
  for (int axis = tensor.rank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride *= tensor.size(axis);
  }
  std::string out = fmt::format("{} {}{}", tensor.dtype(), tensor.shape(), tensor.rank() > 1 ? "\n" : " ");
  if (tensor.size() == 0) return out + "[]";
  print(out, tensor, 0, 0, strides);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << to_string(tensor); }

}  // namespace elk
