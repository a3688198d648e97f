#include <lab/run_folder.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/io/digest.hpp>
#include <elk/io/safetensors.hpp>
#include <lab/file_lock.hpp>
#include <lab/program.hpp>

namespace elk::lab {

namespace {

namespace fs = std::filesystem;

constexpr const char* root = "runs";
constexpr const char* checkpoint_name = "checkpoint.safetensors";

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

RunFolder RunFolder::for_new(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) cannot_make(folder, error);
  RunFolder claimed(folder);
  for (const char* name : {"config.json", checkpoint_name})
    if (fs::exists(fs::path(folder) / name, error))
      throw UsageError(fmt::format(
          "--out-dir: {} holds a run already; continue it with --resume, or choose another folder", folder));
  for (const char* name : {"model.safetensors", "history.jsonl", "profile.json", "curve.svg", "curve.png"})
    if (fs::exists(fs::path(folder) / name, error))
      throw UsageError(fmt::format(
          "--out-dir: {} holds a {}, which the run would replace; choose another folder", folder, name));
  return claimed;
}

RunFolder::RunFolder(const std::string& folder) : path_(folder) {
  const std::string file = folder + "/run.lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ >= 0 && lock_byte(lock_, 0, F_WRLCK, false)) return;
  const int problem = errno;
  if (lock_ >= 0) ::close(lock_);
  if (lock_ >= 0 && (problem == EAGAIN || problem == EACCES))
    throw UsageError(fmt::format("--out-dir: {} is in use by another process, which trains there", folder));
  throw FileError(fmt::format("[run] {} cannot be {}: {}", file, lock_ < 0 ? "opened" : "locked",
                              std::generic_category().message(problem)));
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

RunRecord read_run_record(const std::string& folder) {
  const std::string file = folder + "/" + checkpoint_name;
  std::error_code error;
  if (!fs::exists(file, error))
    throw UsageError(fmt::format("--resume: {} holds no run to continue: {}: {}", folder, file,
                                 std::generic_category().message(error ? error.value() : ENOENT)));
  const SafetensorsFile checkpoint = load_safetensors(file);
  try {
    check_digest(checkpoint);
  } catch (const ValueError& problem) {
    throw FileError(fmt::format("[checkpoint] {}: {}", file, problem.what()));
  }
  const Metadata& about = checkpoint.metadata;
  const auto text = [&](const char* name) {
    const auto at = about.find(name);
    return at == about.end() ? "" : at->second;
  };
  RunRecord record{text("config"), text("data_digest"), {text("instruction_set"), text("blas")}};
  if (record.config.empty())
    throw FileError(fmt::format("[checkpoint] {}: the metadata lacks \"config\"", file));
  return record;
}

}  // namespace elk::lab
