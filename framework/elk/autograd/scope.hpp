// Which module is running: what traces, profiles and reports of non-finite values are told.
#pragma once

namespace elk {

/// While it lives, operations of this thread happen in `subject` (a module). Scopes nest.
class Scope {
 public:
  explicit Scope(const void* subject) : outer_(innermost_) { innermost_ = subject; }
  ~Scope() { innermost_ = outer_; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// The innermost subject, or null.
  static const void* current() { return innermost_; }

 private:
  static inline thread_local const void* innermost_ = nullptr;
  const void* outer_;
};

}  // namespace elk
