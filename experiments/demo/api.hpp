// The addresses of the demo: its page and its JSON interface. docs/demo.md describes them.
#pragma once

#include <vector>

#include "data.hpp"
#include "network.hpp"
#include "server.hpp"
#include "trainer.hpp"

namespace elk::demo {

/// All of them. They refer to what they are given.
std::vector<Route> routes(DataSets& data, const NetworkSlot& slot, Trainer& trainer, std::uint32_t seed);

}  // namespace elk::demo
