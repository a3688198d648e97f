// play_answers: answers requests, one a line, as the engine in the page does; behind that of a picture its
// numbers.
#include <iostream>
#include <limits>
#include <string>

#include <play/session.hpp>

int main() {
  elk::play::Session session;
  std::cout.precision(std::numeric_limits<float>::max_digits10);
  for (std::string request; std::getline(std::cin, request);) {
    std::cout << session.answer(request) << '\n';
    if (request.find("\"picture\"") == std::string::npos) continue;
    for (const float value : session.picture()) std::cout << value << ' ';
    std::cout << '\n';
  }
}
