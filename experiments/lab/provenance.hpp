// Where numbers come from: program and machine.
#pragma once

#include <string>

namespace elk::lab {

/// "0.1.0"
std::string version();
/// The commit that the programs were built from, "+" behind it when files were changed; "" outside a
/// repository.
std::string commit();
/// "Intel(R) Xeon(R) ..."
std::string processor_name();
/// What the bits of a result depend on beside its configuration and data; empty texts where it was not
/// recorded.
struct ComputedWith {
  std::string instruction_set, blas;
  bool operator==(const ComputedWith&) const = default;
};
/// That of this process.
ComputedWith computed_with();
/// "avx2, OpenBLAS 0.3.21 Zen"
std::string to_string(const ComputedWith& with);
/// Now, as 2025-04-01T12:00:00Z.
std::string utc_date();

}  // namespace elk::lab
