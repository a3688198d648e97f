#include <algorithm>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk {

namespace detail {

Product::Product(Tensor a, Tensor b) : a_(std::move(a)), b_(std::move(b)) {}

const Tensor& Product::value() const {
  const std::lock_guard lock(mutex_);
  if (!computed_) {
    const PrecisionScope scope(precision_);
    value_ = kernels::matmul("matmul_tn", a_, true, b_, false);
    computed_.store(true, std::memory_order_release);
  }
  return value_;
}

Tensor add_gradients(const Tensor& a, const Tensor& b) {
  const auto pass = [](const Tensor& dy) { return dy; };
  return record("add", kernels::add(a, b), wrt(a, pass), wrt(b, pass));
}

}  // namespace detail

namespace {

constexpr auto by_id = [](const auto& item, std::uint64_t id) { return item.id < id; };

Tensor scaled(const Tensor& x, double factor) {
  return record("mul", kernels::mul(x, scalar(factor, x.dtype())),
                wrt(x, [factor](const Tensor& dy) { return scaled(dy, factor); }));
}

}  // namespace

std::vector<Gradients::Item>::const_iterator Gradients::find(std::uint64_t id) const {
  const auto at = std::lower_bound(items_.begin(), items_.end(), id, by_id);
  return at != items_.end() && at->id == id ? at : items_.end();
}

const Tensor& Gradients::operator[](const Tensor& x) const {
  const auto at = find(x.id());
  if (at == items_.end())
    fail<TapeError>(
        "[gradients] there is no gradient for this tensor {}: what was differentiated does not depend on it, "
        "or it "
        "was not watched",
        x.shape());
  return at->value();
}

bool Gradients::has(const Tensor& x) const { return find(x.id()) != items_.end(); }

std::vector<Tensor> Gradients::values() const {
  std::vector<Tensor> list;
  for (const Item& item : items_) list.push_back(item.value());
  return list;
}

Gradients& Gradients::apply(const std::function<Tensor(const Tensor&)>& f) {
  for (Item& item : items_) {
    const Tensor& value = item.value();
    const Tensor next = f(value);
    if (next.shape() != value.shape())
      fail<ShapeError>("[gradients] apply turned {} into {}", value.shape(), next.shape());
    if (next.dtype() != value.dtype())
      fail<DTypeError>("[gradients] apply turned {} into {}", value.dtype(), next.dtype());
    item.set(next);
  }
  return *this;
}

Gradients& Gradients::operator+=(const Gradients& other) {
  for (const Item& item : other.items_) {
    const auto at = std::lower_bound(items_.begin(), items_.end(), item.id, by_id);
    if (at != items_.end() && at->id == item.id)
      at->set(detail::add_gradients(at->value(), item.value()));
    else
      items_.insert(at, item);
  }
  return *this;
}

Gradients& Gradients::operator*=(double factor) {
  for (Item& item : items_) item.set(scaled(item.value(), factor));
  return *this;
}

const detail::Product* Gradients::product(const Tensor& x) const {
  const auto at = find(x.id());
  return at != items_.end() && at->product && !at->product->computed() ? at->product.get() : nullptr;
}

void Gradients::drop(const Tensor& x) {
  const auto at = find(x.id());
  if (at != items_.end()) items_.erase(at);
}

}  // namespace elk
