// The program that grades: `course_04`, or, where several exercises are linked, `PROGRAM NUMBER`; where
// several of one number are, `PROGRAM NUMBER K`, from 0.
#include "grader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <elk/elk.hpp>

#include "diagnose.hpp"

namespace course {

namespace {

std::vector<const Exercise*>& exercises() {
  static std::vector<const Exercise*> list;
  return list;
}

// "[1, 0]" for element 3 of a shape (2, 3)
std::string place(elk::Index element, const elk::Shape& shape) {
  std::vector<elk::Index> at;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    at.insert(at.begin(), element % shape[axis]);
    element /= shape[axis];
  }
  return fmt::format("[{}]", fmt::join(at, ", "));
}

std::string off_by(double found, double expected) {
  const double error = std::abs(found - expected);
  if (!std::isfinite(error)) return "";
  if (expected == 0) return fmt::format("; off by {:.4g}", error);
  const double percent = 100 * error / std::abs(expected);
  if (percent < 0.01) return fmt::format("; off by {:.4g} ({:.1g} %)", error, percent);
  return fmt::format("; off by {:.4g} ({:.{}f} %)", error, percent, percent < 10 ? 2 : 0);
}

std::string describe(const elk::GradcheckReport& report, const NamedInput& input) {
  return fmt::format("at {} of {} {}: your rule gives {:.8g}, finite differences give {:.8g}{}",
                     place(report.element, input.value.shape()), input.name, to_string(input.value.shape()),
                     report.tape + 0.0, report.difference, off_by(report.tape, report.difference));
}

using Function = std::function<elk::Tensor(const Inputs&)>;

// The gradient of input i: of the result times `direction`, added up. Undefined where none arrives.
elk::Tensor gradient(const Function& f, const Inputs& inputs, std::size_t i, const elk::Tensor& direction) {
  elk::Tape tape;
  tape.watch(inputs[i]);
  const elk::Tensor y = f(inputs);
  if (!tape.has(y)) return {};
  const elk::Gradients gradients = tape.backward(y, direction);
  return gradients.has(inputs[i]) ? gradients[inputs[i]] : elk::Tensor();
}

// The same by central differences.
elk::Tensor differences(const Function& f, const Inputs& inputs, std::size_t i,
                        const elk::Tensor& direction) {
  const elk::Tensor& x = inputs[i];
  std::vector<double> result;
  for (elk::Index k = 0; k < x.size(); ++k) {
    const double h = 1e-5 * std::max(1.0, std::abs(x.at(k)));
    const auto at = [&](double shift) {
      std::vector<double> values(x.data<double>().begin(), x.data<double>().end());
      values[static_cast<std::size_t>(k)] += shift;
      Inputs moved = inputs;
      moved[i] = elk::from(values, x.shape());
      return elk::sum(f(moved) * direction).item();
    };
    result.push_back((at(h) - at(-h)) / (2 * h));
  }
  return elk::from(result, x.shape());
}

elk::Tensor random_direction(const Function& f, const Inputs& inputs, std::uint64_t seed) {
  elk::Rng rng(seed);
  return elk::randn(f(inputs).shape(), rng, elk::f64);
}

std::vector<elk::Index> sizes_of(const Inputs& inputs) {
  std::vector<elk::Index> sizes;
  for (const elk::Tensor& x : inputs)
    for (const elk::Index size : x.shape()) sizes.push_back(size);
  for (const elk::Tensor& x : inputs) sizes.push_back(x.size());
  return sizes;
}

// What kind of mistake the gradient of input i is, or "".
std::string diagnose_gradient(const Function& f, const Inputs& inputs, std::size_t i,
                              const std::string& name) {
  const elk::Tensor direction = random_direction(f, inputs, 11);
  const elk::Tensor found = gradient(f, inputs, i, direction);
  if (!found.defined() || elk::max(elk::abs(found)).item() == 0)
    return fmt::format("the value is right, but no gradient comes to {}.\n{}", name, see(help::no_gradient));
  if (compare(gradient(f, inputs, i, random_direction(f, inputs, 12)), found, 1e-12).empty())
    return fmt::format("the rule of {} ignores dy: it gives the same whatever arrives.\n{}", name,
                       see(help::ignores_dy));
  Inputs all = inputs;
  all.push_back(direction);  // which has the shape of the result
  return diagnose(found, differences(f, inputs, i, direction), sizes_of(all));
}

// Which operation is on the tape that should not be, or "".
std::string foreign_operation(const Function& f, const Inputs& inputs, const std::string& wanted) {
  std::string foreign;
  elk::Tape tape;
  for (const elk::Tensor& x : inputs) tape.watch(x);
  tape.observe([&](const elk::Tape::Event& event) {
    if (event.operation != wanted && foreign.empty()) foreign = event.operation;
  });
  f(inputs);
  return foreign;
}

std::string indented(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 10)
    text.insert(at + 1, "         ");
  return text;
}

