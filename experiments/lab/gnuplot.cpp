#include <lab/gnuplot.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/io/atomic_file.hpp>
#include <lab/program.hpp>
#include <lab/text.hpp>

extern char** environ;

namespace elk::lab {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

std::atomic<bool> hangs = false;

Seconds patience() {
  const char* given = std::getenv("ELK_GNUPLOT_PATIENCE");
  return Seconds(given != nullptr ? std::strtod(given, nullptr) : 60);
}

// Waits for a child as long as patience() lasts and nobody asks the program to end; kills it then, with what
// it has started. False when it was killed.
bool finished(pid_t child, int& status) {
  const auto until = Clock::now() + patience();
  for (auto pause = std::chrono::milliseconds(1);;
       pause = std::min(2 * pause, std::chrono::milliseconds(50))) {
    const pid_t done = waitpid(child, &status, WNOHANG);
    if (done == child || (done < 0 && errno != EINTR)) return true;
    if (Clock::now() >= until || stop_signal() != 0) break;
    std::this_thread::sleep_for(pause);
  }
  ::kill(-child, SIGKILL);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return false;
}

// Runs gnuplot in `folder` on the script `name` there; returns what went wrong.
std::string run(const std::string& folder, const std::string& name) {
  const std::string too_long =
      fmt::format("gnuplot did not end within {:g} seconds, and is not run again", patience().count());
  if (hangs) return too_long;
  const std::string log = folder + name + ".log";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // a group of its own, to be killed whole
  std::string program = "gnuplot", argument = "./" + name;  // which is no option, whatever it begins with
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, "gnuplot", &actions, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error == ENOENT) return "gnuplot is not installed (on Debian: apt-get install gnuplot-nox)";
  if (error != 0) return fmt::format("gnuplot cannot be started: {}", std::strerror(error));
  int status = 0;
  if (!finished(child, status)) {
    if (stop_signal() != 0) return "gnuplot was stopped";
    hangs = true;
    return too_long;
  }
  if (status == 0) return "";
  std::string said = read_file(log);
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (said.empty())
    said = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                               : fmt::format("exit code {}", WEXITSTATUS(status));
  return fmt::format("gnuplot failed: {}", said);
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
      out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
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
  const std::string& temporary = place->temporary();
  if (temporary.empty()) return fmt::format("{} is no regular file", files.front());
  // gnuplot runs in the folder and knows nothing of its name, in which anything may stand.
  const std::size_t slash = temporary.rfind('/');
  const std::string folder = slash == std::string::npos ? "./" : temporary.substr(0, slash + 1);
  const std::string base = slash == std::string::npos ? temporary : temporary.substr(slash + 1);
  const auto part = [&](std::size_t i) { return fmt::format("{}.{}", base, i); };
  const std::string script_name = base + ".gp";
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
          gnuplot_string("./" + part(i)), commands);
    }
    write_file_atomically(folder + script_name, script);
    problem = run(folder, script_name);
    for (std::size_t i = 0; i < files.size() && problem.empty(); ++i) {
      std::string picture = read_file(folder + part(i));
      if (files[i].ends_with(".svg")) name(picture, title);
      write_file_atomically(files[i], picture);
    }
  } catch (const std::exception& error) {
    problem = error.what();
  }
  std::error_code ignored;
  for (const std::string& file : {script_name, script_name + ".log"}) fs::remove(folder + file, ignored);
  for (std::size_t i = 0; i < files.size(); ++i) fs::remove(folder + part(i), ignored);
  return problem;
}

bool gnuplot_hangs() { return hangs; }

}  // namespace elk::lab
