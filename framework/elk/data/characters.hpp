// Text as numbers: each character has an id.
//
//   const elk::Characters characters(text);               // all that occur in it
//   const elk::Tensor ids = characters.encode(text);      // i64 (T)
//   const elk::Examples next = elk::next_ids(ids, 64);    // each 64 and those that follow them
//   std::string again = characters.decode(ids);
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <elk/data/examples.hpp>

namespace elk {

/// The characters of a text, UTF-8, numbered from 0 in the order of their code points.
class Characters {
 public:
  /// ValueError for text that is not UTF-8, naming the byte.
  explicit Characters(std::string_view text);

  /// How many there are.
  Index size() const { return static_cast<Index>(characters_.size()); }
  /// The id of each character of `text`, i64 (T). ValueError for a character that is not among these.
  Tensor encode(std::string_view text) const;
  /// The text of ids i64 of any shape, in row-major order. DTypeError for another dtype, IndexError for an id
  /// that no character has.
  std::string decode(const Tensor& ids) const;

 private:
  std::vector<std::string> characters_;
  std::map<std::string, Index, std::less<>> ids_;
};

/// For a model that predicts the next character: example i is x = ids i ... i + length - 1 and labels = ids i
/// + 1 ... i + length, both i64 (B, length). ShapeError unless ids are (T), ValueError unless 1 <= length <
/// T.
Examples next_ids(const Tensor& ids, Index length);

}  // namespace elk
