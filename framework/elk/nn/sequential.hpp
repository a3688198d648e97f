// Sequential: modules one after another.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/nn/layers.hpp>

namespace elk::nn {

/// The module at an earlier position of a Sequential once more, with the same weights: Sequential{Linear(4,
/// 4, rng), Tanh(), SameAs(0), Tanh()}.
class SameAs {
 public:
  explicit SameAs(std::size_t position) : position_(position) {}
  std::size_t position() const { return position_; }

 private:
  std::size_t position_;
};

/// Sequential net{Linear(784, 128, rng), ReLU(), Linear(128, 10, rng)}; its parts are named "0", "1", ... as
/// in PyTorch, or as given to add(). In braces C++ makes the modules, and so draws their weights, in this
/// order. Sequential{net} is a copy. Copying copies the modules. Assigning to a network of the same modules
/// puts the other's weights into its own slots, so that an optimizer continues to train it. A function of one
/// tensor becomes a Function: Sequential{Linear(2, 3, rng), elk::relu, [](const elk::Tensor& x) { return 2 *
/// x; }}. A layer that stands in two places is a copy in each, with weights of its own; SameAs(0) is the
/// module 0 itself, also in copies and files.
class Sequential : public Module {
  struct Part {
    std::string name;
    std::shared_ptr<Module> module;  // of several parts that are the same
    std::unique_ptr<Module> (*copy)(const Module&);
    void (*assign)(Module& to, Module& from);  // moves; null where the module cannot
  };
  // Or a function of one tensor, which becomes a Function.
  template <class M>
  static constexpr bool is_module =
      std::is_base_of_v<Module, std::remove_cvref_t<M>> || std::is_invocable_r_v<Tensor, M&, const Tensor&>;

 public:
  /// Any module, on its way into a list of them.
  class Layer {
   public:
    template <class M>
    requires is_module<M> Layer(M&& module)  // NOLINT(google-explicit-constructor): Sequential{Linear(...)}
        : part_(part("", std::forward<M>(module))) {}
    Layer(const SameAs& same) : same_(same.position()) {}  // NOLINT(google-explicit-constructor): likewise

   private:
    friend class Sequential;
    mutable Part part_{};  // taken out of an initializer list, whose elements are const
    std::optional<std::size_t> same_;
  };

  Sequential() = default;
  explicit Sequential(std::initializer_list<Layer> layers);
  /// With one module. Several modules in parentheses do not compile; use braces.
  template <class M, class... More>
  requires(is_module<M> && (is_module<More> && ...) &&
           !(sizeof...(More) == 0 &&
             std::is_same_v<Sequential, std::remove_cvref_t<M>>)) explicit Sequential(M&& module, More&&...) {
    static_assert(
        sizeof...(More) == 0,
        "write the modules between braces, Sequential{Linear(...), ReLU()}: between parentheses C++ "
        "leaves it to the compiler which of them draws its weights first");
    add(std::forward<M>(module));
  }

  Sequential(const Sequential& other);
  Sequential& operator=(const Sequential& other) { return *this = Sequential(other); }
  Sequential(Sequential&&) noexcept = default;
  Sequential& operator=(Sequential&& other);

  /// Appends a module under `name`. Throws ValueError for a name that fields() would not take.
  template <class M>
  requires is_module<M> Sequential& add(std::string name, M&& module) {
    return append(part(std::move(name), std::forward<M>(module)));
  }
  /// Appends a module under its number.
  template <class M>
  requires is_module<M> Sequential& add(M&& module) {
    return add(std::to_string(parts_.size()), std::forward<M>(module));
  }
  /// Appends a module that is here already. IndexError for a position outside 0 to size() - 1.
  Sequential& add(std::string name, const SameAs& same);
  Sequential& add(const SameAs& same) { return add(std::to_string(parts_.size()), same); }  ///< the same

  std::size_t size() const { return parts_.size(); }
  /// IndexError outside 0 to size() - 1.
  const Module& operator[](std::size_t i) const;
  /// The same, to be changed.
  Module& operator[](std::size_t i);

  Tensor forward(const Tensor& x) const override;
  using Module::operator();
  void fields(Fields& f) override;
  std::string describe() const override;

 private:
  template <class M>
  static Part part(std::string name, M&& module) {
    using T = std::conditional_t<std::is_base_of_v<Module, std::remove_cvref_t<M>>, std::remove_cvref_t<M>,
                                 Function>;
    const auto copy = []([[maybe_unused]] const Module& m) -> std::unique_ptr<Module> {
      if constexpr (std::is_copy_constructible_v<T>)
        return std::make_unique<T>(static_cast<const T&>(m));
      else
        throw ValueError("[Sequential] it holds a module that cannot be copied");
    };
    void (*assign)(Module&, Module&) = nullptr;
    if constexpr (std::is_move_assignable_v<T>)
      assign = [](Module& to, Module& from) { static_cast<T&>(to) = std::move(static_cast<T&>(from)); };
    if constexpr (std::is_same_v<T, std::remove_cvref_t<M>>)
      return {std::move(name), std::make_unique<T>(std::forward<M>(module)), copy, assign};
    else
      return {std::move(name), std::make_unique<T>("function", std::forward<M>(module)), copy, assign};
  }
  Sequential& append(Part part);
  std::size_t first_of(std::size_t i) const;
  std::vector<Part> parts_;
};

}  // namespace elk::nn
