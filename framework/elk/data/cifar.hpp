// CIFAR-10, binary version.
#pragma once

#include <string>
#include <vector>

#include <elk/data/dataset.hpp>

namespace elk {

/// Reads files of records (a label byte, then 1024 red, 1024 green and 1024 blue bytes), raw or gzip, one
/// after the other: images u8 (N, 3, 32, 32). Each file must hold exactly `records` of them with labels 0 ...
/// 9; FileError.
Dataset read_cifar10(const std::vector<std::string>& paths, Index records = 10000);

/// The 50,000 images of data_batch_1.bin ... data_batch_5.bin and the 10,000 of test_batch.bin, packed or
/// not. Looks in `data_dir`, its folders cifar-10, cifar10, CIFAR-10, CIFAR10 and cifar-10-batches-bin inside
/// each. FileError that says where it looked when they are not there.
TrainTest load_cifar10(const std::string& data_dir);

}  // namespace elk
