#include <elk/base/format.hpp>
#include <elk/nn/sequential.hpp>

namespace elk::nn {

Sequential::Sequential(const Sequential& other) : Module(other) {
  for (const Part& part : other.parts_) parts_.push_back({part.name, part.copy(*part.module), part.copy});
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
