#include <algorithm>

#include <elk/base/format.hpp>
#include <elk/data/byte_file.hpp>
#include <elk/data/cifar.hpp>
#include <elk/data/locate.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

constexpr std::size_t image_size = 3 * 32 * 32, record = 1 + image_size;

// All records of one file. What is wrong with its size is said in records.
std::vector<std::uint8_t> read_records(const std::string& path, std::size_t count) {
  detail::ByteFile file(path);
  std::vector<std::uint8_t> bytes(count * record + 1);  // one more, to see what is left over
  const std::size_t got = file.read(bytes);
  if (got + 1 == bytes.size()) return bytes;
  const std::string expected =
      fmt::format("[cifar-10] {} has the wrong size: expected {} bytes unpacked ({} records of {}), found",
                  path, count * record, count, record);
  if (got == bytes.size()) fail<FileError>("{} more", expected);
  if (got % record == 0) fail<FileError>("{} {} ({} records)", expected, got, got / record);
  const std::string like = detail::looks_like(std::span(bytes).first(std::min<std::size_t>(got, 32)));
  fail<FileError>("{} {} (not a whole number of records){}{}", expected, got,
                  like.empty() ? "" : "; it looks like ", like);
}

}  // namespace

Dataset read_cifar10(const std::vector<std::string>& paths, Index records) {
  // The bound keeps the products below far from overflow.
  if (records < 1 || records > 100'000'000)
    fail<ValueError>("[cifar-10] the number of records must be from 1 to 100000000, got {}", records);
  const Index n = static_cast<Index>(paths.size()) * records;
  Dataset set{"cifar-10",
              empty({n, 3, 32, 32}, u8),
              empty({n}, i64),
              {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}};
  auto* image = detail::writable<std::uint8_t>(set.images);
  auto* label = detail::writable<std::int64_t>(set.labels);
  for (const auto& path : paths) {
    const auto bytes = read_records(path, static_cast<std::size_t>(records));
    for (Index i = 0; i < records; ++i, image += image_size) {
      const std::uint8_t* from = bytes.data() + static_cast<std::size_t>(i) * record;
      if (*from > 9)
        fail<FileError>("[cifar-10] {} has label {} in record {}, expected 0 to 9", path, *from, i);
      *label++ = *from;
      std::copy_n(from + 1, image_size, image);
    }
  }
  return set;
}

TrainTest load_cifar10(const std::string& data_dir) {
  std::vector<std::string> folders;
  for (const std::string folder : {"cifar-10", "cifar10", "CIFAR-10", "CIFAR10", ""}) {
    folders.push_back(folder);
    folders.push_back(folder + (folder.empty() ? "" : "/") + "cifar-10-batches-bin");
  }
  const auto paths = detail::locate(data_dir, {"cifar-10",
                                               std::move(folders),
                                               {{"data_batch_1.bin"},
                                                {"data_batch_2.bin"},
                                                {"data_batch_3.bin"},
                                                {"data_batch_4.bin"},
                                                {"data_batch_5.bin"},
                                                {"test_batch.bin"}}});
  return {read_cifar10({paths.begin(), paths.begin() + 5}), read_cifar10({paths[5]})};
}

}  // namespace elk
