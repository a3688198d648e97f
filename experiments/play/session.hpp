// What the page asks of the engine, as texts of JSON: the same in WebAssembly and natively.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "playground.hpp"

namespace elk::play {

/// A preset that shows how training goes wrong, says why, and mends it.
struct Preset {
  std::string name, title;
  State state;
  Index steps;          ///< after which it is to be seen
  std::string shows;    ///< what is to be seen, and where
  std::string why;      ///< why it happens
  std::string mend;     ///< what helps
  State mended;         ///< the state with that
  std::string chapter;  ///< of the course: "6. Numbers that break"
  std::string file;     ///< "6-numbers.md"
  std::string section;  ///< its heading there
};

/// "Why did that happen?"
const std::vector<Preset>& presets();

class Session {
 public:
  /// The answer to a request such as {"do": "step", "count": 10}; docs/play.md lists them. What is wrong is
  /// told as {"error": "..."}, and has changed nothing.
  std::string answer(std::string_view request);

  /// The numbers of the last answer to "picture", part behind part.
  const std::vector<float>& picture() const { return picture_; }

 private:
  std::string answer_to(const Json& request);
  Json start(const Json& state);
  Json report();
  Json edited(Json answer);
  Json draw(Index size);
  Playground& playground();

  std::unique_ptr<Playground> playground_;
  std::vector<float> picture_;
  Tensor grid_;  // what the network gets at the pixels
  Index grid_size_ = 0;
};

}  // namespace elk::play
