#include <lab/run_folder.hpp>

#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/program.hpp>

namespace elk::lab {

namespace {

namespace fs = std::filesystem;

constexpr const char* root = "runs";

// The highest N of runs/<program>-N, or 0.
int latest(const std::string& program) {
  int highest = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(program + "-")) continue;
    const char* const end = name.data() + name.size();
    int number = 0;
    const auto [next, failed] = std::from_chars(name.data() + program.size() + 1, end, number);
    if (failed == std::errc() && next == end && number > highest) highest = number;
  }
  return highest;
}

std::string numbered(const std::string& program, int number) {
  return fmt::format("{}/{}-{}", root, program, number);
}

[[noreturn]] void cannot_make(const std::string& folder, const std::error_code& error) {
  throw FileError(fmt::format("[run] cannot make the folder {}: {}", folder, error.message()));
}

}  // namespace

std::string new_run_folder(const std::string& program) {
  std::error_code error;
  fs::create_directories(root, error);
  if (error) cannot_make(root, error);
  for (int number = latest(program) + 1;; ++number) {
    const std::string folder = numbered(program, number);
    if (fs::create_directory(folder, error)) return folder;  // false when another program was faster
    if (error) cannot_make(folder, error);
  }
}

std::string latest_run_folder(const std::string& program) {
  const int number = latest(program);
  if (number == 0)
    throw UsageError(fmt::format("--resume: there is no {}/{}-N here; give --out-dir", root, program));
  return numbered(program, number);
}

void claim_run_folder(const std::string& folder) {
  std::error_code error;
  if (fs::exists(folder + "/config.json", error))
    throw UsageError(fmt::format(
        "--out-dir: {} holds a run already; go on with it by --resume, or choose another folder", folder));
  fs::create_directories(folder, error);
  if (error) cannot_make(folder, error);
}

}  // namespace elk::lab
