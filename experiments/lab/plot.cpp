#include <lab/plot.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/io/atomic_file.hpp>

extern char** environ;

namespace elk::lab {

namespace {

// Okabe and Ito's palette, told apart by colour-blind readers; dashes do so in print.
constexpr const char* colors[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};

// In single quotes gnuplot takes every character as it is, but for the quote itself.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c == '\n' ? ' ' : c);
  return out + "'";
}

std::string script(const Plot& plot, const std::string& terminal, const std::string& output) {
  std::string text = fmt::format(
      "set terminal {}\nset output {}\nset encoding utf8\nset title {} noenhanced\nset xlabel {} noenhanced\n"
      "set ylabel {} noenhanced\nset key outside top center horizontal noenhanced\nset grid back lc rgb "
      "'#dddddd'\n"
      "set border 3 lc rgb '#444444'\nset tics nomirror\n",
      terminal, quoted(output), quoted(plot.title), quoted(plot.x_label), quoted(plot.y_label));
  if (!plot.right.empty())
    text += fmt::format("set y2label {} noenhanced\nset y2tics\nset border 11\n", quoted(plot.right_label));
  if (plot.logarithmic) text += "set logscale xy\nset format xy '%.0s%c'\n";
  std::string data, lines;
  int number = 0;
  const auto add = [&](const std::vector<Series>& list, const char* axes) {
    for (const Series& series : list) {
      ++number;
      data += fmt::format("$data{} << END\n", number);
      for (std::size_t i = 0; i < series.x.size(); ++i)
        if (std::isfinite(series.y[i])) data += fmt::format("{} {}\n", series.x[i], series.y[i]);
      data += "END\n";
      lines += fmt::format(
          "{}$data{} using 1:2 axes {} with linespoints lw 2 pt {} ps 0.5 dt {} lc rgb '{}' title {}",
          lines.empty() ? "plot " : ", \\\n     ", number, axes, number + 4, number,
          colors[static_cast<std::size_t>(number - 1) % std::size(colors)], quoted(series.title));
    }
  };
  add(plot.series, "x1y1");
  add(plot.right, "x1y2");
  return data + text + lines + "\n";
}

// Runs gnuplot with `input` as its script; returns what went wrong.
std::string gnuplot(const std::string& script_file) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (script_file + ".log").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::string program = "gnuplot", argument = script_file;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, "gnuplot", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return "gnuplot is not installed (on Debian: apt-get install gnuplot-nox)";
  if (error != 0) return fmt::format("gnuplot cannot be started: {}", std::strerror(error));
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return fmt::format("waiting for gnuplot failed: {}", std::strerror(errno));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return "gnuplot is not installed (on Debian: apt-get install gnuplot-nox)";
  if (status != 0) {
    std::string log = read_file(script_file + ".log");
    while (!log.empty() && log.back() == '\n') log.pop_back();
    return fmt::format("gnuplot failed: {}", log);
  }
  return "";
}

}  // namespace

std::string draw(const Plot& plot, const std::string& path) {
  namespace fs = std::filesystem;
  bool points = false;
  for (const auto* list : {&plot.series, &plot.right})
    for (const Series& series : *list)
      for (const double y : series.y) points = points || std::isfinite(y);
  if (!points) return "there is nothing to draw: no finite value was measured";
  const std::string base = fmt::format("{}.tmp-{}", path, getpid());
  const auto remove = [&] {
    for (const char* end : {".gp", ".gp.log", ".svg", ".png"}) {
      std::error_code ignored;
      fs::remove(base + end, ignored);
    }
  };
  std::string problem;
  try {
    const std::string both =
        script(plot, "svg size 800,500 dynamic background rgb 'white' font 'sans-serif,13'", base + ".svg") +
        "unset output\nreset\n" +
        script(plot, "pngcairo size 1200,750 background rgb 'white' font 'sans-serif,14'", base + ".png");
    write_file_atomically(base + ".gp", both);
    problem = gnuplot(base + ".gp");
    if (problem.empty())
      for (const char* end : {".svg", ".png"}) fs::rename(base + end, path + end);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  remove();
  return problem;
}

}  // namespace elk::lab
