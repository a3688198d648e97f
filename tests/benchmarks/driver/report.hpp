// bench.md, from what bench.json holds.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace elk::bench {

std::string markdown(const nlohmann::ordered_json& report);

/// "1.23 ms"
std::string duration(double seconds);

}  // namespace elk::bench
