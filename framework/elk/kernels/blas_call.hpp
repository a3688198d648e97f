// What every call of BLAS and LAPACK needs around it. Private.
#pragma once

namespace elk::kernels {

/// To be alive during a call of BLAS or LAPACK by this thread. With OpenBLAS it sees that the library's own
/// threads stay out, as our blocks are the unit of parallelism and bits must not depend on theirs; and that
/// there is memory for its work space: OpenBLAS itself would ask the system again and again, for ever.
class BlasCall {
 public:
  /// Error, naming `operation`, when there is no memory.
  explicit BlasCall(const char* operation);
  ~BlasCall();
  BlasCall(const BlasCall&) = delete;
  BlasCall& operator=(const BlasCall&) = delete;
};

}  // namespace elk::kernels
