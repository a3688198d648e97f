// The functions of the module: a session, one for the page.
#include <emscripten.h>

#include <string>

#include <play/session.hpp>

namespace {

elk::play::Session& session() {
  static elk::play::Session one;
  return one;
}

}  // namespace

extern "C" {

/// The answer to a request; it is there until the next one.
EMSCRIPTEN_KEEPALIVE const char* play_answer(const char* request) {
  static std::string answer;
  answer = session().answer(request);
  return answer.c_str();
}

/// The numbers of the last picture.
EMSCRIPTEN_KEEPALIVE const float* play_picture() { return session().picture().data(); }
}
