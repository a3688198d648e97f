// Runs whose length is a number of images, of which a set without end has as many as are asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <lab/work.hpp>

namespace elk::lab {

constexpr std::int64_t stream_batch = 50;
/// Examples of a set, other than the digits, that are held out of training.
constexpr std::int64_t stream_held_out = 5000;

/// A net of one hidden layer that sees a given number of images, by SGD on batches of stream_batch, at a
/// rate that falls to 0 along half a cosine as they end. Settings: "hidden", "examples" (images seen), "lr",
/// "seed". Of the digits every image is seen once: they are drawn as they are needed, a series for each seed.
/// Other sets are gone through again and again, in another order each time, and the last time not to its end.
/// So are digits where the setting "unique" says how many there are, fewer than are seen: the first of the
/// series. Metrics: "test_loss", "test_accuracy", "validation_loss".
std::unique_ptr<Work> stream_runs(const std::string& dataset, const std::string& data_dir);

}  // namespace elk::lab
