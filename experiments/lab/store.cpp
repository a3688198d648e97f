#include <lab/store.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/base/error.hpp>
#include <lab/digest.hpp>
#include <lab/file_lock.hpp>

namespace elk::lab {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* format = "elkgrad-run/1";
constexpr const char *summaries_name = "summaries.jsonl", *curves_name = "curves.jsonl";
constexpr std::size_t key_length = 64;
constexpr const char key_head[] = R"({"key":")";
constexpr std::size_t key_begin = sizeof key_head - 1;

using Measured = std::optional<double> RunSummary::*;
constexpr std::pair<const char*, Measured> measured[] = {{"train_loss", &RunSummary::train_loss},
                                                         {"val_loss", &RunSummary::val_loss},
                                                         {"val_accuracy", &RunSummary::val_accuracy},
                                                         {"test_loss", &RunSummary::test_loss},
                                                         {"test_accuracy", &RunSummary::test_accuracy}};
constexpr std::pair<const char*, std::int64_t RunSummary::*> counts[] = {
    {"best_epoch", &RunSummary::best_epoch},
    {"epochs", &RunSummary::epochs},
    {"steps", &RunSummary::steps},
    {"parameters", &RunSummary::parameters}};
constexpr std::pair<const char*, std::string RunSummary::*> texts[] = {{"data", &RunSummary::data},
                                                                       {"date", &RunSummary::date},
                                                                       {"version", &RunSummary::version},
                                                                       {"commit", &RunSummary::commit},
                                                                       {"processor", &RunSummary::processor}};

// The key comes first, where it can be read without parsing the line.
std::string key_of(std::string_view line) {
  if (!line.starts_with(key_head) || line.size() < key_begin + key_length) return "";
  return std::string(line.substr(key_begin, key_length));
}

