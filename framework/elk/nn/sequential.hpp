// Sequential: modules one after another.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/nn/module.hpp>

namespace elk::nn {

/// Sequential net{Linear(784, 128, rng), ReLU(), Linear(128, 10, rng)}; its parts are named "0", "1", ... as
/// in PyTorch, or as given to add(). Between braces they draw their weights in this order; between
/// parentheses C++ leaves the order to the compiler. Copying copies the modules.
class Sequential : public Module {
 public:
  Sequential() = default;
  template <class... Modules>
  requires(sizeof...(Modules) > 0 && (std::is_base_of_v<Module, std::remove_cvref_t<Modules>> && ...) &&
           !(sizeof...(Modules) == 1 && (std::is_same_v<Sequential, std::remove_cvref_t<Modules>> &&
                                         ...))) explicit Sequential(Modules&&... modules) {
    (add(std::forward<Modules>(modules)), ...);
  }

  Sequential(const Sequential& other);
  Sequential& operator=(const Sequential& other) { return *this = Sequential(other); }
  Sequential(Sequential&&) noexcept = default;
  Sequential& operator=(Sequential&&) noexcept = default;

  /// Appends a module under `name`. Throws ValueError for a name that fields() would not take.
  template <class M>
  Sequential& add(std::string name, M&& module) {
    using T = std::remove_cvref_t<M>;
    const auto copy = []([[maybe_unused]] const Module& m) -> std::unique_ptr<Module> {
      if constexpr (std::is_copy_constructible_v<T>)
        return std::make_unique<T>(static_cast<const T&>(m));
      else
        throw ValueError("[Sequential] it holds a module that cannot be copied");
    };
    return append({std::move(name), std::make_unique<T>(std::forward<M>(module)), copy});
  }
  /// Appends a module under its number.
  template <class M>
  Sequential& add(M&& module) {
    return add(std::to_string(parts_.size()), std::forward<M>(module));
  }

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
  struct Part {
    std::string name;
    std::unique_ptr<Module> module;
    std::unique_ptr<Module> (*copy)(const Module&);
  };
  Sequential& append(Part part);
  std::vector<Part> parts_;
};

}  // namespace elk::nn
