// The files of a run store, its summaries and behind a zero byte its curves: what is damaged is refused or
// moved aside, what was whole before stays as it is, and runs can be added.
#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include <lab/store.hpp>

#include "fuzz.hpp"

namespace {

using namespace elk;
using lab::RunSummary;
using lab::Store;

// A folder that the fuzzer's inputs are written to, in memory where the system has that.
class Folder {
 public:
  Folder() {
    path_ = (std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") +
            ("/elk-fuzz-store-" + std::to_string(::getpid()));
    std::filesystem::create_directories(path_);
    quiet_ = std::fopen("/dev/null", "w");
    fuzz::check(quiet_ != nullptr, "no /dev/null");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::FILE* quiet() const { return quiet_; }

  void hold(std::string_view summaries, std::string_view curves) const {
    write(path_ + "/summaries.jsonl", summaries);
    write(path_ + "/curves.jsonl", curves);
    ::unlink((path_ + "/curves.jsonl.aside").c_str());
  }

  bool holds(const std::string& summaries, const std::string& curves) const {
    return same(path_ + "/summaries.jsonl", summaries) && same(path_ + "/curves.jsonl", curves);
  }

 private:
  static void write(const std::string& path, std::string_view bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    fuzz::check(file >= 0 && ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
                "the folder cannot be written");
    ::close(file);
  }

  // read_file() takes several times as long.
  static bool same(const std::string& path, const std::string& bytes) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::string found(bytes.size() + 1, '\0');
    const ssize_t count = ::read(file, found.data(), found.size());
    ::close(file);
    return count == static_cast<ssize_t>(bytes.size()) && found.starts_with(bytes);
  }

  std::string path_;
  std::FILE* quiet_;
};

using Curve = std::optional<std::string>;

// The curve of a run, if it is there.
Curve curve(Store& store, const std::string& key) {
  Curve text;
  fuzz::accepted<FileError>([&] { text = train::to_jsonl(store.curve(key)); });
  return text;
}

std::vector<Curve> curves(Store& store, const std::vector<RunSummary>& runs) {
  std::vector<Curve> all;
  for (const RunSummary& run : runs) all.push_back(curve(store, run.key));
  return all;
}

const lab::Record& new_run() {
  static const lab::Record record = [] {
    RunSummary run;
    run.key = std::string(64, '7');
    run.status = "done";
    run.config = "{}";
    run.epochs = run.best_epoch = 1;
    return lab::Record(run, {{.epoch = 1, .train_loss = 0.5}});
  }();
  return record;
}

void use(const Folder& folder, const std::string& summaries, const std::string& curves_text) {
  std::optional<Store> store;
  if (!fuzz::accepted<FileError>([&] { store.emplace(folder.path()); })) return;
  const std::vector<RunSummary> runs = store->runs();
  const std::vector<Curve> before = curves(*store, runs);
  store->mend();
  const bool mended = !folder.holds(summaries, curves_text);
  if (mended) fuzz::check(curves(*store, runs) == before, "mending changed a curve");
  const bool nothing = mended && runs.empty();
  if (nothing) fuzz::check(folder.holds("", ""), "something was left that is no run's");

  const std::string key = new_run().run().key;
  const bool known = store->find(key).has_value(), complete = store->complete(key);
  store->add({new_run()});
  fuzz::check(store->complete(key), "a run was added and is not there");
  // Nothing, or whole lines as they were, and others behind them, which are whole as well: to read them again
  // would show nothing new, and takes most of the time.
  if ((nothing || !mended) && !known) {
    const std::string runs_before = nothing ? "" : summaries, curves_before = nothing ? "" : curves_text;
    fuzz::check((runs_before.empty() || runs_before.ends_with('\n')) &&
                    (curves_before.empty() || curves_before.ends_with('\n')),
                "an unfinished line was left");
    fuzz::check(folder.holds(runs_before + std::string(new_run().line()),
                             curves_before + std::string(new_run().curve())),
                "more than the run's lines was added, or less");
    return;
  }
  Store again(folder.path());
  fuzz::check(again.runs().size() == runs.size() + (known ? 0 : 1), "a run is lost");
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (complete || runs[i].key != key)
      fuzz::check(curve(again, runs[i].key) == before[i], "adding changed a curve");
  fuzz::check(curve(again, key).has_value(), "a run was added and has no curve");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const std::string_view text = fuzz::text(data, size);
  const std::size_t end = std::min(text.find('\0'), size);
  const std::string summaries(text.substr(0, end)), curves_text(text.substr(std::min(end + 1, size)));
  folder.hold(summaries, curves_text);
  std::FILE* const err = std::exchange(stderr, folder.quiet());
  use(folder, summaries, curves_text);
  stderr = err;
  return 0;
}
