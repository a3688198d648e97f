// What the tests of several folders use.
#pragma once

#include <cstdlib>
#include <string>
#include <typeinfo>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk::test {

/// Whether another processor is emulated (tests/emulated.sh, the preset arm64): what only takes its time is
/// smaller there, some fifty times as slow.
inline bool emulated() { return std::getenv("ELK_EMULATED") != nullptr; }

/// Or built with sanitizers, under which all takes many times as long.
inline bool slow() {
#ifdef ELK_SANITIZE
  return true;
#else
  return emulated();
#endif
}

/// The elements as doubles, row by row.
inline std::vector<double> values(const Tensor& x) {
  std::vector<double> list;
  for (Index i = 0; i < x.size(); ++i) list.push_back(x.at(i));
  return list;
}

/// The text of the error that `f` throws, if it is exactly an E.
template <class E, class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return typeid(error) == typeid(E) ? error.what()
                                      : std::string("an error of another type: ") + error.what();
  }
  return "no error";
}

}  // namespace elk::test
