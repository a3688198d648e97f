#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk {

Tensor detail::add_gradients(const Tensor& a, const Tensor& b) {
  const auto pass = [](const Tensor& dy) { return dy; };
  return record("add", kernels::add(a, b), wrt(a, pass), wrt(b, pass));
}

namespace {

Tensor scaled(const Tensor& x, double factor) {
  return record("mul", kernels::mul(x, scalar(factor, x.dtype())),
                wrt(x, [factor](const Tensor& dy) { return scaled(dy, factor); }));
}

}  // namespace

const Gradients::Items& Gradients::items() const {
  moved_.check("gradients");
  return items_;
}

const Gradients::Item* Gradients::find(const Tensor& x) const {
  const auto at = items().find(x.id());
  return at != items_.end() ? &at->second : nullptr;
}

const Tensor& Gradients::operator[](const Tensor& x) const {
  if (const Item* item = find(x)) return item->value();
  fail<TapeError>(
      "[gradients] there is no gradient for this tensor {}: what was differentiated does not depend on it, "
      "or it was not watched",
      x.shape());
}

bool Gradients::has(const Tensor& x) const { return find(x) != nullptr; }

std::vector<Tensor> Gradients::values() const {
  std::vector<Tensor> list;
  for (const auto& [id, item] : items()) list.push_back(item.value());
  return list;
}

Gradients& Gradients::apply(const std::function<Tensor(const Tensor&)>& f) {
  Items changed = items();
  for (auto& [id, item] : changed) {
    const Tensor value = item.value(), next = f(value);
    if (next.shape() != value.shape())
      fail<ShapeError>("[gradients] apply turned {} into {}", value.shape(), next.shape());
    if (next.dtype() != value.dtype())
      fail<DTypeError>("[gradients] apply turned {} into {}", value.dtype(), next.dtype());
    item.set(next);
  }
  items_ = std::move(changed);
  return *this;
}

Gradients& Gradients::operator+=(const Gradients& other) {
  Items sums = items();
  for (const auto& [id, item] : other.items())
    if (const auto [at, added] = sums.try_emplace(id, item); !added)
      at->second.set(detail::add_gradients(at->second.value(), item.value()));
  items_ = std::move(sums);
  return *this;
}

Gradients& Gradients::operator*=(double factor) {
  return apply([factor](const Tensor& dy) { return scaled(dy, factor); });
}

const detail::Product* Gradients::product(const Tensor& x) const {
  const Item* item = find(x);
  return item != nullptr && item->product && !item->product->computed() ? item->product.get() : nullptr;
}

void Gradients::drop(const Tensor& x) {
  if (has(x)) items_.erase(x.id());
}

}  // namespace elk
