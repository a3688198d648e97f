// Objects that were moved from: using one is an error that says so, not a crash or an empty answer.
#pragma once

#include <utility>

namespace elk::detail {

/// As a member, notices that its object was moved from; assigning to the object makes it usable again.
class Moved {
 public:
  Moved() = default;
  Moved(const Moved&) = default;
  Moved& operator=(const Moved&) = default;
  Moved(Moved&& other) noexcept : moved_(std::exchange(other.moved_, true)) {}
  Moved& operator=(Moved&& other) noexcept {
    moved_ = std::exchange(other.moved_, true);
    return *this;
  }
  ~Moved() = default;

  /// ValueError when it was; `what` names the object in the message.
  void check(const char* what) const {
    if (moved_) fail(what);
  }
  [[noreturn]] static void fail(const char* what);

 private:
  bool moved_ = false;
};

}  // namespace elk::detail
