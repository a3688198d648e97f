#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/base/sha256.hpp>
#include <elk/io/digest.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

constexpr const char* field = "digest";

[[noreturn]] void refuse() {
  fail<ValueError>("its contents do not fit its \"{}\": they were changed after they were written", field);
}

std::string digest_of(const nlohmann::json& object) { return sha256(object.dump()); }

// Writing goes down into itself: a file must not decide how deep.
bool deeper_than(int most, const nlohmann::json& value) {
  return value.is_structured() &&
         (most == 0 || std::any_of(value.begin(), value.end(),
                                   [&](const auto& item) { return deeper_than(most - 1, item); }));
}

std::string digest_of(const State& tensors, const Metadata& metadata) {
  Sha256 sum;
  const auto add = [&](std::string_view text) {
    sum.add(fmt::format("{}:", text.size()));
    sum.add(text);
  };
  for (const auto& [name, text] : metadata) {
    if (name == field) continue;
    add(name);
    add(text);
  }
  std::vector<const NamedTensor*> sorted;
  for (const NamedTensor& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name < b->name; });
  for (const NamedTensor* tensor : sorted) {
    const Tensor& x = tensor->value;
    add(tensor->name);
    add(fmt::format("{} [{}]", x.dtype(), fmt::join(x.shape(), ",")));
    add({detail::readable<char>(x), static_cast<std::size_t>(x.size()) * byte_size(x.dtype())});
  }
  return sum.hex();
}

}  // namespace

std::string with_digest(const std::string& object) {
  const std::string digest = digest_of(nlohmann::json::parse(object));
  const std::size_t end = object.rfind('}'), last = object.find_last_not_of(" \n", end - 1) + 1;
  const char* const separator = object[end - 1] == '\n' ? ",\n  \"{}\": \"{}\"" : ",\"{}\":\"{}\"";
  return object.substr(0, last) + fmt::format(fmt::runtime(separator), field, digest) + object.substr(last);
}

void take_digest(nlohmann::json& object) {
  constexpr int deepest = 20;
  if (deeper_than(deepest, object)) fail<ValueError>("objects are nested in it more than {} deep", deepest);
  if (!object.is_object()) return;
  const auto at = object.find(field);
  if (at == object.end()) return;
  const nlohmann::json found = *at;
  object.erase(at);
  if (!found.is_string() || found != digest_of(object)) refuse();
}

Metadata with_digest(const State& tensors, Metadata metadata) {
  metadata[field] = digest_of(tensors, metadata);
  return metadata;
}

void check_digest(const SafetensorsFile& file) {
  const auto found = file.metadata.find(field);
  if (found != file.metadata.end() && found->second != digest_of(file.tensors, file.metadata)) refuse();
}

}  // namespace elk
