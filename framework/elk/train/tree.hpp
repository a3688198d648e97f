// The tree that what the parts of a step have is added up in: halves become wholes as soon as both are there.
#pragma once

#include <utility>
#include <vector>

#include <elk/base/shape.hpp>

namespace elk::train::tree {

/// A run of 2^level parts from `start` on, a multiple of 2^level, as far as there are so many.
struct Run {
  Index start;
  int level;
};

/// Whether b, which follows a, is the other half of the next larger run.
inline bool are_halves(const Run& a, const Run& b) {
  return a.level == b.level && (a.start >> a.level) % 2 == 0;
}

/// Puts the next block, which has a `run`, on the stack, and adds up what are halves by add(sum, x).
template <class Block, class Add>
void push(std::vector<Block>& stack, Block block, const Add& add) {
  stack.push_back(std::move(block));
  while (stack.size() > 1 && are_halves(stack[stack.size() - 2].run, stack.back().run)) {
    Block right = std::move(stack.back());
    stack.pop_back();
    add(stack.back(), std::move(right));
    ++stack.back().run.level;
  }
}

/// What is left when all parts are there and they are no power of two: the last ones first.
template <class Block, class Add>
void add_rest(std::vector<Block>& stack, const Add& add) {
  while (stack.size() > 1) {
    Block right = std::move(stack.back());
    stack.pop_back();
    add(stack.back(), std::move(right));
  }
}

}  // namespace elk::train::tree
