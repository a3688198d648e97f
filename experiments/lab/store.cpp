#include <lab/store.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/base/error.hpp>
#include <elk/base/sha256.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <lab/file_lock.hpp>
#include <lab/program.hpp>

namespace elk::lab {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* run_format = "elkgrad-run/1";
constexpr const char *summaries_name = "summaries.jsonl", *curves_name = "curves.jsonl",
                     *aside_name = "curves.jsonl.aside";
constexpr std::size_t key_length = 64;
constexpr const char key_head[] = R"({"key":")";
constexpr std::size_t key_begin = sizeof key_head - 1;
constexpr const char rewritten[] =
    R"(another program has rewritten it, with other spaces or in another order: ours begin with {"key":")";
// Epochs from the first on, where the first is missing.
constexpr std::int64_t none = std::numeric_limits<std::int64_t>::min();

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

}  // namespace

std::string to_line(const RunSummary& run) {
  ordered_json object{{"key", run.key}, {"format", run_format}, {"status", run.status}};
  if (!run.error.empty()) object["error"] = run.error;
  object["config"] = json::parse(run.config);
  for (const auto& [name, field] : measured)
    if (run.*field) object[name] = *(run.*field);
  if (!run.metrics.empty()) object["metrics"] = run.metrics;
  for (const auto& [name, field] : counts) object[name] = run.*field;
  object["flops"] = run.flops;
  object["seconds"] = run.seconds;
  object["results_version"] = results_version;
  for (const auto& [name, field] : texts) object[name] = run.*field;
  object["blas"] = run.with.blas;
  object["instruction_set"] = run.with.instruction_set;
  // A message of the system may not be UTF-8.
  return with_digest(object.dump(-1, ' ', false, json::error_handler_t::replace)) + "\n";
}

namespace {

void check_share(const char* name, const std::optional<double>& value) {
  if (value && !std::isnan(*value) && !(*value >= 0 && *value <= 1))
    throw ValueError(fmt::format("expected a share from 0 to 1 as \"{}\", found {}", name, *value));
}

// A conversion by the JSON library would cut off a fraction, and anything may come of what T cannot hold.
template <class T>
T read_count(const json& object, const char* name) {
  const json& value = object.at(name);
  if (!value.is_number_unsigned() || !std::in_range<T>(value.get<std::uint64_t>()))
    throw ValueError(fmt::format("expected a whole number as \"{}\", found {}", name,
                                 value.is_number() ? value.dump() : value.type_name()));
  return value.get<T>();
}

}  // namespace