// `wrong`, and behind it what kind of mistake it is.
std::string with_diagnosis(const std::string& wrong, const std::string& diagnosis) {
  return diagnosis.empty() ? wrong : wrong + "\n" + diagnosis;
}

// What a solved exercise unlocks. It is solved whatever comes of this.
std::string run_on_digits(const Exercise& exercise) {
  try {
    return exercise.on_digits();
  } catch (const std::exception& error) {
    return fmt::format("the digits, but there your code ended with this: {}", error.what());
  }
}

// Whether it is solved.
bool grade(const Exercise& exercise) {
  const int number = std::stoi(exercise.name);
  fmt::print("Exercise {}: docs/course/exercises/{}.cpp\n", number, exercise.name);
  Grader grader;
  exercise.check(grader);
  if (grader.solved())
    fmt::print("solved: all {} checks pass\nunlocked: {}\n", grader.checks(), run_on_digits(exercise));
  else
    fmt::print("not solved yet; for a hint: ./elk course {} --hint 1\n", number);
  return grader.solved();
}

}  // namespace

Exercise::Exercise(const char* its_name, void (*its_check)(Grader&), std::string (*its_run)())
    : name(its_name), check(its_check), on_digits(its_run) {
  exercises().push_back(this);
}

std::string compare(const elk::Tensor& found, const elk::Tensor& expected, double tolerance) {
  if (!found.defined()) return "an undefined tensor came back";
  if (found.shape() != expected.shape() || found.dtype() != expected.dtype())
    return fmt::format("expected {} {}, got {} {}", elk::name(expected.dtype()), to_string(expected.shape()),
                       elk::name(found.dtype()), to_string(found.shape()));
  std::string worst;
  double most = tolerance;
  for (elk::Index i = 0; i < found.size(); ++i) {
    const double a = found.at(i), b = expected.at(i);
    double error = a == b ? 0 : std::abs(a - b) / std::max(1.0, std::abs(b));
    if (std::isnan(error)) error = INFINITY;
    if (error <= most) continue;
    most = error;
    worst =
        fmt::format("at {}: yours is {:.8g}, expected {:.8g}{}", place(i, found.shape()), a, b, off_by(a, b));
  }
  return worst;
}

void Grader::run(const std::string& what, const std::function<std::string()>& find) {
  ++checks_;
  if (stopped_) {
    fmt::print("  -      {}: not looked at yet\n", what);
    return;
  }
  std::string wrong;
  try {
    wrong = find();
  } catch (const std::exception& error) {
    wrong = with_diagnosis(error.what(), diagnose_message(error.what()));
  }
  failed_ = failed_ || !wrong.empty();
  if (wrong.empty())
    fmt::print("  right  {}\n", what);
  else
    fmt::print("  WRONG  {}\n         {}\n", what, indented(wrong));
}

void Grader::check(const std::string& what, const std::function<std::string()>& find) {
  run(what, find);
  stop_if_failed();
}