std::string to_line(const RunSummary& run) {
  ordered_json object{{"key", run.key}, {"format", format}, {"status", run.status}};
  if (!run.error.empty()) object["error"] = run.error;
  object["config"] = json::parse(run.config);
  for (const auto& [name, field] : measured)
    if (run.*field) object[name] = *(run.*field);
  for (const auto& [name, field] : counts) object[name] = run.*field;
  object["flops"] = run.flops;
  object["seconds"] = run.seconds;
  object["results_version"] = results_version;
  for (const auto& [name, field] : texts) object[name] = run.*field;
  object["blas"] = run.with.blas;
  object["instruction_set"] = run.with.instruction_set;
  // A message of the system may not be UTF-8.
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

RunSummary parse_line(const std::string& line) {
  const json object = json::parse(line);
  if (const auto found = object.at("format").get<std::string>(); found != format)
    throw ValueError(fmt::format("it is of the format \"{}\", this program knows \"{}\"", found, format));
  RunSummary run;
  object.at("key").get_to(run.key);
  if (run.key.size() != key_length || key_of(line) != run.key)
    throw ValueError(fmt::format("\"{}\" is no key of a run", run.key));
  object.at("status").get_to(run.status);
  if (run.status != "done" && run.status != "diverged" && run.status != "failed")
    throw ValueError(fmt::format("the status is done, diverged or failed, not \"{}\"", run.status));
  run.error = object.value("error", "");
  if (!object.at("config").is_object()) throw ValueError("\"config\" is no object");
  run.config = object.at("config").dump();
  for (const auto& [name, field] : measured)
    if (object.contains(name)) run.*field = object[name].is_null() ? NAN : object[name].get<double>();
  for (const auto& [name, field] : counts) object.at(name).get_to(run.*field);
  object.at("flops").get_to(run.flops);
  object.at("seconds").get_to(run.seconds);
  for (const auto& [name, field] : texts) object.at(name).get_to(run.*field);
  run.with = {object.value("instruction_set", ""), object.value("blas", "")};
  return run;
}

[[noreturn]] void fail_at(const std::string& path, const std::string& what) {
  throw FileError(fmt::format("[store] {}: {}", path, what));
}

int open_file(const std::string& path, bool to_write) {
  const int file =
      ::open(path.c_str(), to_write ? O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0666);
  if (file < 0 && (to_write || errno != ENOENT)) fail_at(path, std::strerror(errno));
  return file;  // -1: there is nothing to read
}

std::int64_t size_of(int file) {
  struct stat about {};
  return ::fstat(file, &about) == 0 ? about.st_size : 0;
}

std::string read_range(int file, const std::string& path, std::int64_t begin, std::int64_t end) {
  std::string text(static_cast<std::size_t>(end - begin), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::pread(file, text.data() + done, text.size() - done,
                               static_cast<off_t>(begin + static_cast<std::int64_t>(done)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_at(path, std::strerror(errno));
    if (count == 0) break;  // another process has just cut off what was unfinished
    done += static_cast<std::size_t>(count);
  }
  text.resize(done);
  return text;
}

// Where a run's lock is; writing is locked at 0.
std::int64_t lock_position(const std::string& key) {
  std::int64_t number = 0;
  std::from_chars(key.data(), key.data() + 15, number, 16);
  return number + 1;
}

}  // namespace

std::string run_key(const TrainConfig& config, const std::string& data_digest) {
  return sha256(fmt::format("{}\n{}\n{}", canonical_json(config), data_digest, results_version));
}

// While it lives, no other process writes. (Of a store to be read, the file system may not be able to.)
class Store::Lock {
 public:
  explicit Lock(const Store& store) : file_(store.lock_) {
    const bool reads = store.access_ == Access::read;
    if (!lock_byte(file_, 0, reads ? F_RDLCK : F_WRLCK, true) && !reads)
      fail_at(store.path("store.lock"), std::strerror(errno));
  }
  ~Lock() { lock_byte(file_, 0, F_UNLCK, false); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

bool Store::exists(const std::string& folder) {
  std::error_code error;
  const bool found = std::filesystem::exists(folder + "/" + summaries_name, error);
  if (error) fail_at(folder, error.message());
  return found;
}

Store::Store(const std::string& folder, Access access) : folder_(folder), access_(access) {
  const bool writes = access == Access::write;
  std::error_code error;
  if (writes) std::filesystem::create_directories(folder, error);
  if (error) fail_at(folder, fmt::format("the folder cannot be made: {}", error.message()));
  try {
    lock_ = open_file(path("store.lock"), writes);
    summaries_ = open_file(path(summaries_name), writes);
    curves_ = open_file(path(curves_name), writes);
    refresh();
  } catch (...) {
    for (const int file : {lock_, summaries_, curves_})
      if (file >= 0) ::close(file);
    throw;
  }
}

Store::~Store() {
  for (const int file : {lock_, summaries_, curves_})
    if (file >= 0) ::close(file);
}

void Store::refresh() {
  const std::lock_guard guard(mutex_);
  read_summaries();
}

// Reads the lines that are complete; behind the last of them somebody may be writing.
void Store::read_summaries() {
  const std::string text = read_range(summaries_, path(summaries_name), summaries_read_, size_of(summaries_));
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    ++lines_read_;
    RunSummary run;
    try {
      run = parse_line(text.substr(begin, end - begin));
    } catch (const std::exception& problem) {  // of the JSON library, or ours
      fail_at(path(summaries_name),
              fmt::format("line {} is no run: {}. The file is left as it is; mend or remove that line",
                          lines_read_, problem.what()));
    }
    const auto [at, added] = position_.try_emplace(run.key, runs_.size());
    if (added)
      runs_.push_back(std::move(run));
    else
      runs_[at->second] = std::move(run);
  }
  summaries_read_ += static_cast<std::int64_t>(begin);
}

// The epochs of a run are written at once: they are one piece of the file. Stops at those of a run that has
// no line in the summaries, which somebody who was killed has left.
void Store::index_curves() {
  read_summaries();
  const std::string text = read_range(curves_, path(curves_name), curves_read_, size_of(curves_));
  const std::int64_t offset = curves_read_;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string key = key_of(std::string_view(text).substr(begin, end - begin));
    const std::int64_t first = offset + static_cast<std::int64_t>(begin);
    if (key.empty())
      fail_at(
          path(curves_name),
          fmt::format("at byte {} is no epoch of a run. The file is left as it is; mend or remove that line",
                      first));
    if (position_.count(key) == 0) break;
    curves_read_ = offset + static_cast<std::int64_t>(end) + 1;
    curve_ranges_.try_emplace(key, Range{first, first}).first->second.end = curves_read_;
  }
}

std::optional<RunSummary> Store::find(const std::string& key) const {
  const std::lock_guard guard(mutex_);
  const auto at = position_.find(key);
  if (at == position_.end()) return std::nullopt;
  return runs_[at->second];
}

std::vector<RunSummary> Store::runs() const {
  const std::lock_guard guard(mutex_);
  return runs_;
}

std::vector<train::HistoryRow> Store::curve(const std::string& key) {
  const std::lock_guard guard(mutex_);
  const auto run = position_.find(key);
  if (run == position_.end() || runs_[run->second].status == "failed") return {};
  if (curve_ranges_.count(key) == 0) {
    const Lock lock(*this);
    index_curves();
  }
  const auto range = curve_ranges_.find(key);
  if (range == curve_ranges_.end()) return {};
  // Without the key a line is a row of a history.
  std::istringstream lines(read_range(curves_, path(curves_name), range->second.begin, range->second.end));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    text += '{';
    text.append(line, key_begin + key_length + 2);
    text += '\n';
  }
  return train::parse_jsonl(text, path(curves_name));
}

bool Store::claim(const std::string& key) { return lock_byte(lock_, lock_position(key), F_WRLCK, false); }

void Store::release(const std::string& key) { lock_byte(lock_, lock_position(key), F_UNLCK, false); }

// What a killed process left: a line without its end; epochs of a run that never got its line.
void Store::remove_unfinished() {
  index_curves();
  if (size_of(summaries_) > summaries_read_ && ::ftruncate(summaries_, summaries_read_) != 0)
    fail_at(path(summaries_name), std::strerror(errno));
  if (size_of(curves_) > curves_read_ && ::ftruncate(curves_, curves_read_) != 0)
    fail_at(path(curves_name), std::strerror(errno));
}

void Store::append(int file, const char* name, const std::string& text) {
  const std::int64_t before = size_of(file);
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      // What cannot be taken back here, the next one that writes takes back.
      if (::ftruncate(file, before) != 0) errno = error;
      fail_at(path(name), std::strerror(error));
    }
    done += static_cast<std::size_t>(count);
  }
  if (::fsync(file) != 0 && errno != EINVAL) fail_at(path(name), std::strerror(errno));
}

void Store::add(const RunSummary& run, const std::vector<train::HistoryRow>& curve) {
  const std::lock_guard guard(mutex_);
  const Lock lock(*this);
  remove_unfinished();
  if (const auto at = position_.find(run.key); at != position_.end()) {
    const RunSummary& known = runs_[at->second];
    if (known.status != "failed" || (run.status == "failed" && run.error == known.error)) return;
  }
  std::string lines;
  if (run.status != "failed")
    for (const train::HistoryRow& row : curve)
      lines += fmt::format("{}{}\",{}", key_head, run.key, train::to_jsonl({row}).substr(1));
  append(curves_, curves_name, lines);
  append(summaries_, summaries_name, to_line(run));
  read_summaries();
}

}  // namespace elk::lab
