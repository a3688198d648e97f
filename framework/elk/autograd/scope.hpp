// Which module is running: what traces, profiles and reports of non-finite values are told.
#pragma once

#include <utility>

namespace elk {

class Tensor;

/// Told of the scopes of its thread while it lives, on the stack: what a summary or a profile derives from.
/// Observers nest, and all are told. Backward opens the scope of an operation again while it runs that
/// operation's rules.
class ScopeObserver {
 public:
  ScopeObserver() : outer_(std::exchange(innermost_, this)) {}
  virtual ~ScopeObserver() { innermost_ = outer_; }
  ScopeObserver(const ScopeObserver&) = delete;
  ScopeObserver& operator=(const ScopeObserver&) = delete;

  /// `subject` is null in backward for what happened in no scope.
  virtual void begin(const void* /*subject*/) {}
  /// Must not throw: an error may be what ends the scope.
  virtual void end(const void* /*subject*/) {}
  /// What a call of `subject` gives; end() follows.
  virtual void output(const void* /*subject*/, const Tensor& /*y*/) {}

 private:
  friend class Scope;
  static inline thread_local ScopeObserver* innermost_ = nullptr;
  ScopeObserver* outer_;
};

/// While it lives, operations of this thread happen in `subject` (a module). Scopes nest.
class Scope {
 public:
  explicit Scope(const void* subject) : outer_(innermost_) {
    tell([&](ScopeObserver& observer) { observer.begin(subject); });
    innermost_ = subject;
  }
  ~Scope() {
    tell([](ScopeObserver& observer) { observer.end(innermost_); });
    innermost_ = outer_;
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Shows observers what the subject's call gives.
  void returns(const Tensor& y) const {
    tell([&](ScopeObserver& observer) { observer.output(innermost_, y); });
  }

  /// The innermost subject, or null.
  static const void* current() { return innermost_; }

 private:
  template <class F>
  static void tell(F f) {
    for (ScopeObserver* o = ScopeObserver::innermost_; o != nullptr; o = o->outer_) f(*o);
  }

  static inline thread_local const void* innermost_ = nullptr;
  const void* outer_;
};

}  // namespace elk
