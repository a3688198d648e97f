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
/// Now, as 2025-04-01T12:00:00Z.
std::string utc_date();

}  // namespace elk::lab
