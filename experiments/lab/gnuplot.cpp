#include <lab/gnuplot.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/io/atomic_file.hpp>
#include <lab/text.hpp>

extern char** environ;

namespace elk::lab {

namespace {

// Runs gnuplot on a script; returns what went wrong.
std::string run(const std::string& script) {
  const std::string log = script + ".log";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::string program = "gnuplot", argument = script;
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
    std::string said = read_file(log);
    while (!said.empty() && said.back() == '\n') said.pop_back();
    return fmt::format("gnuplot failed: {}", said);
  }
  return "";
}

// gnuplot calls its pictures "Gnuplot" and what has no entry in the legend "gnuplot_plot_7": browsers show
// that.
void name(std::string& svg, const std::string& title) {
  constexpr std::string_view begin = "<title>", end = "</title>";
  bool first = true;
  for (std::size_t at = 0; (at = svg.find(begin, at)) != std::string::npos; at += begin.size()) {
    const std::size_t text = at + begin.size(), stop = svg.find(end, text);
    if (stop == std::string::npos) return;
    if (first)
      svg.replace(text, stop - text, escaped(title));
    else if (svg.compare(text, 13, "gnuplot_plot_") == 0)
      svg.erase(at, stop + end.size() - at);
    first = false;
  }
}

}  // namespace

std::string gnuplot_string(const std::string& text) {
  // In single quotes all is taken as it is, but for the quote itself; double quotes would run what stands in
  // backquotes.
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "''";
    else if (c == '\n')
      out += "'.\"\\n\".'";
    else
      out += c >= 0 && c < ' ' ? ' ' : c;
  }
  return out + "'";
}

std::string run_gnuplot(const std::string& commands, int width, int height, const std::string& title,
                        const std::vector<std::string>& files) {
  namespace fs = std::filesystem;
  // All is named as this file and more, so that what we leave behind when we are killed is removed with it.
  std::optional<AtomicFile> place;
  try {
    place.emplace(files.front());
  } catch (const FileError& error) {
    return error.what();
  }
  const std::string base = place->temporary(), script_file = base + ".gp";
  if (base.empty()) return fmt::format("{} is no regular file", files.front());
  const auto part = [&](std::size_t i) { return fmt::format("{}.{}", base, i); };
  std::string problem;
  try {
    std::string script = "set encoding utf8\n";
    for (std::size_t i = 0; i < files.size(); ++i) {
      const bool svg = files[i].ends_with(".svg");
      script += fmt::format(
          "set terminal {} font 'sans-serif,13'\nset output {}\n{}\nunset output\nreset\n",
          svg ? fmt::format("svg size {},{} dynamic standalone background rgb 'white'", width, height)
              : fmt::format(
                    "pngcairo size {},{} fontscale 1.8 linewidth 2 pointscale 2.8 background rgb 'white'",
                    2 * width, 2 * height),
          gnuplot_string(part(i)), commands);
    }
    write_file_atomically(script_file, script);
    problem = run(script_file);
    for (std::size_t i = 0; i < files.size() && problem.empty(); ++i) {
      std::string picture = read_file(part(i));
      if (files[i].ends_with(".svg")) name(picture, title);
      write_file_atomically(files[i], picture);
    }
  } catch (const std::exception& error) {
    problem = error.what();
  }
  std::error_code ignored;
  for (const std::string& file : {script_file, script_file + ".log"}) fs::remove(file, ignored);
  for (std::size_t i = 0; i < files.size(); ++i) fs::remove(part(i), ignored);
  return problem;
}

}  // namespace elk::lab
