#include <algorithm>
#include <array>

#include <elk/base/format.hpp>
#include <elk/data/byte_file.hpp>
#include <elk/data/idx.hpp>
#include <elk/data/locate.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

constexpr std::uint32_t image_magic = 2051, label_magic = 2049;

// Reads the magic and `rank` sizes, each four bytes with the highest first.
template <std::size_t rank>
std::array<std::uint32_t, rank> read_header(detail::ByteFile& file, std::uint32_t magic, const char* what) {
  std::array<std::uint8_t, 4 * (1 + rank)> bytes{};
  const std::size_t got = file.read(bytes);
  const auto number = [&](std::size_t i) {
    return static_cast<std::uint32_t>(bytes[4 * i]) << 24 |
           static_cast<std::uint32_t>(bytes[4 * i + 1]) << 16 |
           static_cast<std::uint32_t>(bytes[4 * i + 2]) << 8 | static_cast<std::uint32_t>(bytes[4 * i + 3]);
  };
  if (got >= 4 && number(0) != magic) {
    std::string like = detail::looks_like(std::span(bytes).first(got));
    if (like.empty() && number(0) >> 16 == 0) like = "an IDX file of another type or rank";
    fail<FileError>("[idx] {} is not a file of {}: expected magic {}, found {}{}{}", file.path(), what, magic,
                    number(0), like.empty() ? "" : "; it looks like ", like);
  }
  if (got < bytes.size())
    fail<FileError>("[idx] {} ends inside its header: expected {} bytes, found {}", file.path(), bytes.size(),
                    got);
  std::array<std::uint32_t, rank> sizes;
  for (std::size_t i = 0; i < rank; ++i) sizes[i] = number(i + 1);
  return sizes;
}

Dataset load_pair(const char* name, const std::string& images_path, const std::string& labels_path,
                  const std::vector<std::string>& classes) {
  Dataset set{name, read_idx_images(images_path), read_idx_labels(labels_path), classes};
  if (set.images.size(0) != set.labels.size(0))
    fail<FileError>("[{}] {} holds {} images, but {} holds {} labels", name, images_path, set.images.size(0),
                    labels_path, set.labels.size(0));
  if (set.sample_shape() != Shape{28, 28})
    fail<FileError>("[{}] {} holds images {}, expected (28, 28)", name, images_path, set.sample_shape());
  set.check();
  return set;
}

TrainTest load(const std::string& data_dir, const char* name, std::vector<std::string> folders,
               const std::vector<std::string>& classes) {
  // The data folder itself comes last: its own files may be of either set, a folder's name says which.
  folders.insert(folders.end(), {"", "raw"});
  const auto paths = detail::locate(data_dir, {name,
                                               std::move(folders),
                                               {{"train-images-idx3-ubyte", "train-images.idx3-ubyte"},
                                                {"train-labels-idx1-ubyte", "train-labels.idx1-ubyte"},
                                                {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"},
                                                {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"}}});
  return {load_pair(name, paths[0], paths[1], classes), load_pair(name, paths[2], paths[3], classes)};
}

}  // namespace

Tensor read_idx_images(const std::string& path) {
  detail::ByteFile file(path);
  const auto [count, rows, columns] = read_header<3>(file, image_magic, "IDX images");
  // A product of three numbers of 32 bits can overflow 64, one of two cannot.
  constexpr std::uint32_t largest = 1 << 16;
  if (rows == 0 || columns == 0 || rows > largest || columns > largest)
    fail<FileError>("[idx] {} claims images of {} x {}, expected sides from 1 to {}", path, rows, columns,
                    largest);
  const std::uint64_t one = std::uint64_t{rows} * columns;
  constexpr std::uint64_t most = ~std::uint64_t{0} / (std::uint64_t{largest} * largest);
  static_assert(most >= 0xffffffff, "count * one stays below 2^64");
  const std::uint64_t bytes = count * one;
  file.expect(16, bytes);
  Tensor images = empty({count, rows, columns}, u8);
  file.read_rest({detail::writable<std::uint8_t>(images), static_cast<std::size_t>(bytes)});
  return images;
}

Tensor read_idx_labels(const std::string& path, Index classes) {
  detail::ByteFile file(path);
  const auto [count] = read_header<1>(file, label_magic, "IDX labels");
  file.expect(8, count);
  std::vector<std::uint8_t> bytes(count);
  file.read_rest(bytes);
  const auto bad =
      std::find_if(bytes.begin(), bytes.end(), [&](std::uint8_t label) { return label >= classes; });
  if (bad != bytes.end())
    fail<FileError>("[idx] {} has label {} at place {}, expected 0 to {}", path, *bad, bad - bytes.begin(),
                    classes - 1);
  return from(std::vector<std::int64_t>(bytes.begin(), bytes.end()));
}

TrainTest load_mnist(const std::string& data_dir) {
  return load(data_dir, "mnist", {"mnist", "mnist/raw", "MNIST", "MNIST/raw"},
              {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

TrainTest load_fashion_mnist(const std::string& data_dir) {
  return load(data_dir, "fashion-mnist",
              {"fashion-mnist", "fashion-mnist/raw", "fashion_mnist", "fashion_mnist/raw", "FashionMNIST",
               "FashionMNIST/raw"},
              {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
               "Ankle boot"});
}

}  // namespace elk
