#include <vector>

#include <elk/elk.hpp>

#include "grader.hpp"
#include "link.hpp"

std::vector<double> my_walk(const std::vector<std::vector<Link>>& tape);

const course::Exercise walk("16_walk", [](course::Grader& grader) {
  const auto check = [&](const char* what, const std::vector<std::vector<Link>>& tape,
                         const std::vector<double>& expected) {
    grader.value(
        what, [&] { return elk::from(my_walk(tape)); }, elk::from(expected));
  };
  check("a chain", {{}, {{0, 3}}, {{1, -2}}, {{2, 0.5}}}, {-3, -1, 0.5, 1});
  check("a value that is used twice", {{}, {{0, 4}, {0, 4}}}, {8, 1});
  check("ways of different lengths", {{}, {{0, 2}}, {{1, 3}}, {{0, 5}, {1, 7}, {2, 11}}}, {85, 40, 11, 1});
});
