// Other people's Python, where the machine has it.
#pragma once

#include <cstdlib>
#include <string>

namespace elk {

/// A Python that can import `module`, or "" where there is none.
inline std::string python_with(const std::string& module) {
  for (const std::string python : {"python3", "/usr/bin/python3"})
    if (std::system((python + " -c 'import " + module + "' >/dev/null 2>&1").c_str()) == 0) return python;
  return "";
}

}  // namespace elk
