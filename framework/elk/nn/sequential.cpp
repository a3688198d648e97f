#include <algorithm>
#include <typeinfo>

#include <elk/base/format.hpp>
#include <elk/nn/sequential.hpp>

namespace elk::nn {

Sequential::Sequential(std::initializer_list<Layer> layers) {
  // Some compilers take {net} for a list of one module, others for a copy.
  if (layers.size() == 1)
    if (auto* const only = dynamic_cast<Sequential*>(layers.begin()->part_.module.get());
        only != nullptr && typeid(*only) == typeid(Sequential)) {
      *this = std::move(*only);
      return;
    }
  for (const Layer& layer : layers) {
    layer.part_.name = std::to_string(parts_.size());
    append(std::move(layer.part_));
  }
}

Sequential::Sequential(const Sequential& other) : Module(other) {
  for (const Part& part : other.parts_)
    parts_.push_back({part.name, part.copy(*part.module), part.copy, part.assign});
}

Sequential& Sequential::operator=(Sequential&& other) {
  if (this == &other) return *this;
  Module::operator=(std::move(other));
  const auto alike = [](const Part& a, const Part& b) {
    const Module &of_a = *a.module, &of_b = *b.module;
    return a.name == b.name && typeid(of_a) == typeid(of_b) && a.assign != nullptr;
  };
  if (std::equal(parts_.begin(), parts_.end(), other.parts_.begin(), other.parts_.end(), alike))
    for (std::size_t i = 0; i < parts_.size(); ++i)
      parts_[i].assign(*parts_[i].module, *other.parts_[i].module);
  else
    parts_ = std::move(other.parts_);
  other.parts_.clear();
  return *this;
}

Sequential& Sequential::append(Part part) {
  parts_.push_back(std::move(part));
  try {
    Fields check;
    fields(check);
  } catch (...) {
    parts_.pop_back();
    throw;
  }
  return *this;
}

const Module& Sequential::operator[](std::size_t i) const {
  if (i >= parts_.size()) fail<IndexError>("[Sequential] there is no module {} of {}", i, parts_.size());
  return *parts_[i].module;
}

Module& Sequential::operator[](std::size_t i) { return const_cast<Module&>(std::as_const(*this)[i]); }

Tensor Sequential::forward(const Tensor& x) const {
  check_not_moved();
  Tensor y = x;
  for (const Part& part : parts_) y = (*part.module)(y);
  return y;
}

void Sequential::fields(Fields& f) {
  for (Part& part : parts_) f(part.name, *part.module);
}

std::string Sequential::describe() const {
  std::string text = "Sequential(";
  for (const Part& part : parts_) text += (&part == &parts_.front() ? "" : ", ") + part.module->describe();
  return text + ")";
}

}  // namespace elk::nn
