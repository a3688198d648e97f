// SHA-256 digests: what a run's key in the store is made of.
#pragma once

#include <string>
#include <string_view>

#include <elk/data/dataset.hpp>

namespace elk::lab {

/// The SHA-256 of `bytes`, as 64 hexadecimal digits.
std::string sha256(std::string_view bytes);

/// The SHA-256 of all that training and testing see of the data: names, shapes, classes, pixels and labels.
std::string data_digest(const TrainTest& data);

}  // namespace elk::lab
