#include <algorithm>

#include <elk/base/format.hpp>
#include <elk/data/characters.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

// How many bytes the character that begins at `at` has.
std::size_t size_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  const std::size_t size = first < 0x80                     ? 1
                           : first >= 0xC2 && first <= 0xDF ? 2
                           : first >= 0xE0 && first <= 0xEF ? 3
                           : first >= 0xF0 && first <= 0xF4 ? 4
                                                            : 0;
  bool good = size > 0 && size <= text.size() - at;
  for (std::size_t i = 1; good && i < size; ++i) good = (byte(at + i) & 0xC0) == 0x80;
  if (!good) fail<ValueError>("[characters] byte {} is no UTF-8", at);
  return size;
}

}  // namespace

Characters::Characters(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = size_at(text, at);
    ids_.emplace(text.substr(at, size), 0);
    at += size;
  }
  for (auto& [character, id] : ids_) {  // in the order of their bytes, which is that of their code points
    id = size();
    characters_.push_back(character);
  }
}

Tensor Characters::encode(std::string_view text) const {
  std::vector<Index> ids;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = size_at(text, at);
    const auto found = ids_.find(text.substr(at, size));
    if (found == ids_.end())
      fail<ValueError>("[characters] \"{}\" at byte {} is not one of the {} known", text.substr(at, size), at,
                       this->size());
    ids.push_back(found->second);
    at += size;
  }
  return from(ids);
}

std::string Characters::decode(const Tensor& ids) const {
  if (ids.dtype() != i64)
    fail<DTypeError>("[characters] expected ids of i64, got {}: write cast(ids, i64)", ids.dtype());
  std::string text;
  for (const Index id : ids.data<std::int64_t>()) {
    if (id < 0 || id >= size()) fail<IndexError>("[characters] id {} is outside {} characters", id, size());
    text += characters_[static_cast<std::size_t>(id)];
  }
  return text;
}

Examples next_ids(const Tensor& ids, Index length) {
  if (ids.rank() != 1) fail<ShapeError>("[next_ids] expected ids (T), got {}", ids.shape());
  if (ids.dtype() != i64)
    fail<DTypeError>("[next_ids] expected ids of i64, got {}: write cast(ids, i64)", ids.dtype());
  if (length < 1 || length >= ids.size())
    fail<ValueError>("[next_ids] expected a length from 1 to below the {} ids, got {}", ids.size(), length);
  return {ids.size() - length, [ids, length](std::span<const Index> rows) {
            const auto count = static_cast<Index>(rows.size());
            Batch batch{empty({count, length}, i64), empty({count, length}, i64)};
            auto* x = detail::writable<std::int64_t>(batch.x);
            auto* y = detail::writable<std::int64_t>(batch.labels);
            for (const Index row : rows) {
              const std::int64_t* from = ids.data<std::int64_t>().data() + row;
              x = std::copy_n(from, length, x);
              y = std::copy_n(from + 1, length, y);
            }
            return batch;
          }};
}

}  // namespace elk
