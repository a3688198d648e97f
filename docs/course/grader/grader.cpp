// The program that grades: `course_04`, or, where several exercises are linked, `PROGRAM NUMBER`.
#include "grader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

#include <elk/debug/gradcheck.hpp>

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
  return fmt::format("; off by {:.4g} ({:.{}f} %)", error, percent, percent < 10 ? 2 : 0);
}

std::string describe(const elk::GradcheckReport& report, const NamedInput& input) {
  return fmt::format("at {} of {} {}: your rule gives {:.8g}, finite differences give {:.8g}{}",
                     place(report.element, input.value.shape()), input.name, to_string(input.value.shape()),
                     report.tape + 0.0, report.difference, off_by(report.tape, report.difference));
}

// Whether it is solved.
bool grade(const Exercise& exercise) {
  const int number = std::stoi(exercise.name);
  fmt::print("Exercise {}: docs/course/exercises/{}.cpp\n", number, exercise.name);
  Grader grader;
  exercise.check(grader);
  if (grader.solved())
    fmt::print("solved: all {} checks pass\n", grader.checks());
  else
    fmt::print("not solved yet; for a hint: ./elk course {} --hint 1\n", number);
  return grader.solved();
}

}  // namespace

Exercise::Exercise(const char* its_name, void (*its_check)(Grader&)) : name(its_name), check(its_check) {
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
    wrong = error.what();
  }
  failed_ = failed_ || !wrong.empty();
  if (wrong.empty())
    fmt::print("  right  {}\n", what);
  else
    fmt::print("  WRONG  {}\n         {}\n", what, wrong);
}

void Grader::check(const std::string& what, const std::function<std::string()>& find) {
  run(what, find);
  stop_if_failed();
}

void Grader::value(const std::string& what, const std::function<elk::Tensor()>& compute,
                   const elk::Tensor& expected, double tolerance) {
  check(what, [&] { return compare(compute(), expected, tolerance); });
}

void Grader::derivatives(const std::function<elk::Tensor(const Inputs&)>& f,
                         const std::vector<NamedInput>& inputs) {
  Inputs values;
  for (const NamedInput& input : inputs) values.push_back(input.value);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    run("the gradient of " + inputs[i].name, [&] {
      const auto of_this = [&](const Inputs& in) {
        Inputs all = values;
        all[i] = in[0];
        return f(all);
      };
      const auto report = elk::gradcheck(of_this, {values[i]}, {.second_order = false});
      return report ? "" : describe(report, inputs[i]);
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
  if (list.empty()) {
    std::fputs("there is no such exercise\n", stderr);
    return 2;
  }
  bool solved = true;
  for (const course::Exercise* exercise : list) solved = course::grade(*exercise) && solved;
  return solved ? 0 : 1;
}
