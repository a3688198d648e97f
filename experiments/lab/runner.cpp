#include <lab/runner.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <new>
#include <set>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/base/machine.hpp>
#include <elk/base/parallel.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>

namespace elk::lab {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Of a processor; a run has its thread for itself, and other programs do not count.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string roughly(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", std::ceil(seconds));
  if (seconds < 90 * 60) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

// There may be a hundred thousand: their texts are Runner::run's.
struct Run {
  const std::string *settings, *data, *key;
  double estimate = 0;
  double bar = HUGE_VAL;
};

// The settings of a run that is hopeless.
std::string with_bar(const Run& run) {
  auto settings = nlohmann::json::parse(*run.settings);
  settings["stop-hopeless"] = run.bar;
  return settings.dump();
}

// Under which key the store has the run, if it has.
std::optional<std::string> kept(Store& store, const Run& run) {
  // The stopped one first: the whole one may have been made for another cell since, and what a command tells
  // must not depend on how often it was given.
  if (std::isfinite(run.bar))
    if (std::string key = run_key(with_bar(run), *run.data); store.complete(key)) return key;
  return store.complete(*run.key) ? std::optional(*run.key) : std::nullopt;
}

// Nothing comes of a run that was told to end.
std::optional<Record> do_run(Work& work, const Run& run, const std::function<bool()>& ended) {
  RunSummary origin;
  origin.key = *run.key;
  origin.config = *run.settings;
  origin.data = *run.data;
  origin.date = utc_date();
  origin.version = version();
  origin.commit = commit();
  origin.processor = processor_name();
  origin.with = computed_with();
  RunSummary summary = origin;
  std::vector<train::HistoryRow> curve;
  const double start = thread_seconds();
  try {
    if (!work.run(*run.settings, ended, run.bar, summary, curve)) return std::nullopt;
    summary.seconds = thread_seconds() - start;
    if (summary.status == "hopeless") {
      summary.config = with_bar(run);
      summary.key = run_key(summary.config, *run.data);
    }
    return Record(summary, curve);
  } catch (const std::bad_alloc&) {
    origin.error = "there is not enough memory for this run";
  } catch (const std::exception& error) {
    origin.error = error.what();
  } catch (...) {
    origin.error = "it threw something that is no std::exception";
  }
  origin.status = "failed";
  return Record(origin, {});
}

// What rank 0 and workers tell each other: a word, and lines behind it.
std::string job(const Run& run) {
  std::string text = fmt::format("{}\n{}\n{}", *run.key, *run.data, *run.settings);
  if (std::isfinite(run.bar)) text += fmt::format("\n{}", run.bar);
  return text;
}

// Whether this came of it.
bool is_of(const RunSummary& summary, const Run& run) {
  return summary.key == (summary.status == "hopeless" ? run_key(with_bar(run), *run.data) : *run.key);
}

std::pair<std::string, std::string> cut(const std::string& text) {
  const auto at = text.find('\n');
  if (at == std::string::npos) return {text, ""};
  return {text.substr(0, at), text.substr(at + 1)};
}

struct Answer {
  enum Kind { alive, left, refused, done } kind;
  std::string text = {};  // why it was refused, or the text of a Record
};

constexpr const char *end_word = "end", *bye_word = "bye";  // to a worker, and its answer
constexpr const char* wait_word = "wait";                   // to workers: rank 0 has something else to do
constexpr const char *alive_word = "alive", *left_word = "left", *refused_word = "refused",
                     *done_word = "done";

Answer parse_answer(const std::string& text) {
  const auto [word, rest] = cut(text);
  if (word == alive_word) return {Answer::alive};
  if (word == left_word) return {Answer::left};
  if (word == refused_word) return {Answer::refused, rest};
  return {Answer::done, rest};
}

void tell_all(Crew& crew, const char* word) {
  for (int rank = 1; rank < crew.size(); ++rank) crew.send(rank, word);
}

// Sleeps between two looks for messages. Each look takes a little of a processor that may be computing, so
// the longer nothing has come, the rarer they are: an answer waits for less than a fiftieth of what it took,
// or 0.3 ms, and never for more than 10 ms.
class Nap {
 public:
  void woken() { last_ = Clock::now(); }
  void sleep() const {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::clamp(since(last_) / 50, 3e-4, 0.01)));
  }

 private:
  Clock::time_point last_ = Clock::now();
};

// What a worker has heard from rank 0.
class Ear {
 public:
  explicit Ear(Crew& crew) : crew_(crew) {}
  /// The next message that asks for more than a note, if there is one.
  std::optional<std::string> listen() {
    int from = 0;
    for (std::string text; crew_.receive(from, text);) {
      last_ = Clock::now();
      attended_ = text != wait_word;
      ended_ = ended_ || text == end_word;
      if (text != alive_word && text != wait_word && text != end_word) return text;
    }
    return std::nullopt;
  }
  bool ended() const { return ended_; }
  /// Error when rank 0 should have given a sign for long.
  void check() const {
    if (attended_ && since(last_) > crew_.patience())
      throw Error(fmt::format("rank 0 has given no sign for {:g} s", crew_.patience()));
  }

