#include <elk/base/format.hpp>
#include <elk/io/digest.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/uses.hpp>
#include <elk/train/save.hpp>

namespace elk::train {

namespace {

constexpr std::string_view prefix = "optimizer.";
constexpr const char* with_optimizer = "with_optimizer";

State checked_state(const nn::Module& net) {
  State state = net.state();
  if (state.empty())
    fail<ValueError>("[save] {} lists nothing: name what it holds in its fields()", net.describe());
  if (const std::string text = net.uses()->unlisted(net.parameters()); !text.empty())
    fail<ValueError>("[save] {}: name it in fields()", text);
  return state;
}

// The network's part of a file, and the optimizer's.
struct Sections {
  State net, optimizer;
  bool has_optimizer = false;
};

Sections read(const std::string& path) {
  const SafetensorsFile file = load_safetensors(path);
  check_digest(file);
  Sections parts;
  parts.has_optimizer = file.metadata.contains(with_optimizer);
  for (const NamedTensor& item : file.tensors)
    if (parts.has_optimizer && item.name.starts_with(prefix))
      parts.optimizer.push_back({item.name.substr(prefix.size()), item.value});
    else
      parts.net.push_back(item);
  return parts;
}

// Calls `f`, whose errors are the file's.
template <class F>
void reading(const std::string& path, F f) {
  try {
    f();
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    fail<FileError>("[load] {}: {}", path, error.what());
  }
}

}  // namespace

void save(const std::string& path, const nn::Module& net) {
  const State state = checked_state(net);
  save_safetensors(path, state, with_digest(state, {}));
}

void save(const std::string& path, const nn::Module& net, const optim::AnyOptimizer& optimizer) {
  State state = checked_state(net);
  for (const NamedTensor& item : state)
    if (item.name.starts_with(prefix))
      fail<ValueError>("[save] \"{}\" is a name for what an optimizer keeps: give the field another",
                       item.name);
  for (const NamedTensor& item : optimizer.state())
    state.push_back({std::string(prefix) + item.name, item.value});
  save_safetensors(path, state, with_digest(state, {{with_optimizer, "true"}}));
}

void load(const std::string& path, nn::Module& net) {
  reading(path, [&] { net.load_state(read(path).net); });
}

void load(const std::string& path, nn::Module& net, optim::AnyOptimizer& optimizer) {
  reading(path, [&] {
    const Sections parts = read(path);
    if (!parts.has_optimizer) fail<ValueError>("it holds no optimizer: load(path, net)");
    const State before = net.state();
    net.load_state(parts.net);
    try {
      optimizer.load_state(parts.optimizer);
    } catch (...) {
      net.load_state(before);
      throw;
    }
  });
}

}  // namespace elk::train
