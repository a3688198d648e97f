#include <algorithm>
#include <ostream>

#include <nlohmann/json.hpp>

#include <elk/base/flops.hpp>
#include <elk/base/format.hpp>
#include <elk/debug/inspect.hpp>
#include <elk/debug/profile.hpp>
#include <elk/io/atomic_file.hpp>

namespace elk {

namespace {

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::nanoseconds;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

std::string microseconds(Clock::duration time) {
  const auto n = std::chrono::duration_cast<Nanoseconds>(time).count();
  return fmt::format("{}.{:03}", n / 1000, n % 1000);
}

std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Profile::Profile() : start_(Clock::now()) {
  // While something ends, nothing may throw: there must be space.
  trace_.reserve(trace_limit);
  (void)row("other", "", "");
  go_on();
}

std::size_t Profile::row(std::string_view pass, std::string_view layer, std::string_view operation) {
  const std::string key = fmt::format("{}\n{}\n{}", pass, layer, operation);
  const auto [at, is_new] = row_of_.emplace(key, rows_.size());
  if (is_new) rows_.push_back({std::string(pass), std::string(layer), std::string(operation)});
  return at->second;
}

// The names of modules as they were when the outermost one was called last.
const std::string& Profile::layer(const void* subject) {
  static const std::string none;
  if (subject == nullptr) return none;
  const auto [at, is_new] = layers_.try_emplace(subject);
  if (is_new) at->second = static_cast<const nn::Module*>(subject)->describe();  // no fields() lists it
  return at->second;
}

// Charges a row with all since the last time.
void Profile::charge(std::size_t row, Time now) {
  rows_[row].seconds += seconds(now - mark_);
  rows_[row].flops += flops() - flops_mark_;
}

// Last in whatever is told: bookkeeping is no part of what is measured.
void Profile::go_on() {
  flops_mark_ = flops();
  mark_ = Clock::now();
}

void Profile::pause() {
  if (!paused_) charge(open_.empty() ? 0 : open_.back().charged, Clock::now());
  paused_ = true;
}

void Profile::resume() {
  if (paused_) go_on();
  paused_ = false;
}

void Profile::open(Time now, std::size_t row, bool whole, bool in_module) {
  Open next{{row}, row, whole, in_module};
  if (!open_.empty()) {
    Open& outer = open_.back();
    if (!outer.whole) outer.charged = 0;
    if (outer.whole) next.charged = outer.charged;
    next.whole |= outer.whole;
    next.in_module |= outer.in_module;
  }
  charge(open_.empty() ? 0 : open_.back().charged, now);
  if (next.whole && next.charged == row && row > 0) ++rows_[row].calls;
  open_.push_back(next);
  go_on();
  open_.back().begin = mark_;
  open_.back().flops = flops_mark_;
}

void Profile::close() {
  if (open_.empty()) return;  // it began before the profile did
  const Time now = Clock::now();
  const Open last = open_.back();
  open_.pop_back();
  if (paused_) return;
  charge(last.charged, now);
  if (!last.whole && last.charged == last.row) ++rows_[last.row].calls;
  add_to_trace(last, now);
  go_on();
}

void Profile::begin(const void* subject) {
  if (paused_) return open_.push_back({});
  const Time now = Clock::now();
  if (open_.empty() || !open_.back().in_module) {
    const std::vector<inspect::Part> parts = inspect::parts(*static_cast<const nn::Module*>(subject));
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) layers_[part->module] = part->name;
    layers_[subject] = parts[0].leaf ? parts[0].module->describe() : "(network)";
  }
  const std::string pass = open_.empty() ? "forward" : rows_[open_.back().row].pass;
  open(now, row(pass, layer(subject), ""), false, true);
}

void Profile::backward(const void* subject, const char* operation) {
  if (paused_) return open_.push_back({});
  const Time now = Clock::now();
  open(now, operation == nullptr ? 0 : row("backward", layer(subject), operation), true, subject != nullptr);
}

void Profile::begin_stage(const char* name) {
  if (paused_) return open_.push_back({});
  const Time now = Clock::now();
  steps_ += name == std::string_view("update");
  open(now, row(name, "", ""), true, false);
}

void Profile::computed(const char* operation) {
  if (paused_) return;
  const Time now = Clock::now();
  std::size_t done;
  bool whole = false;
  if (open_.empty()) {
    done = row("forward", "", operation);
    charge(done, now);
  } else {
    Open& in = open_.back();
    // A copy: a new row may move the others.
    const ProfileRow around = rows_[in.row];
    done = row(around.pass, around.layer, operation);
    whole = in.whole;
    if (!whole) in.charged = done;
    charge(in.charged, now);
  }
  if (!whole) ++rows_[done].calls;
  add_to_trace({done, mark_, {}, flops_mark_}, now);
  go_on();
}

void Profile::add_to_trace(Span span, Time end) {
  if (span.row == 0 || trace_.size() == trace_limit) return;
  span.end = end;
  span.flops = flops() - span.flops;
  trace_.push_back(span);
}

std::vector<ProfileRow> Profile::rows() const {
  std::vector<ProfileRow> rows;
  std::copy_if(rows_.begin() + 1, rows_.end(), std::back_inserter(rows),
               [](const ProfileRow& row) { return row.calls > 0; });
  rows.push_back(rows_[0]);
  return rows;
}

void Profile::write_trace(const std::string& path) const {
  // What contains another comes before it, also where both begin at once. It is behind it now.
  std::vector<Span> spans(trace_.rbegin(), trace_.rend());
  std::stable_sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::string text = "{\"traceEvents\":[";
  const char* separator = "\n";
  for (const Span& span : spans) {
    const ProfileRow& row = rows_[span.row];
    std::string name = row.layer + (row.layer.empty() || row.operation.empty() ? "" : " ") + row.operation;
    if (name.empty()) name = row.pass;
    text += fmt::format(
        R"({}{{"name":{},"cat":{},"ph":"X","ts":{},"dur":{},"pid":1,"tid":1,"args":{{"flops":{}}}}})",
        separator, json_text(name), json_text(row.pass), microseconds(span.begin - start_),
        microseconds(span.end - span.begin), span.flops);
    separator = ",\n";
  }
  write_file_atomically(path, text + "\n]}\n");
}

std::string to_string(const Profile& profile) {
  const std::vector<ProfileRow> rows = profile.rows();
  const auto steps = static_cast<double>(std::max<std::int64_t>(profile.steps(), 1));
  std::vector<ProfileRow> passes;
  ProfileRow total{"total", "", ""};
  const auto add = [](ProfileRow& sum, const ProfileRow& row) {
    sum.seconds += row.seconds;
    sum.flops += row.flops;
  };
  for (const ProfileRow& row : rows) {
    const auto same = [&](const ProfileRow& pass) { return pass.pass == row.pass; };
    auto pass = std::find_if(passes.begin(), passes.end(), same);
    if (pass == passes.end()) pass = passes.insert(pass, {row.pass, "", ""});
    add(*pass, row);
    add(total, row);
    if (row.layer.empty() && row.operation.empty()) pass->calls = row.calls;
  }

  std::vector<std::vector<std::string>> cells{
      {"pass", "layer", "operation", "calls", "us", "FLOPs", "GFLOP/s", "share"}};
  const auto line = [&](const ProfileRow& row, const std::string& pass) {
    const auto count = static_cast<double>(row.flops);
    cells.push_back(
        {inspect::shortened(pass, 16), inspect::shortened(row.layer, 20, true),
         inspect::shortened(row.operation, 20),
         row.calls > 0 ? fmt::format("{:.4g}", static_cast<double>(row.calls) / steps) : "",
         fmt::format("{:.1f}", 1e6 * row.seconds / steps),
         row.flops > 0 ? fmt::format("{:.0f}", count / steps) : "",
         row.flops > 0 && row.seconds > 0 ? fmt::format("{:.2f}", 1e-9 * count / row.seconds) : "",
         fmt::format("{:.1f}%", total.seconds > 0 ? 100 * row.seconds / total.seconds : 0)});
  };
  for (const ProfileRow& pass : passes) {
    line(pass, pass.pass);
    for (const ProfileRow& row : rows)
      if (row.pass == pass.pass && !(row.layer.empty() && row.operation.empty())) line(row, "");
  }
  line(total, "total");
  return inspect::table("lllrrrrr", cells) +
         (profile.steps() > 0 ? fmt::format("of a step, the mean of {}\n", profile.steps())
                              : "of everything together: there were no steps\n");
}

std::ostream& operator<<(std::ostream& out, const Profile& profile) { return out << to_string(profile); }

}  // namespace elk