 private:
  Crew& crew_;
  Clock::time_point last_ = Clock::now();
  bool attended_ = false;
  bool ended_ = false;
};

// Tells rank 0 of every second of work, and hears whether it is to end.
class Beat {
 public:
  Beat(Crew& crew, Ear& ear) : crew_(crew), ear_(ear) {}
  bool operator()() {
    if (since(last_) < 0.5) return ear_.ended();
    last_ = Clock::now();
    crew_.send(0, alive_word);
    (void)ear_.listen();
    return ear_.ended();
  }

 private:
  Crew& crew_;
  Ear& ear_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace

// How far it is: on a terminal a line that changes, elsewhere one now and then.
class Runner::Board {
 public:
  Board(const RunnerOptions& options, const std::vector<Run>& runs)
      : options_(options), terminal_(isatty(STDERR_FILENO) != 0), total_(runs.size()) {
    for (const Run& run : runs) to_do_ += run.estimate;
  }
  ~Board() { clear(); }
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  void started() { ++running_; }
  void stopped() { --running_; }
  void ended(const Run& run, const RunSummary& summary) {
    ++done_;
    to_do_ -= run.estimate;
    did_ += run.estimate;
    diverged_ += summary.status == "diverged";
    hopeless_ += summary.status == "hopeless";
    if (summary.status != "failed") return;
    ++failed_;
    clear();
    say(fmt::format("{}: a run failed: {}\n  {}\n", options_.program, summary.error, summary.config));
  }
  // Another process has done it.
  void found(const Run& run) {
    ++done_;
    to_do_ -= run.estimate;
  }
  void say_above(const std::string& line) const {
    clear();
    say(line);
  }
  void show() {
    if (options_.quiet || total_ == 0) return;
    if (since(last_) < (terminal_ ? 0.2 : 10) && shown_) return;
    last_ = Clock::now();
    std::string line =
        fmt::format("{}: {} of {} runs done, {} running", options_.program, done_, total_, running_);
    if (diverged_ > 0) line += fmt::format(", {} diverged", diverged_);
    if (hopeless_ > 0) line += fmt::format(", {} hopeless", hopeless_);
    if (failed_ > 0) line += fmt::format(", {} failed", failed_);
    if (did_ > 0 && to_do_ > 0)
      line += fmt::format(", about {} left", roughly(to_do_ / did_ * since(begun_)));
    if (terminal_)
      say("\r" + line + "\x1b[K");
    else if (shown_ || done_ < total_)
      say(line + "\n");
    shown_ = true;
  }

 private:
  void clear() const {
    if (terminal_ && shown_) say("\r\x1b[K");
  }
  const RunnerOptions& options_;
  bool terminal_, shown_ = false;
  std::size_t total_, done_ = 0, running_ = 0, diverged_ = 0, hopeless_ = 0, failed_ = 0;
  double to_do_ = 0, did_ = 0;
  Clock::time_point begun_ = Clock::now(), last_ = begun_;
};

// Runs that are waiting for somebody to do them.
class Runner::Queue {
 public:
  Queue(Store& store, Board& board, const std::vector<Run>& runs)
      : left(runs.size()), store_(store), board_(board), waiting_(runs.begin(), runs.end()) {}

  bool empty() const { return waiting_.empty(); }
  /// Takes the next run that no other process is at; those that are being done elsewhere go to the end of the
  /// line.
  std::optional<Run> take() {
    for (std::size_t tried = waiting_.size(); tried > 0; --tried) {
      Run run = waiting_.front();
      waiting_.pop_front();
      if (store_.claim(*run.key)) {
        // Done by another one in the meantime?
        store_.refresh();
        if (!kept(store_, run)) return run;
        store_.release(*run.key);
        board_.found(run);
        --left;
        continue;
      }
      waiting_.push_back(run);
    }
    return std::nullopt;
  }
  /// Of one that was not done.
  void put_back(const Run& run) {
    store_.release(*run.key);
    waiting_.push_front(run);
  }
  /// Keeps what came of a run that was taken.
  void done(const Run& run, const RunSummary& summary) {
    store_.release(*run.key);
    board_.ended(run, summary);
    --left;
  }

  std::size_t left;  ///< that are not done

