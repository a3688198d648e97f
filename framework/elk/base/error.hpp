// The error family. A message names the operation in brackets, then what was expected and what was found:
//   [matmul] inner sizes differ: (50, 784) x (925, 10)
#pragma once

#include <stdexcept>

namespace elk {

/// Base of every error that elkgrad throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Shapes that do not fit together, or an invalid size.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A dtype that the operation does not take, or two that differ.
class DTypeError : public Error {
 public:
  using Error::Error;
};

/// An index, axis or label outside its range.
class IndexError : public Error {
 public:
  using Error::Error;
};

/// A value or option outside its range.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A tape used in a way that cannot give gradients.
class TapeError : public Error {
 public:
  using Error::Error;
};

/// A file or folder that is missing, unreadable, malformed or cannot be written.
class FileError : public Error {
 public:
  using Error::Error;
};

}  // namespace elk
