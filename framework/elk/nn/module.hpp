// Module: a layer or network. Derive, keep layers as plain members, list them once in fields():
//
//   class Net : public elk::nn::Module {
//    public:
//     explicit Net(elk::Rng& rng) : fc1_(784, 128, rng), fc2_(128, 10, rng) {}
//     elk::Tensor forward(const elk::Tensor& x) const override { return fc2_(elk::relu(fc1_(x))); }
//     void fields(Fields& f) override { f("fc1", fc1_)("fc2", fc2_); }
//    private:
//     elk::nn::Linear fc1_, fc2_;
//   };
#pragma once

#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <elk/autograd/scope.hpp>
#include <elk/base/moved.hpp>
#include <elk/nn/parameter.hpp>

namespace elk {

namespace nn {
class Module;
}

namespace detail {

class Uses;  // see nn/uses.hpp

/// A call of a module that is being listened to, or a call inside it.
struct Call {
  const nn::Module* module;
  Uses* uses;  // null where nobody asked about this module
  Call* outer;
};

/// A module's Uses: moves with the module; a copy of a module has its own.
class OwnUses {
 public:
  OwnUses() = default;
  OwnUses(const OwnUses&) noexcept {}
  OwnUses(OwnUses&&) noexcept = default;
  OwnUses& operator=(const OwnUses&) noexcept { return *this; }
  OwnUses& operator=(OwnUses&& other) noexcept {
    if (uses == nullptr) uses = std::move(other.uses);
    return *this;
  }
  ~OwnUses() = default;

  std::shared_ptr<Uses> uses;
};

}  // namespace detail
}  // namespace elk

/// Modules: what networks are made of.
namespace elk::nn {

/// The argument of fields(): collects a module's members under their names in files. Throws ValueError for a
/// name that is empty, contains a dot or is used twice.
class Fields {
 public:
  /// A trained parameter.
  Fields& operator()(std::string_view name, Parameter& parameter) {
    return add({std::string(name), &parameter, {}, {}});
  }
  /// A buffer: converted and saved with the module, never trained.
  Fields& operator()(std::string_view name, Tensor& buffer) {
    return add({std::string(name), {}, &buffer, {}});
  }
  /// A module inside this one; its names follow a dot.
  Fields& operator()(std::string_view name, Module& child) {
    return add({std::string(name), {}, {}, &child});
  }
  /// A vector of these, or of std::unique_ptr to modules, as "layers.0", "layers.1", ...: like PyTorch's
  /// ModuleList and ParameterList.
  template <class T>
  Fields& operator()(std::string_view name, std::vector<T>& list) {
    use(name);
    for (std::size_t i = 0; i < list.size(); ++i)
      list_.push_back(element(std::string(name) + "." + std::to_string(i), list[i]));
    return *this;
  }

  /// One of the three pointers is set.
  struct Field {
    std::string name;
    Parameter* parameter;
    Tensor* buffer;
    Module* module;
  };
  const std::vector<Field>& list() const { return list_; }

 private:
  static Field element(std::string name, Parameter& parameter) {
    return {std::move(name), &parameter, {}, {}};
  }
  static Field element(std::string name, Tensor& buffer) { return {std::move(name), {}, &buffer, {}}; }
  static Field element(std::string name, Module& child) { return {std::move(name), {}, {}, &child}; }
  template <class M>
  static Field element(std::string name, const std::unique_ptr<M>& child) {
    if (child == nullptr) refuse_empty(name);
    return {std::move(name), {}, {}, child.get()};
  }
  [[noreturn]] static void refuse_empty(const std::string& name);
  void use(std::string_view name);  // or throws, see above
  Fields& add(Field field);
  std::vector<Field> list_;
  std::vector<std::string> names_;  // used
};

/// A parameter's slot and its dotted name, such as "fc1.weight".
struct NamedSlot {
  std::string name;
  std::shared_ptr<Parameter::Slot> slot;
};

/// A layer or network; the beginning of nn/module.hpp shows one. A module that was moved from throws
/// ValueError when it is used.
class Module {
 public:
  using Fields = nn::Fields;

  virtual ~Module() = default;

  /// Calls forward() with this module as the running scope.
  Tensor operator()(const Tensor& x) const;

  /// The output for x. A module with several inputs has another method, which begins with `const Scope scope
  /// = enter();` (or nobody sees what fields() forgets) and may end with `scope.returns(y);`, for observers.
  virtual Tensor forward(const Tensor& x) const;

  /// Lists parameters, buffers and child modules under their names.
  virtual void fields(Fields&) {}

  /// One line for summaries and messages: "Linear(784, 128)".
  virtual std::string describe() const { return "Module"; }

  /// All parameters, including those of children, each once, in the order of fields().
  std::vector<NamedSlot> parameters() const;
  /// How many numbers the parameters hold.
  Index parameter_count() const;

  /// Values of parameters and buffers by dotted name.
  State state() const;
  /// Sets them all. Names, shapes and dtypes must match exactly; otherwise throws and changes nothing.
  void load_state(const State& state);

  /// Converts parameters and buffers to f32 or f64 (integer buffers stay as they are). If it throws, nothing
  /// has changed.
  void to(DType dtype);
  /// Freezes (or thaws) every parameter.
  void freeze(bool frozen = true);

  /// The dotted name of `part`, a module inside this one; its describe() if fields() does not list it; "" for
  /// this module or null.
  std::string name_of(const Module* part) const;

  /// ValueError when this module was moved from.
  void check_not_moved() const { moved_.check("module"); }

  /// For optimizers and reports: the parameters that calls of this module use, from the time when somebody
  /// listens.
  std::shared_ptr<detail::Uses> uses() const;

 protected:
  /// Marks a call of a module while it exists; see enter().
  class Scope : public elk::Scope {
   public:
    explicit Scope(const Module& module);
    ~Scope();

   private:
    detail::Call call_{};
  };

  Module() = default;
  Module(const Module&) = default;
  Module(Module&&) = default;
  Module& operator=(const Module&) = default;
  Module& operator=(Module&&) = default;

  /// Makes this the running module while the returned scope exists.
  Scope enter() const {
    check_not_moved();
    return Scope(*this);
  }

 private:
  detail::Moved moved_;
  mutable detail::OwnUses uses_;
};

/// The modules and what they hold, one per line:
///
///   Sequential: 101770 parameters
///     fc1: Linear(784, 128)
///       weight: (128, 784)
std::string to_string(const Module& module);
/// Writes to_string().
std::ostream& operator<<(std::ostream& out, const Module& module);

}  // namespace elk::nn
