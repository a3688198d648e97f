#include <algorithm>

#include <elk/base/format.hpp>
#include <elk/base/shape.hpp>

namespace elk {

Shape::Shape(std::initializer_list<Index> sizes) : Shape(std::span<const Index>(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const Index> sizes) {
  for (const Index size : sizes) push_back(size);
}

void Shape::push_back(Index size) {
  if (rank_ == max_rank) fail<ShapeError>("[shape] at most {} axes are supported", max_rank);
  sizes_[rank_++] = size;
}

Index Shape::size() const {
  Index product = 1;
  for (const Index size : *this) product *= size;
  return product;
}

void Shape::bad_axis(int axis) const { fail<IndexError>("[shape] axis {} is outside {}", axis, *this); }

std::string to_string(const Shape& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

Shape broadcast(const char* operation, const Shape& a, const Shape& b) {
  if (a == b) return a;
  Shape result = a.rank() >= b.rank() ? a : b;
  const int common = std::min(a.rank(), b.rank());
  for (int axis = -1; axis >= -common; --axis) {
    if (a[axis] != b[axis] && a[axis] != 1 && b[axis] != 1)
      fail<ShapeError>("[{}] shapes do not broadcast: {} and {}", operation, a, b);
    result[axis] = a[axis] == 1 ? b[axis] : a[axis];
  }
  return result;
}

}  // namespace elk