RunSummary parse_line(const std::string& line) {
  json object = json::parse(line);
  take_digest(object);
  if (const auto found = object.at("format").get<std::string>(); found != run_format)
    throw ValueError(fmt::format("it is of the format \"{}\", this program knows \"{}\"", found, run_format));
  RunSummary run;
  object.at("key").get_to(run.key);
  if (run.key.size() != key_length || run.key.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw ValueError(fmt::format("\"{}\" is no key of a run", run.key));
  if (key_of(line) != run.key) throw ValueError(rewritten);
  object.at("status").get_to(run.status);
  if (run.status != "done" && run.status != "diverged" && run.status != "hopeless" && run.status != "failed")
    throw ValueError(fmt::format("the status is done, diverged, hopeless or failed, not \"{}\"", run.status));
  run.error = object.value("error", "");
  if (!object.at("config").is_object()) throw ValueError("\"config\" is no object");
  for (const json& option : object.at("config"))
    if (option.is_structured()) throw ValueError("an option in \"config\" is no plain value");
  run.config = object.at("config").dump();
  for (const auto& [name, field] : measured)
    if (object.contains(name)) run.*field = object[name].is_null() ? NAN : object[name].get<double>();
  check_share("val_accuracy", run.val_accuracy);
  check_share("test_accuracy", run.test_accuracy);
  if (object.contains("metrics"))
    for (const auto& [name, value] : object["metrics"].items())
      run.metrics[name] = value.is_null() ? NAN : value.get<double>();
  for (const auto& [name, field] : counts) run.*field = read_count<std::int64_t>(object, name);
  if (run.best_epoch > run.epochs)
    throw ValueError(fmt::format("the best epoch is {} of {}", run.best_epoch, run.epochs));
  run.flops = read_count<std::uint64_t>(object, "flops");
  object.at("seconds").get_to(run.seconds);
  if (!(run.seconds >= 0)) throw ValueError(fmt::format("it took {} seconds", run.seconds));
  for (const auto& [name, field] : texts) object.at(name).get_to(run.*field);
  run.with = {object.value("instruction_set", ""), object.value("blas", "")};
  return run;
}

namespace {

std::string epoch_line(const std::string& key, const train::HistoryRow& row) {
  return with_digest(fmt::format("{}{}\",{}", key_head, key, train::to_jsonl({row}).substr(1)));
}

// What an epoch's line begins with.
std::string epoch_head(const std::string& key, std::int64_t epoch) {
  return fmt::format("{}{}\",\"epoch\":{},", key_head, key, epoch);
}

// Whether `end`, which has no newline, is a whole line whose newline has become something else. A line that
// is being written, or never was to its end, is less.
bool newline_is_damaged(std::string_view end) {
  return end.size() > 1 && end[end.size() - 2] == '}' && json::accept(end.substr(0, end.size() - 1));
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

std::string run_key(const std::string& settings, const std::string& data_digest) {
  return sha256(fmt::format("{}\n{}\n{}", settings, data_digest, results_version));
}

Record::Record(const RunSummary& run, const std::vector<train::HistoryRow>& curve)
    : Record([&] {
        std::string text = to_line(run);
        if (run.status == "failed") return text;
        (void)train::parse_jsonl(train::to_jsonl(curve), "the run's epochs");  // as it is to be read back
        for (const train::HistoryRow& row : curve) text += epoch_line(run.key, row);
        return text;
      }()) {}

Record::Record(std::string text)
    : text_(std::move(text)),
      line_size_(std::min(text_.find('\n'), text_.size() - 1) + 1),
      run_(parse_line(text_.substr(0, line_size_))) {
  if (!text_.ends_with('\n')) throw ValueError("[store] the lines of a run do not end with a newline");
  for (std::string_view rest = curve(); !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
    if (!rest.starts_with(epoch_head(run_.key, ++epochs_)))
      throw ValueError(
          fmt::format("[store] the lines of run {} lack epoch {}", run_.key.substr(0, 8), epochs_));
}

// A file that is closed at the end.
struct Store::Descriptor {
  explicit Descriptor(int number = -1) : file(number) {}
  ~Descriptor() {
    if (file >= 0) ::close(file);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int file;
};

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
  const auto refuse = [&](const char* why) {
    fail_at(
        path(summaries_name),
        fmt::format("line {} is no run: {}. The file is left as it is; mend or remove that line, and the run "
                    "is made again when it is needed",
                    lines_read_, why));
  };
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    ++lines_read_;
    RunSummary run;
    try {
      run = parse_line(text.substr(begin, end - begin));
    } catch (const std::exception& problem) {  // of the JSON library, or ours
      refuse(problem.what());
    }
    know(std::move(run));
  }
  summaries_read_ += static_cast<std::int64_t>(begin);
  if (newline_is_damaged(std::string_view(text).substr(begin))) {
    ++lines_read_;
    refuse("it does not end with a newline");
  }
}

void Store::know(RunSummary run) {
  const auto [at, added] = position_.try_emplace(run.key, runs_.size());
  if (added) {
    runs_.push_back(std::move(run));
  } else {
    runs_[at->second] = std::move(run);
    kept_ = 0;
  }
}

// The epochs of a run are written at once: they are one piece of the file. The last piece is left out where
// its run has no line in the summaries: somebody who was killed has left it.
void Store::index_curves() {
  read_summaries();
  const std::string text = read_range(curves_, path(curves_name), curves_read_, size_of(curves_));
  const auto add = [&](std::size_t begin, std::size_t end) {
    const std::string line = text.substr(begin, end - begin);
    const std::int64_t first = curves_read_;
    Piece piece{.line = ++curves_lines_, .begin = first, .end = first};
    if (key_of(line).empty() && !pieces_.empty() && pieces_.back().key.empty()) {  // what is wrong is known
      pieces_.back().end = curves_read_ += static_cast<std::int64_t>(line.size());
      return;
    }
    std::int64_t epoch = 0;
    try {
      epoch = train::parse_jsonl(line, path(curves_name), curves_lines_).at(0).epoch;
      piece.key = key_of(line);
      if (line.back() != '\n')
        fail_at(path(curves_name), fmt::format("line {} is no epoch of a run", curves_lines_));
      if (piece.key.empty()) fail_at(path(curves_name), fmt::format("line {}: {}", curves_lines_, rewritten));
    } catch (const FileError& error) {
      piece.key.clear();
      piece.problem = error.what();
    }
    curves_read_ += static_cast<std::int64_t>(line.size());
    const bool next = !pieces_.empty() && !piece.key.empty() && pieces_.back().key == piece.key &&
                      epoch == pieces_.back().epochs + 1;
    if (!next) {
      if (epoch != 1) piece.epochs = none;
      add_piece(std::move(piece));
    } else {
      kept_ = std::min(kept_, pieces_.size() - 1);
    }
    pieces_.back().end = curves_read_;
    ++pieces_.back().epochs;
  };
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    add(begin, end + 1);
  if (newline_is_damaged(std::string_view(text).substr(begin))) add(begin, text.size());
  if (pieces_.empty() || pieces_.back().key.empty() || position_.count(pieces_.back().key) > 0) return;
  curves_read_ = pieces_.back().begin;
  curves_lines_ = pieces_.back().line - 1;
  piece_of_.erase(pieces_.back().key);
  pieces_.pop_back();
  kept_ = std::min(kept_, pieces_.size());
}

void Store::add_piece(Piece piece) {
  if (!piece.key.empty() && !piece_of_.insert_or_assign(piece.key, pieces_.size()).second) kept_ = 0;
  pieces_.push_back(std::move(piece));
}

// The epochs of a run, if they are all known.
const Store::Piece* Store::known_curve(const std::string& key) const {
  const auto run = position_.find(key);
  const auto piece = piece_of_.find(key);
  if (run == position_.end() || piece == piece_of_.end()) return nullptr;
  const Piece& found = pieces_[piece->second];
  return found.epochs == runs_[run->second].epochs ? &found : nullptr;
}

// Another process may have put aside what was damaged, and another file in the place of ours.
void Store::follow_curves() {
  struct stat ours {
  }, now{};
  if (::fstat(curves_, &ours) == 0 && ::stat(path(curves_name).c_str(), &now) == 0 &&
      ours.st_ino == now.st_ino && ours.st_dev == now.st_dev)
    return;
  const int file = open_file(path(curves_name), access_ == Access::write);
  if (const int old = std::exchange(curves_, file); old >= 0) ::close(old);
  curves_read_ = curves_lines_ = 0;
  pieces_.clear();
  kept_ = 0;
  piece_of_.clear();
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

// The same after a look into the file, or null.
const Store::Piece* Store::find_curve(const std::string& key) {
  if (const Piece* piece = known_curve(key)) return piece;
  const Lock lock(*this);
  follow_curves();
  index_curves();
  return known_curve(key);
}

bool Store::complete(const std::string& key) {
  const std::lock_guard guard(mutex_);
  const auto at = position_.find(key);
  if (at == position_.end()) return false;
  const RunSummary& run = runs_[at->second];
  return run.status != "failed" && (run.epochs == 0 || find_curve(key) != nullptr);
}

std::vector<train::HistoryRow> Store::curve(const std::string& key) {
  const std::lock_guard guard(mutex_);
  const auto run = position_.find(key);
  if (run == position_.end() || runs_[run->second].epochs == 0) return {};
  const Piece* piece = find_curve(key);
  if (piece == nullptr) {
    const auto damaged =
        std::find_if(pieces_.begin(), pieces_.end(), [](const Piece& p) { return !p.problem.empty(); });
    fail_at(path(curves_name),
            fmt::format(
                "the {} epochs of run {} are not all there{}. An experiment that needs the run moves aside "
                "what is damaged and makes the run again",
                runs_[run->second].epochs, key.substr(0, 8),
                damaged == pieces_.end() ? "" : " (" + damaged->problem + ")"));
  }
  return train::parse_jsonl(read_range(curves_, path(curves_name), piece->begin, piece->end),
                            path(curves_name), piece->line);
}

bool Store::claim(const std::string& key) { return lock_byte(lock_, lock_position(key), F_WRLCK, false); }

void Store::release(const std::string& key) { lock_byte(lock_, lock_position(key), F_UNLCK, false); }

// What a killed process left is cut off: a line without its end; epochs of a run that never got its line.
// Whatever else is no run's curve was damaged, or somebody removed its run's line: that is moved aside.
void Store::remove_unfinished() {
  follow_curves();
  index_curves();
  if (size_of(summaries_) > summaries_read_ && ::ftruncate(summaries_, summaries_read_) != 0)
    fail_at(path(summaries_name), std::strerror(errno));
  if (size_of(curves_) > curves_read_ && ::ftruncate(curves_, curves_read_) != 0)
    fail_at(path(curves_name), std::strerror(errno));
  move_aside();
}

void Store::move_aside() {
  const auto kept = [&](const Piece& piece) { return known_curve(piece.key) == &piece; };
  // What is damaged explains more than what it left without a run.
  const Piece* first = nullptr;
  for (std::size_t i = kept_; i < pieces_.size(); ++i)
    if (const Piece& piece = pieces_[i];
        !kept(piece) && (first == nullptr || (first->problem.empty() && !piece.problem.empty())))
      first = &piece;
  if (first == nullptr) {
    kept_ = pieces_.size();
    return;
  }
  const std::string why = !first->problem.empty()
                              ? first->problem
                              : fmt::format("[store] {}: line {}: no run that is known has these epochs",
                                            path(curves_name), first->line);
  std::string good, aside;
  for (const Piece& piece : pieces_)
    (kept(piece) ? good : aside) += read_range(curves_, path(curves_name), piece.begin, piece.end);
  if (!aside.ends_with('\n')) aside += '\n';
  const int file = open_file(path(aside_name), true);
  try {
    append(file, aside_name, aside);
    sync(file, aside_name);
  } catch (...) {
    ::close(file);
    throw;
  }
  ::close(file);
  write_file_atomically(path(curves_name), good);
  say(fmt::format("warning: {}. Lines moved aside into {}: {}. Runs that lack their curve are made again\n",
                  why, path(aside_name), std::count(aside.begin(), aside.end(), '\n')));
  follow_curves();
  index_curves();
}

void Store::mend() {
  const std::lock_guard guard(mutex_);
  const Lock lock(*this);
  remove_unfinished();
}

void Store::append(int file, const char* name, std::string_view text) {
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
}

void Store::sync(int file, const char* name) {
  if (::fsync(file) != 0 && errno != EINVAL) fail_at(path(name), std::strerror(errno));
}

void Store::add(const RunSummary& run, const std::vector<train::HistoryRow>& curve) {
  add(std::vector<Record>{Record(run, curve)});
}

void Store::add(const std::vector<Record>& records) {
  const Descriptor curves = write(records);
  // Meanwhile others may read, and write behind it. Where the power fails before, a line may be there without
  // its epochs: then that run is made again.
  if (curves.file < 0) return;
  sync(curves.file, curves_name);
  sync(summaries_, summaries_name);
}

// Returns the file of curves as it is now, or none if there was nothing to write.
Store::Descriptor Store::write(const std::vector<Record>& records) {
  const std::lock_guard guard(mutex_);
  const Lock lock(*this);
  remove_unfinished();
  const auto known = [&](const RunSummary& run) {
    const auto at = position_.find(run.key);
    if (at == position_.end()) return false;
    const RunSummary& before = runs_[at->second];
    if (before.status == "failed") return run.status == "failed" && run.error == before.error;
    return before.epochs == 0 || known_curve(run.key) != nullptr;
  };
  bool any = false;
  for (const Record& record : records) {
    if (known(record.run())) continue;
    any = true;
    // A run's line right behind its epochs: a kill leaves those of one run without it.
    append(curves_, curves_name, record.curve());
    append(summaries_, summaries_name, record.line());
    // What was written just now need not be read.
    know(record.run());
    ++lines_read_;
    summaries_read_ += static_cast<std::int64_t>(record.line().size());
    if (record.epochs() == 0) continue;
    Piece piece{.key = record.run().key, .line = curves_lines_ + 1, .begin = curves_read_};
    piece.epochs = record.epochs();
    curves_lines_ += piece.epochs;
    curves_read_ += static_cast<std::int64_t>(record.curve().size());
    piece.end = curves_read_;
    add_piece(std::move(piece));
  }
  if (!any) return Descriptor();
  // Another thread may find another file in its place, and close this one.
  const int file = ::fcntl(curves_, F_DUPFD_CLOEXEC, 0);
  if (file < 0) fail_at(path(curves_name), std::strerror(errno));
  return Descriptor(file);
}

}  // namespace elk::lab
