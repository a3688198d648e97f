// A data set by its name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <elk/data/dataset.hpp>

namespace elk {

/// digits, mnist, fashion-mnist, cifar-10: what load_dataset knows.
const std::vector<std::string>& dataset_names();

/// The data set `name`. `data_dir` is where the files of the last three are, or lie in a folder of their
/// name; `seed` is for digits, which needs no files. ValueError for an unknown name, FileError when files are
/// missing or damaged.
TrainTest load_dataset(const std::string& name, const std::string& data_dir, std::uint32_t seed = 0);

}  // namespace elk
