// The conditions of results --where, a line each: the program lists runs, or says what is wrong with a
// condition.
#include <cstdio>
#include <filesystem>

#include <lab/config.hpp>
#include <lab/store.hpp>

#include "fuzz.hpp"

int results_main(int argc, char** argv);  // experiments/results/main.cpp, whose main is called so here

namespace {

using namespace elk;

// A folder of two runs, and silence: tables and messages are not looked at.
class Runs {
 public:
  Runs() {
    folder_ = "/tmp/elk-fuzz-where-" + std::to_string(::getpid());
    lab::TrainConfig config;
    lab::resolve(config);
    lab::Store store(folder_);
    for (const char* hidden : {"64", "128,64"}) {
      config.hidden = hidden;
      lab::RunSummary run;
      run.key = lab::run_key(lab::canonical_json(config), "data");
      run.status = config.hidden == "64" ? "done" : "failed";
      run.config = lab::canonical_json(config);
      store.add(run, {});
    }
    fuzz::check(std::freopen("/dev/null", "w", stdout) != nullptr, "no /dev/null");
    quiet_ = std::fopen("/dev/null", "w");
  }
  ~Runs() { std::filesystem::remove_all(folder_); }
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;

  int results(const std::vector<std::string>& conditions) {
    std::vector<std::string> words{"results", folder_};
    for (const std::string& condition : conditions) words.push_back("--where=" + condition);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::FILE* const err = std::exchange(stderr, quiet_);
    const int code = results_main(static_cast<int>(words.size()), arguments.data());
    stderr = err;
    return code;
  }

 private:
  std::string folder_;
  std::FILE* quiet_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Runs runs;
  std::vector<std::string> conditions(1);
  for (const char c : fuzz::text(data, size)) {
    if (c == '\n')
      conditions.emplace_back();
    else if (c != '\0')  // an argument has none
      conditions.back() += c;
  }
  const int code = runs.results(conditions);
  fuzz::check(code == 0 || code == 2, "neither done nor a usage error");
  return 0;
}