 private:
  Store& store_;
  Board& board_;
  std::deque<Run> waiting_;
};

// What rank 0 knows of a worker.
struct Runner::Worker {
  std::optional<Run> run = {};  // that it is at
  Clock::time_point heard = {};
  bool lost = false;  // it gave no sign for long, or left
};

Runner::Runner(Store& store, Work& work, RunnerOptions options)
    : store_(store), work_(work), options_(std::move(options)) {
  if (options_.crew != nullptr) workers_.resize(static_cast<std::size_t>(options_.crew->size()));
}

Runner::~Runner() = default;

// On threads of this process.
void Runner::run_here(Queue& queue, Board& board) {
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<bool> given_up = false;
  std::exception_ptr error;
  const auto work = [&] {
    set_threads(1);
    std::unique_lock lock(mutex);
    while (!given_up && stop_signal() == 0 && !queue.empty()) {
      std::optional<Run> run;
      try {
        run = queue.take();
        if (!run) {
          if (!queue.empty()) changed.wait_for(lock, std::chrono::milliseconds(200));
          continue;
        }
        board.started();
        lock.unlock();
        const auto result = do_run(work_, *run, [&] { return given_up || stop_signal() != 0; });
        if (result) store_.add({*result});
        lock.lock();
        board.stopped();
        if (result)
          queue.done(*run, result->run());
        else
          store_.release(*run->key);
      } catch (...) {  // of the store: nothing can be kept any more
        if (!lock.owns_lock()) lock.lock();
        if (run) store_.release(*run->key);
        if (!error) error = std::current_exception();
        given_up = true;
      }
      changed.notify_all();
    }
  };

  const auto jobs = std::min<std::size_t>(static_cast<std::size_t>(options_.jobs), queue.left);
  std::vector<std::thread> threads;
  threads.reserve(jobs);
  try {
    while (threads.size() < jobs) threads.emplace_back(work);
  } catch (const std::system_error& refused) {  // fewer do it, too
    if (threads.empty())
      throw Error(fmt::format("[threads] the system refused a thread: {}", refused.what()));
  }
  {
    std::unique_lock lock(mutex);
    while (queue.left > 0 && !given_up && stop_signal() == 0) {
      board.show();
      changed.wait_for(lock, std::chrono::milliseconds(100));
    }
  }
  for (std::thread& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
}

// By the workers of a crew.
void Runner::hand_out(Queue& queue, Board& board) {
  Crew& crew = *options_.crew;
  const auto lose = [&](Worker& worker) {
    worker.lost = true;
    if (!worker.run) return;
    board.stopped();
    queue.put_back(*std::exchange(worker.run, std::nullopt));
  };
  // What has come, and of that what is being kept. Meanwhile the workers go on: what comes until the disk is
  // ready waits for it as one.
  struct {
    std::vector<Run> runs;
    std::vector<Record> records;
  } come, kept;
  std::future<void> keeping;
  const auto keep = [&] {
    using namespace std::chrono_literals;
    if (keeping.valid() && keeping.wait_for(0s) != std::future_status::timeout) {
      keeping.get();
      for (std::size_t i = 0; i < kept.runs.size(); ++i) queue.done(kept.runs[i], kept.records[i].run());
      kept = {};
    }
    if (keeping.valid() || come.runs.empty()) return;
    kept = std::exchange(come, {});
    keeping = std::async([&] { store_.add(kept.records); });
  };
  // All of it, now.
  const auto keep_all = [&] {
    while (keeping.valid() || !come.runs.empty()) {
      if (keeping.valid()) keeping.wait();
      keep();
    }
  };
  Nap nap;
  Clock::time_point look_again = Clock::now(), told = look_again;
  for (Worker& worker : workers_) worker = {.run = {}, .heard = look_again, .lost = worker.lost};
  tell_all(crew, alive_word);
  while (queue.left > 0 && stop_signal() == 0) {
    bool idle = true;
    int from = 0;
    for (std::string text; crew.receive(from, text); idle = false) {
      Worker& worker = workers_[static_cast<std::size_t>(from)];
      worker.heard = Clock::now();
      Answer answer = parse_answer(text);
      if (answer.kind == Answer::left) lose(worker);
      if (answer.kind == Answer::refused) {
        keep_all();
        throw UsageError(fmt::format("rank {}: {}", from, answer.text));
      }
      if (answer.kind != Answer::done) continue;
      Record record(std::move(answer.text));
      // One that was taken for lost is back; its run is with another.
      const bool late = std::exchange(worker.lost, false);
      if (late || !worker.run || !is_of(record.run(), *worker.run)) continue;
      board.stopped();
      come.runs.push_back(*std::exchange(worker.run, std::nullopt));
      come.records.push_back(std::move(record));
    }
    bool any = false;
    const Clock::time_point now = Clock::now();
    for (std::size_t rank = 1; rank < workers_.size(); ++rank) {
      Worker& worker = workers_[rank];
      if (worker.run && std::chrono::duration<double>(now - worker.heard).count() > crew.patience()) {
        lose(worker);
        crew.set_stalled();
        board.say_above(fmt::format("{}: rank {} has given no sign for {:g} s: its run is given to another\n",
                                    options_.program, rank, crew.patience()));
      }
      any |= !worker.lost;
      if (worker.lost || worker.run || queue.empty() || now < look_again) continue;
      worker.run = queue.take();
      if (!worker.run) look_again = now + std::chrono::milliseconds(200);  // others are at all of them
      if (!worker.run) continue;
      crew.send(static_cast<int>(rank), job(*worker.run));
      worker.heard = now;
      board.started();
      idle = false;
    }
    keep();
    if (!any) {
      keep_all();
      throw Error("no worker is left");
    }
    if (since(told) > crew.patience() / 8) {
      told = Clock::now();
      tell_all(crew, alive_word);
    }
    board.show();
    if (idle)
      nap.sleep();
    else
      nap.woken();
  }
  keep_all();
  tell_all(crew, wait_word);
}

std::vector<RunSummary> Runner::run(const std::vector<std::string>& settings,
                                    const std::vector<double>& bars) {
  std::vector<std::string> keys;
  keys.reserve(settings.size());
  std::vector<Run> asked, missing;
  std::set<std::string> data;                               // few
  std::unordered_map<std::string_view, std::size_t> place;  // of a key in `asked`
  asked.reserve(settings.size());
  store_.refresh();
  store_.mend();
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const std::string& digest = *data.insert(work_.data(settings[i])).first;
    const std::string& key = keys.emplace_back(run_key(settings[i], digest));
    const double bar = bars.empty() ? HUGE_VAL : bars.at(i);
    const auto [at, added] = place.try_emplace(key, asked.size());
    if (added) asked.push_back({&settings[i], &digest, &key, 0, bar});
    asked[at->second].bar = std::max(asked[at->second].bar, bar);
  }
  for (Run& run : asked) {
    if (kept(store_, run)) continue;
    run.estimate = work_.estimate(*run.settings);
    missing.push_back(run);
  }
  // The longest first, so that the jobs end together.
  std::stable_sort(missing.begin(), missing.end(),
                   [](const Run& a, const Run& b) { return a.estimate > b.estimate; });

  Board board(options_, missing);
  Queue queue(store_, board, missing);
  if (options_.crew != nullptr)
    hand_out(queue, board);
  else
    run_here(queue, board);
  if (queue.left > 0) throw Stopped();

  std::vector<RunSummary> summaries;
  for (const std::string& key : keys) {
    const Run& run = asked[place.at(key)];
    summaries.push_back(store_.find(kept(store_, run).value_or(key)).value());
  }
  return summaries;
}

void serve(Crew& crew, Work& work) {
  set_threads(1);
  Ear ear(crew);
  Nap nap;
  bool told = false;  // rank 0, that a signal ends this worker
  while (true) {
    const std::optional<std::string> text = ear.listen();
    if (ear.ended()) break;
    if (!text) {
      if (stop_signal() != 0 && !std::exchange(told, true)) crew.send(0, left_word);
      ear.check();
      nap.sleep();
      continue;
    }
    const auto [key, rest] = cut(*text);
    const auto [data, more] = cut(rest);
    const auto [settings, bar] = cut(more);
    try {
      if (const std::string own = work.data(settings); own != data)
        throw UsageError(fmt::format("--data-dir: it has another {}: SHA-256 {}, rank 0 has {}",
                                     work.data_name(settings), own, data));
      Beat beat(crew, ear);
      const auto result = do_run(work, {&settings, &data, &key, 0, bar.empty() ? HUGE_VAL : std::stod(bar)},
                                 [&] { return beat() || stop_signal() != 0; });
      if (result) crew.send(0, fmt::format("{}\n{}", done_word, result->text()));
    } catch (const Error& error) {  // it cannot do any run
      crew.send(0, fmt::format("{}\n{}", refused_word, error.what()));
    }
    nap.woken();
  }
  crew.send(0, bye_word);
}

void dismiss(Crew& crew, const std::string& program) {
  tell_all(crew, end_word);
  std::set<int> gone{0};
  const Clock::time_point begun = Clock::now();
  while (static_cast<int>(gone.size()) < crew.size()) {
    int from = 0;
    std::string text;
    if (crew.receive(from, text)) {
      if (text == bye_word) gone.insert(from);
      continue;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (since(begun) < crew.patience()) continue;
    say(fmt::format("{}: {} ranks have given no sign for {:g} s, and are ended\n", program,
                    crew.size() - static_cast<int>(gone.size()), crew.patience()));
    crew.set_stalled();
    return;
  }
}

}  // namespace elk::lab
