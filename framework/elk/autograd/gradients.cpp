#include <algorithm>

#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {
constexpr auto by_id = [](const auto& item, std::uint64_t id) { return item.id < id; };
}

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
  return at->value;
}

bool Gradients::has(const Tensor& x) const { return find(x.id()) != items_.end(); }

Gradients& Gradients::operator+=(const Gradients& other) {
  for (const Item& item : other.items_) {
    const auto at = std::lower_bound(items_.begin(), items_.end(), item.id, by_id);
    if (at != items_.end() && at->id == item.id)
      at->value = kernels::add(at->value, item.value);
    else
      items_.insert(at, item);
  }
  return *this;
}

Gradients& Gradients::operator*=(double factor) {
  for (Item& item : items_) {
    detail::make_sole_owner(item.value);
    kernels::scale_in_place(item.value, factor);
  }
  return *this;
}

void Gradients::drop(const Tensor& x) {
  const auto at = find(x.id());
  if (at != items_.end()) items_.erase(at);
}

}  // namespace elk
