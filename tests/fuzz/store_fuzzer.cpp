// The files of a run store, its summaries and behind a zero byte its curves: what is damaged is refused or
// moved aside, what was whole before stays as it is, and runs can be added.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include <elk/io/atomic_file.hpp>
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
    write("summaries.jsonl", summaries);
    write("curves.jsonl", curves);
    std::remove((path_ + "/curves.jsonl.aside").c_str());
  }

 private:
  void write(const char* name, std::string_view bytes) const {
    std::FILE* file = std::fopen((path_ + "/" + name).c_str(), "wb");
    fuzz::check(file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size(),
                "the folder cannot be written");
    std::fclose(file);
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

void use(const std::string& folder) {
  std::optional<Store> store;
  if (!fuzz::accepted<FileError>([&] { store.emplace(folder); })) return;
  const std::vector<RunSummary> runs = store->runs();
  const std::vector<Curve> before = curves(*store, runs);
  store->mend();
  fuzz::check(curves(*store, runs) == before, "mending changed a curve");

  RunSummary run;
  run.key = std::string(64, '7');
  run.status = "done";
  run.config = "{}";
  run.epochs = run.best_epoch = 1;
  const bool known = store->complete(run.key);
  store->add(run, {{.epoch = 1, .train_loss = 0.5}});
  fuzz::check(store->complete(run.key), "a run was added and is not there");
  Store again(folder);
  fuzz::check(again.runs().size() == runs.size() + (store->runs().size() > runs.size()), "a run is lost");
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (known || runs[i].key != run.key)
      fuzz::check(curve(again, runs[i].key) == before[i], "adding changed a curve");
  fuzz::check(curve(again, run.key).has_value(), "a run was added and has no curve");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const std::string_view text = fuzz::text(data, size);
  const std::size_t end = std::min(text.find('\0'), size);
  folder.hold(text.substr(0, end), text.substr(std::min(end + 1, size)));
  std::FILE* const err = std::exchange(stderr, folder.quiet());
  use(folder.path());
  stderr = err;
  return 0;
}
