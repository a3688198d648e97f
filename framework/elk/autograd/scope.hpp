// Which module, operation or stage is running, as traces, profiles and reports of non-finite values need to
// know.
#pragma once

#include <utility>

namespace elk {

class Tensor;

/// Is notified of the scopes, operations and stages of its thread while it exists, on the stack; summaries
/// and profiles derive from it. Observers nest, and all are notified. Backward opens the scope of an
/// operation again while it runs that operation's rules.
class ScopeObserver {
 public:
  ScopeObserver() : outer_(std::exchange(innermost_, this)) {}
  virtual ~ScopeObserver() { innermost_ = outer_; }
  ScopeObserver(const ScopeObserver&) = delete;
  ScopeObserver& operator=(const ScopeObserver&) = delete;

  /// `subject` is null in backward for operations outside all scopes.
  virtual void begin(const void* /*subject*/) {}
  /// begin() in backward: the rules of `operation` run, or no rule if it is null.
  virtual void backward(const void* subject, const char* /*operation*/) { begin(subject); }
  /// Must not throw: an error may be what ends the scope.
  virtual void end(const void* /*subject*/) {}
  /// The result of a call of `subject`; end() follows.
  virtual void output(const void* /*subject*/, const Tensor& /*y*/) {}
  /// An operation is done, whether a tape recorded it or not. The name may not exist after the call.
  virtual void computed(const char* /*operation*/) {}
  /// A Stage begins.
  virtual void begin_stage(const char* /*name*/) {}
  /// It ends. Must not throw.
  virtual void end_stage() {}

  /// Calls `f` with each observer of this thread.
  template <class F>
  static void tell(F f) {
    for (ScopeObserver* o = innermost_; o != nullptr; o = o->outer_) f(*o);
  }

 private:
  // Visible: a program that hides its symbols has to share it with a shared library.
  [[gnu::visibility("default")]] static inline thread_local ScopeObserver* innermost_ = nullptr;
  ScopeObserver* outer_;
};

/// While it exists, operations of this thread belong to `subject` (a module). Scopes nest.
class Scope {
 public:
  explicit Scope(const void* subject) : outer_(innermost_) {
    ScopeObserver::tell([&](ScopeObserver& observer) { observer.begin(subject); });
    innermost_ = subject;
  }
  /// The scope of an operation whose rules run, in backward.
  Scope(const void* subject, const char* operation) : outer_(innermost_) {
    ScopeObserver::tell([&](ScopeObserver& observer) { observer.backward(subject, operation); });
    innermost_ = subject;
  }
  ~Scope() {
    ScopeObserver::tell([](ScopeObserver& observer) { observer.end(innermost_); });
    innermost_ = outer_;
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Shows observers the result of the subject's call.
  void returns(const Tensor& y) const {
    ScopeObserver::tell([&](ScopeObserver& observer) { observer.output(innermost_, y); });
  }

  /// The innermost subject, or null.
  static const void* current() { return innermost_; }

 private:
  [[gnu::visibility("default")]] static inline thread_local const void* innermost_ = nullptr;  // likewise
  const void* outer_;
};

/// While it exists, its thread does work that belongs to no module, for example an optimizer's update. A
/// profile shows it as one row.
class Stage {
 public:
  /// `name` must outlive it: use a literal.
  explicit Stage(const char* name) {
    ScopeObserver::tell([&](ScopeObserver& observer) { observer.begin_stage(name); });
  }
  ~Stage() {
    ScopeObserver::tell([](ScopeObserver& observer) { observer.end_stage(); });
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
};

}  // namespace elk
