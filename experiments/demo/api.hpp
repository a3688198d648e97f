// The addresses of the demo: its page and its JSON interface. docs/demo.md describes them.
#pragma once

#include <cstdint>
#include <vector>

#include <lab/config.hpp>

#include "data.hpp"
#include "network.hpp"
#include "server.hpp"
#include "trainer.hpp"

namespace elk::demo {

/// The options of a run that a body asks for, named as `train` names them. HttpError for what is malformed,
/// or would take all memory or time.
lab::TrainConfig train_config(const Request& request, std::uint32_t seed);

/// All of them. They refer to what they are given.
std::vector<Route> routes(DataSets& data, const NetworkSlot& slot, Trainer& trainer, std::uint32_t seed);

}  // namespace elk::demo
