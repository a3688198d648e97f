// How the fuzzer changes files of our own kinds that are safetensors inside. Changed anywhere, nearly all
// would be refused as safetensors, which has a target of its own, and what stands behind that would hardly
// run.
#pragma once

#include <limits>
#include <random>

#include <elk/io/safetensors.hpp>

#include "fuzz.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace elk::fuzz {

class SafetensorsMutator {
 public:
  explicit SafetensorsMutator(unsigned seed) : random_(seed) {}

  /// `bytes` with something changed, in most cases so that it still is a safetensors file.
  std::string operator()(std::string_view bytes, std::size_t longest) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      std::string result;
      const bool good = accepted([&] { result = changed(bytes, parse_safetensors(bytes)); });
      if (good && result.size() <= longest) return result;
    }
    return mutated(std::string(bytes), longest);
  }

 private:
  static constexpr std::size_t room = 64;  // for a text to grow

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_()) % n; }

  static std::string mutated(std::string what, std::size_t longest) {
    const std::size_t size = std::min(what.size(), longest);
    what.resize(longest);
    what.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(what.data()), size, longest));
    return what;
  }

  // The elements of a tensor, a text of the metadata, what the header says of a tensor, or the list of
  // tensors.
  std::string changed(std::string_view bytes, SafetensorsFile file) {
    const std::size_t count = file.tensors.size(), what = below(8);
    if (what == 0) return changed_header(bytes);
    if (what == 1 && count > 0) {
      file.tensors.erase(file.tensors.begin() + static_cast<std::ptrdiff_t>(below(count)));
    } else if (what == 2 && count > 0) {
      std::swap(file.tensors[below(count)], file.tensors[below(count)]);
    } else if (what < 5 && !file.metadata.empty()) {
      const std::size_t which = below(file.metadata.size());
      std::string& text = std::next(file.metadata.begin(), static_cast<std::ptrdiff_t>(which))->second;
      text = mutated(text, text.size() + room);
    } else if (count > 0) {
      change_elements(file.tensors[below(count)].value);
    }
    return format_safetensors(file.tensors, file.metadata);
  }

  std::string changed_header(std::string_view bytes) {
    std::uint64_t size;
    std::memcpy(&size, bytes.data(), sizeof size);
    const std::string header = mutated(std::string(bytes.substr(sizeof size, size)), size + room);
    const std::uint64_t new_size = header.size();
    std::string result(reinterpret_cast<const char*>(&new_size), sizeof new_size);
    result.append(header).append(bytes.substr(sizeof size + size));
    parse_safetensors(result);  // throws what the caller tries again for
    return result;
  }

  void change_elements(Tensor& x) {
    const std::size_t element = byte_size(x.dtype()), bytes = static_cast<std::size_t>(x.size()) * element;
    if (bytes == 0) return;
    auto* data = detail::writable<std::uint8_t>(x);
    if (x.dtype() != i64 || below(2) == 0) {
      LLVMFuzzerMutate(data, bytes, bytes);
      return;
    }
    using Limits = std::numeric_limits<std::int64_t>;
    const std::int64_t special[] = {Limits::min(), -1, 0, 1, 2, Limits::max() - 1, Limits::max()};
    std::memcpy(data + below(static_cast<std::size_t>(x.size())) * element,
                &special[below(std::size(special))], element);
  }

  std::minstd_rand random_;
};

/// For LLVMFuzzerCustomMutator.
inline std::size_t mutate_safetensors(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                      unsigned seed) {
  const std::string result = SafetensorsMutator(seed)(text(data, size), max_size);
  std::memcpy(data, result.data(), result.size());
  return result.size();
}

}  // namespace elk::fuzz
