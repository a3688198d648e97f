// The IDX format, and the two data sets that come in it: MNIST and Fashion-MNIST.
#pragma once

#include <string>

#include <elk/data/dataset.hpp>

namespace elk {

/// Reads images (magic 2051), raw or gzip: u8 (N, rows, columns). FileError when the file is anything but
/// exactly that; sizes in its header are checked against the file before memory is set aside for them.
Tensor read_idx_images(const std::string& path);

/// Reads labels (magic 2049), raw or gzip: i64 (N). FileError as above, and for a label outside 0 ... classes
/// - 1.
Tensor read_idx_labels(const std::string& path, Index classes = 10);

/// The MNIST digits: 60,000 and 10,000 images (28, 28). Looks in `data_dir` and its folders mnist, MNIST and
/// MNIST/raw for the four files, packed or not. FileError that says where it looked when they are not there,
/// and when images and labels do not belong together.
TrainTest load_mnist(const std::string& data_dir);

/// Fashion-MNIST, likewise, from `data_dir` or its folders fashion-mnist, fashion_mnist, FashionMNIST,
/// FashionMNIST/raw.
TrainTest load_fashion_mnist(const std::string& data_dir);

}  // namespace elk
