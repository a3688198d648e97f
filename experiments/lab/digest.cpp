#include <lab/digest.hpp>

#include <fmt/format.h>

#include <elk/base/sha256.hpp>

namespace elk::lab {

namespace {

template <class T>
std::string_view bytes_of(const Tensor& tensor) {
  const auto data = tensor.data<T>();
  return {reinterpret_cast<const char*>(data.data()), data.size_bytes()};
}

}  // namespace

std::string data_digest(const TrainTest& data) {
  Sha256 sum;
  for (const Dataset* set : {&data.train, &data.test}) {
    std::string head = fmt::format("{} {}", set->name, to_string(set->images.shape()));
    for (const std::string& name : set->classes) head += "\n" + name;
    sum.add(head + "\n\n");
    sum.add(bytes_of<std::uint8_t>(set->images));
    sum.add(bytes_of<std::int64_t>(set->labels));
  }
  return sum.hex();
}

}  // namespace elk::lab
