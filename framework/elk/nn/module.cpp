#include <algorithm>
#include <functional>
#include <map>
#include <ostream>

#include <elk/base/format.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::nn {

namespace {

Fields fields_of(const Module& module) {
  module.check_not_moved();
  Fields fields;
  const_cast<Module&>(module).fields(fields);  // lists members; what is done with them is the caller's affair
  return fields;
}

// Visits every field below `module`, depth first, as (dotted name, field).
void walk(const Module& module, const std::string& prefix,
          const std::function<void(const std::string&, const Fields::Field&)>& visit) {
  const Fields fields = fields_of(module);
  for (const Fields::Field& field : fields.list()) {
    const std::string name = prefix + field.name;
    visit(name, field);
    if (field.module != nullptr) walk(*field.module, name + ".", visit);
  }
}

// A parameter or a buffer.
struct Leaf {
  std::string name;
  Parameter* parameter;
  Tensor* buffer;
  const Tensor& value() const { return parameter != nullptr ? parameter->value() : *buffer; }
};

// Every leaf once: a slot or buffer listed again (tied weights) is known by its first name.
std::vector<Leaf> leaves(const Module& module) {
  std::vector<Leaf> list;
  walk(module, "", [&](const std::string& name, const Fields::Field& field) {
    if (field.module != nullptr) return;
    const bool seen = std::any_of(list.begin(), list.end(), [&](const Leaf& leaf) {
      return field.buffer != nullptr
                 ? leaf.buffer == field.buffer
                 : leaf.parameter != nullptr && leaf.parameter->slot() == field.parameter->slot();
    });
    if (!seen) list.push_back({name, field.parameter, field.buffer});
  });
  return list;
}

// The values of all leaves, which have been checked.
void set_all(const std::vector<Leaf>& list, const std::vector<Tensor>& values) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].parameter != nullptr)
      list[i].parameter->set(values[i]);
    else
      *list[i].buffer = values[i];
  }
}

}  // namespace

void Fields::use(std::string_view name) {
  if (name.empty() || name.find('.') != std::string_view::npos)
    fail<ValueError>("[fields] a name must not be empty or hold a dot, got \"{}\"", name);
  if (std::find(names_.begin(), names_.end(), name) != names_.end())
    fail<ValueError>("[fields] the name \"{}\" is used twice", name);
  names_.emplace_back(name);
}

void Fields::refuse_empty(const std::string& name) {
  fail<ValueError>("[fields] \"{}\" is a null pointer", name);
}

Fields& Fields::add(Field field) {
  use(field.name);
  list_.push_back(std::move(field));
  return *this;
}

Tensor Module::operator()(const Tensor& x) const {
  const Scope scope = enter();
  Tensor y = forward(x);
  scope.returns(y);
  return y;
}

Tensor Module::forward(const Tensor&) const {
  fail<Error>(
      "[{}] this module has no forward() of one tensor: call it with all that it takes, and tell fit, "
      "evaluate, doctor and summary how by a Forward",
      describe());
}

std::vector<NamedSlot> Module::parameters() const {
  std::vector<NamedSlot> list;
  for (const Leaf& leaf : leaves(*this))
    if (leaf.parameter != nullptr) list.push_back({leaf.name, leaf.parameter->slot()});
  return list;
}

Index Module::parameter_count() const {
  Index count = 0;
  for (const NamedSlot& parameter : parameters()) count += parameter.slot->value().size();
  return count;
}

State Module::state() const {
  State state;
  // A handle of its own: a kept state is a plain value, which no tape watches.
  for (const Leaf& leaf : leaves(*this))
    state.push_back({leaf.name, detail::with_shape(leaf.value(), leaf.value().shape())});
  return state;
}

void Module::load_state(const State& state) {
  const std::vector<Leaf> list = leaves(*this);
  std::vector<Tensor> values;
  for (const Leaf& leaf : list) {
    const auto named = [&](const NamedTensor& item) { return item.name == leaf.name; };
    const auto at = std::find_if(state.begin(), state.end(), named);
    if (at == state.end()) fail<ValueError>("[load_state] \"{}\" is missing", leaf.name);
    const Tensor &now = leaf.value(), &next = at->value;
    if (next.shape() == now.shape() && next.dtype() != now.dtype())
      fail<DTypeError>("[load_state] \"{}\" must be {}, got {}: convert {}with cast", leaf.name, now.dtype(),
                       next.dtype(),
                       is_float(now.dtype()) && is_float(next.dtype())
                           ? fmt::format("the network with to({}), or the state ", next.dtype())
                           : "");
    if (next.shape() != now.shape())
      fail<ShapeError>("[load_state] \"{}\" must be {} {}, got {} {}", leaf.name, now.dtype(), now.shape(),
                       next.dtype(), next.shape());
    values.push_back(next);
  }
  for (const NamedTensor& item : state)
    if (std::none_of(list.begin(), list.end(), [&](const Leaf& leaf) { return leaf.name == item.name; }))
      fail<ValueError>("[load_state] \"{}\" is not part of this module", item.name);
  set_all(list, values);
}

