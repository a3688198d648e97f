// The digest of the data: a part of what a run's key in the store is made of.
#pragma once

#include <string>

#include <elk/data/dataset.hpp>

namespace elk::lab {

/// The SHA-256 of all that training and testing see of the data: names, shapes, classes, pixels and labels.
std::string data_digest(const TrainTest& data);

}  // namespace elk::lab
