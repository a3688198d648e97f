#include <algorithm>
#include <ostream>

#include <elk/base/format.hpp>
#include <elk/base/shape.hpp>

namespace elk {

Shape::Shape(std::initializer_list<detail::Size> sizes) {
  for (const detail::Size size : sizes) push_back(size.value);
}

Shape::Shape(std::span<const Index> sizes) {
  for (const Index size : sizes) push_back(size);
}

void Shape::push_back(Index size) {
  if (rank_ == max_rank) fail<ShapeError>("[shape] at most {} axes are supported", max_rank);
  sizes_[rank_++] = size;
}

Index Shape::size() const {
  if (std::find(begin(), end(), 0) != end()) return 0;
  Index product = 1;
  for (const Index size : *this)
    if (__builtin_mul_overflow(product, size, &product))
      fail<ShapeError>("[shape] {} has more elements than can be counted", *this);
  return product;
}

void Shape::bad_axis(int axis) const { fail<IndexError>("[shape] axis {} is outside {}", axis, *this); }

std::string to_string(const Shape& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

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

Axes::Axes(std::initializer_list<int> axes) { add({axes.begin(), axes.size()}); }
Axes::Axes(const std::vector<int>& axes) { add(axes); }

void Axes::add(std::span<const int> axes) {
  if (axes.size() > axes_.size()) fail<IndexError>("[axes] at most {} axes are supported", Shape::max_rank);
  for (const int axis : axes) axes_[static_cast<std::size_t>(count_++)] = axis;
}

Axes Axes::all() {
  Axes axes({});
  axes.all_ = true;
  return axes;
}

std::array<bool, Shape::max_rank> Axes::of(const char* operation, const Shape& shape) const {
  std::array<bool, Shape::max_rank> reduced{};
  if (all_) reduced.fill(true);
  for (int i = 0; i < count_; ++i) {
    const int given = axes_[static_cast<std::size_t>(i)], axis = given < 0 ? given + shape.rank() : given;
    if (axis < 0 || axis >= shape.rank())
      fail<IndexError>("[{}] axis {} is outside shape {}", operation, given, shape);
    bool& mark = reduced[static_cast<std::size_t>(axis)];
    if (mark) fail<IndexError>("[{}] axis {} is named twice", operation, given);
    mark = true;
  }
  return reduced;
}

}  // namespace elk