void Module::to(DType dtype) {
  if (!is_float(dtype)) fail<DTypeError>("[to] expected f32 or f64, got {}", dtype);
  const std::vector<Leaf> list = leaves(*this);
  std::vector<Tensor> values;
  for (const Leaf& leaf : list)
    values.push_back(is_float(leaf.value().dtype()) ? cast(leaf.value(), dtype) : leaf.value());
  set_all(list, values);
}

void Module::freeze(bool frozen) {
  for (const Leaf& leaf : leaves(*this))
    if (leaf.parameter != nullptr) leaf.parameter->freeze(frozen);
}

std::shared_ptr<detail::Uses> Module::uses() const {
  check_not_moved();
  if (uses_.uses == nullptr) uses_.uses = std::make_shared<detail::Uses>();
  return uses_.uses;
}

Module::Scope::Scope(const Module& module) : elk::Scope(&module) {
  detail::Uses* const uses = module.uses_.uses.get();
  const bool asked = uses != nullptr && uses->listening();
  if (!asked && detail::innermost_call == nullptr) return;
  call_ = {&module, asked ? uses : nullptr, detail::innermost_call};
  detail::innermost_call = &call_;
}

Module::Scope::~Scope() {
  if (call_.module != nullptr) detail::innermost_call = call_.outer;
}

std::string Module::name_of(const Module* part) const {
  if (part == nullptr || part == this) return "";
  std::string found;
  walk(*this, "", [&](const std::string& name, const Fields::Field& field) {
    if (field.module == part && found.empty()) found = name;
  });
  return found.empty() ? part->describe() : found;
}

namespace {

// Its describe(), without what the lines of the modules inside tell.
std::string kind(const Module& module, const Fields& fields) {
  const auto is_module = [](const Fields::Field& field) { return field.module != nullptr; };
  const std::string text = module.describe();
  const bool inner = std::any_of(fields.list().begin(), fields.list().end(), is_module);
  return inner ? text.substr(0, text.find('(')) : text;
}

// `names`: of the modules so far.
void print(const Fields& fields, const std::string& prefix, std::size_t indent,
           std::map<const Module*, std::string>& names, std::string& text) {
  for (const Fields::Field& field : fields.list()) {
    text += std::string(indent, ' ') + field.name + ": ";
    const std::string name = prefix + field.name;
    if (const auto at = names.find(field.module); at != names.end()) {
      text += "is " + at->second + '\n';
    } else if (field.module != nullptr) {
      names.emplace(field.module, name);
      const Fields inner = fields_of(*field.module);
      text += kind(*field.module, inner) + '\n';
      print(inner, name + ".", indent + 2, names, text);
    } else if (field.buffer != nullptr) {
      text += field.buffer->defined() ? fmt::format("{}, buffer\n", field.buffer->shape()) : "undefined\n";
    } else {
      text += to_string(field.parameter->shape()) + (field.parameter->frozen() ? ", frozen\n" : "\n");
    }
  }
}

}  // namespace

std::string to_string(const Module& module) {
  const Fields fields = fields_of(module);
  std::string text = fmt::format("{}: {} parameters\n", kind(module, fields), module.parameter_count());
  std::map<const Module*, std::string> names;
  print(fields, "", 2, names, text);
  return text;
}

std::ostream& operator<<(std::ostream& out, const Module& module) { return out << to_string(module); }

}  // namespace elk::nn

std::vector<elk::Tensor*> elk::detail::buffers(const nn::Module& module) {
  std::vector<Tensor*> list;
  for (const nn::Leaf& leaf : nn::leaves(module))
    if (leaf.buffer != nullptr) list.push_back(leaf.buffer);
  return list;
}

std::vector<std::string> elk::detail::buffer_names(const nn::Module& module) {
  std::vector<std::string> list;
  for (const nn::Leaf& leaf : nn::leaves(module))
    if (leaf.buffer != nullptr) list.push_back(leaf.name);
  return list;
}
