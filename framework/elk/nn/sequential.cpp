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
    if (layer.same_) {
      add(SameAs(*layer.same_));
      continue;
    }
    layer.part_.name = std::to_string(parts_.size());
    append(std::move(layer.part_));
  }
}

// Where the module of part i is first.
std::size_t Sequential::first_of(std::size_t i) const {
  std::size_t first = 0;
  while (parts_[first].module != parts_[i].module) ++first;
  return first;
}

Sequential::Sequential(const Sequential& other) : Module(other) {
  for (std::size_t i = 0; i < other.parts_.size(); ++i) {
    const Part& part = other.parts_[i];
    const std::size_t first = other.first_of(i);
    std::shared_ptr<Module> module = first < i ? parts_[first].module : part.copy(*part.module);
    parts_.push_back({part.name, std::move(module), part.copy, part.assign});
  }
}

Sequential& Sequential::operator=(Sequential&& other) {
  if (this == &other) return *this;
  Module::operator=(std::move(other));
  bool alike = parts_.size() == other.parts_.size();
  for (std::size_t i = 0; alike && i < parts_.size(); ++i) {
    const Module &a = *parts_[i].module, &b = *other.parts_[i].module;
    alike = parts_[i].name == other.parts_[i].name && typeid(a) == typeid(b) && parts_[i].assign != nullptr &&
            first_of(i) == other.first_of(i);
  }
  if (alike) {
    for (std::size_t i = 0; i < parts_.size(); ++i)
      if (first_of(i) == i) parts_[i].assign(*parts_[i].module, *other.parts_[i].module);
  } else {
    parts_ = std::move(other.parts_);
  }
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

Sequential& Sequential::add(std::string name, const SameAs& same) {
  if (same.position() >= parts_.size())
    fail<IndexError>("[Sequential] SameAs({}) must stand behind module {}, of {} so far", same.position(),
                     same.position(), parts_.size());
  Part part = parts_[same.position()];
  part.name = std::move(name);
  return append(std::move(part));
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
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const std::size_t first = first_of(i);
    text += i > 0 ? ", " : "";
    text += first < i ? fmt::format("SameAs({})", first) : parts_[i].module->describe();
  }
  return text + ")";
}

}  // namespace elk::nn
