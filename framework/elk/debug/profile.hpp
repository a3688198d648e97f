// Where the time of training goes, by operation and layer.
//
//   elk::Profile profile;                // measures from here on
//   ...                                  // steps
//   std::cout << profile;                // a table
//   profile.write_trace("trace.json");   // for ui.perfetto.dev or chrome://tracing
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <elk/autograd/scope.hpp>

namespace elk {

/// The cost of one operation of one layer, over all steps together.
struct ProfileRow {
  std::string pass;  ///< "forward", "backward", a stage such as "update", or "other": what is none of these
  std::string
      layer;  ///< dotted, in the outermost module called; "(network)" for that one; "" outside modules
  std::string
      operation;  ///< in backward, the one whose rules ran; "" of a layer that did none, and of a stage
  std::int64_t calls = 0;  ///< 0 of "other"
  double seconds = 0;
  std::uint64_t flops = 0;  ///< as in base/flops.hpp
};

/// Measures what its thread does while it exists, on the stack; it does not change any computation. The time
/// of an operation is the time since the one before it; operations inside a rule or a stage count for that
/// rule or stage. The library's stages are "batch", "clip", "update" and "evaluation"; make a Stage for your
/// own. The profile's own bookkeeping is in no row.
class Profile : private ScopeObserver {
 public:
  Profile();

  /// Stops measuring until resume(), for example for an evaluation between the steps.
  void pause();
  /// Continues after pause().
  void resume();

  /// Updates by an optimizer.
  std::int64_t steps() const { return steps_; }
  /// In the order in which they first ran; "other" is last.
  std::vector<ProfileRow> rows() const;

  /// A trace keeps only this many operations, modules and stages, the first ones.
  static constexpr std::size_t trace_limit = 100'000;
  /// Writes the single calls in Chrome's trace event format, in JSON: spans of modules, operations and stages
  /// with their FLOPs. FileError naming a path that cannot be written.
  void write_trace(const std::string& path) const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  // A module, stage or operation that runs, or ran. Row 0 ("other") stands for one that the trace leaves out.
  struct Span {
    std::size_t row = 0;
    Time begin = {}, end = {};
    std::uint64_t flops = 0;  // at its beginning; then, of it
  };
  struct Open : Span {
    std::size_t charged = 0;  // row that pays for what nothing else does
    bool whole = true;        // it pays for all that happens inside
    bool in_module = false;
  };

  void begin(const void* subject) override;
  void backward(const void* subject, const char* operation) override;
  void end(const void*) override { close(); }
  void computed(const char* operation) override;
  void begin_stage(const char* name) override;
  void end_stage() override { close(); }

  void open(Time now, std::size_t row, bool whole, bool in_module);
  void close();
  void charge(std::size_t row, Time now);
  void go_on();
  void add_to_trace(Span span, Time end);
  std::size_t row(std::string_view pass, std::string_view layer, std::string_view operation);
  const std::string& layer(const void* subject);

  std::vector<ProfileRow> rows_;
  std::unordered_map<std::string, std::size_t> row_of_;
  std::unordered_map<const void*, std::string> layers_;
  std::vector<Open> open_;
  std::vector<Span> trace_;
  std::int64_t steps_ = 0;
  bool paused_ = false;
  Time start_, mark_;             // of the profile; when what is not yet charged began
  std::uint64_t flops_mark_ = 0;  // likewise
};

/// A table for 100 columns, for one step: the mean over all steps; without steps, for everything together.
/// Shares are of the measured time and add up to 100%.
///
///   pass     layer  operation  calls     us   FLOPs  GFLOP/s  share
///   forward                         120.5  100480     0.83  41.0%
///            fc1    linear         1  98.2  100416     1.02  33.4%
std::string to_string(const Profile& profile);
/// Writes to_string().
std::ostream& operator<<(std::ostream& out, const Profile& profile);

}  // namespace elk
