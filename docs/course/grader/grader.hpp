// What the checks of the exercises are written with. A check is a file beside this one, named like its
// exercise:
//
//   elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b);  // the reader's
//
//   const course::Exercise product("01_product", [](course::Grader& grader) {
//     grader.value("the value", [&] { return my_product(a, b); }, a * b);
//     grader.derivatives([](const course::Inputs& in) { return my_product(in[0], in[1]); }, {{"a", a}, {"b",
//     b}});
//   });
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace course {

using Inputs = std::vector<elk::Tensor>;

struct NamedInput {
  std::string name;
  elk::Tensor value;  ///< f64
};

/// What is known of rules that are to be written, to tell what is wrong with them.
struct Rules {
  std::string operation = {};  ///< the only one that is to be on the tape; "": whatever is there
  std::function<elk::Tensor(const Inputs&)> library = {};  ///< the same by the library's own rules
  std::vector<NamedInput> square = {};                     ///< the inputs with all sizes equal
};

/// A result that somebody gets who made a known mistake.
struct Mistake {
  std::string what;
  elk::Tensor result;
};

/// Prints a line for every check of an exercise. What follows a failed check is skipped, since it builds on
/// it.
class Grader {
 public:
  /// `find` tells what is wrong, or "" where nothing is; an exception that it throws is wrong as well.
  void check(const std::string& what, const std::function<std::string()>& find);

  /// Whether `compute` gives the elements of `expected` up to `tolerance`, relative to max(1, |expected|).
  /// What is wrong is also told by the `mistakes`, and by factors, -1 and the `sizes` among them.
  void value(const std::string& what, const std::function<elk::Tensor()>& compute,
             const elk::Tensor& expected, double tolerance = 1e-9, const std::vector<Mistake>& mistakes = {},
             const std::vector<elk::Index>& sizes = {});

  /// Whether the gradients of f with respect to each input, and then their derivatives, are those of finite
  /// differences, and come from rules.
  void derivatives(const std::function<elk::Tensor(const Inputs&)>& f, const std::vector<NamedInput>& inputs,
                   const Rules& rules = {});

  bool solved() const { return !failed_; }
  int checks() const { return checks_; }

 private:
  void run(const std::string& what, const std::function<std::string()>& find);
  void stop_if_failed() { stopped_ = failed_; }

  int checks_ = 0;
  bool failed_ = false, stopped_ = false;
};

/// What is wrong with `found`, element by element, or "".
std::string compare(const elk::Tensor& found, const elk::Tensor& expected, double tolerance);

/// An exercise and its checks, as a global: its file, docs/course/exercises/<name>.cpp, begins with its
/// number.
class Exercise {
 public:
  /// `on_digits`, of a solved one, has it learn the digits, and tells how well in a sentence.
  Exercise(const char* name, void (*check)(Grader&), std::string (*on_digits)());

  std::string name;
  void (*check)(Grader&);
  std::string (*on_digits)();
};

}  // namespace course
