#include <elk/base/format.hpp>
#include <elk/data/cifar.hpp>
#include <elk/data/digits.hpp>
#include <elk/data/idx.hpp>
#include <elk/data/load.hpp>

namespace elk {

const std::vector<std::string>& dataset_names() {
  static const std::vector<std::string> names{"digits", "mnist", "fashion-mnist", "cifar-10"};
  return names;
}

TrainTest load_dataset(const std::string& name, const std::string& data_dir, std::uint32_t seed) {
  if (name == "digits") return digits_train_test(seed);
  if (name == "mnist") return load_mnist(data_dir);
  if (name == "fashion-mnist") return load_fashion_mnist(data_dir);
  if (name == "cifar-10") return load_cifar10(data_dir);
  fail<ValueError>("[data] unknown data set \"{}\": expected one of {}", name,
                   fmt::join(dataset_names(), ", "));
}

}  // namespace elk