void Grader::value(const std::string& what, const std::function<elk::Tensor()>& compute,
                   const elk::Tensor& expected, double tolerance, const std::vector<Mistake>& mistakes,
                   const std::vector<elk::Index>& sizes) {
  check(what, [&]() -> std::string {
    const elk::Tensor found = compute();
    const std::string wrong = compare(found, expected, tolerance);
    if (wrong.empty() || !found.defined()) return wrong;
    for (const Mistake& mistake : mistakes)
      if (compare(found, mistake.result, tolerance).empty()) return wrong + "\n" + mistake.what;
    return with_diagnosis(wrong, diagnose(found, expected, sizes));
  });
}

void Grader::derivatives(const Function& f, const std::vector<NamedInput>& inputs, const Rules& rules) {
  Inputs values, square;
  for (const NamedInput& input : inputs) values.push_back(input.value);
  for (const NamedInput& input : rules.square) square.push_back(input.value);
  if (!rules.operation.empty() && !stopped_)
    if (const std::string foreign = foreign_operation(f, values, rules.operation); !foreign.empty()) {
      check("the rules", [&] {
        return fmt::format(
            "the tape has \"{}\", whose rule is the library's: it is {} that is to be there.\n{}", foreign,
            rules.operation, see(help::composed));
      });
    }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    run("the gradient of " + inputs[i].name, [&]() -> std::string {
      const auto of_this = [&](const Inputs& in) {
        Inputs all = values;
        all[i] = in[0];
        return f(all);
      };
      try {
        if (!gradient(f, values, i, random_direction(f, values, 11)).defined())
          return fmt::format("the value is right, but no gradient comes to {}.\n{}", inputs[i].name,
                             see(help::no_gradient));
        const auto report = elk::gradcheck(of_this, {values[i]}, {.second_order = false});
        if (!report)
          return with_diagnosis(describe(report, inputs[i]), diagnose_gradient(f, values, i, inputs[i].name));
      } catch (const elk::Error& error) {
        const std::string message = with_diagnosis(error.what(), diagnose_message(error.what()));
        if (square.empty() || !elk::gradcheck(f, square, {.second_order = false})) return message;
        return fmt::format("{}\nfor square matrices, as {}, it is right: it takes one size for another.\n{}",
                           error.what(), to_string(square[i].shape()), see(help::shapes));
      }
      if (!rules.library) return "";
      const elk::Tensor direction = random_direction(f, values, 11);
      const elk::Tensor found = gradient(f, values, i, direction),
                        exact = gradient(rules.library, values, i, direction);
      if (compare(found, exact, 3e-14).empty()) return "";
      return "numerically it is right, but only to some digits, and a rule gives all: is it a finite "
             "difference?\n" +
             see(help::no_rule);
    });
  stop_if_failed();
  check("the gradient's own derivative", [&] {
    const auto report = elk::gradcheck(f, values);
    return report ? "" : describe(report, inputs[static_cast<std::size_t>(report.input.back() - '0')]);
  });
}

}  // namespace course

int main(int argc, char** argv) {
  // Closed standard streams (>&-), to which nothing could be printed.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return 1;
  std::vector<const course::Exercise*> list = course::exercises();
  if (argc > 1)
    std::erase_if(list, [&](const auto* exercise) { return exercise->name.rfind(argv[1], 0) != 0; });
  if (argc > 2) {  // of several with the same number, one
    const auto which = static_cast<std::size_t>(std::atoi(argv[2]));
    list = which < list.size() ? std::vector{list[which]} : std::vector<const course::Exercise*>{};
  }
  if (list.empty()) {
    std::fputs("there is no such exercise\n", stderr);
    return 2;
  }
  bool solved = true;
  for (const course::Exercise* exercise : list) solved = course::grade(*exercise) && solved;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("the verdict cannot be written to standard output\n", stderr);
    return 1;
  }
  return solved ? 0 : 1;
}
