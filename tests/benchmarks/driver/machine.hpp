// What figures are worth little without: the machine, the compiler, the versions.
#pragma once

#include <nlohmann/json.hpp>

namespace elk::bench {

nlohmann::ordered_json machine();
nlohmann::ordered_json compiler();
/// Of the libraries that are linked in; those of the peers are asked for when they are run.
nlohmann::ordered_json versions();

}  // namespace elk::bench
