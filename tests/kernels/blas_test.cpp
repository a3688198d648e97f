// The name of the BLAS library is that of the one that is loaded.
#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <elk/base/machine.hpp>

namespace {

using testing::AnyOf;
using testing::Contains;
using testing::EndsWith;
using testing::MatchesRegex;

TEST(Blas, ItsNameIsOfTheOneThatIsLoaded) {
  std::set<std::string> loaded;  // the files
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (const auto path = line.find('/'); path != std::string::npos) loaded.insert(line.substr(path));

  const std::string name = elk::blas_name();
  const bool openblas = std::any_of(loaded.begin(), loaded.end(), [](const std::string& file) {
    return file.find("/libopenblas") != std::string::npos;
  });
  if (openblas)
    EXPECT_THAT(name, MatchesRegex("OpenBLAS [0-9.]+(dev)? [A-Za-z0-9_]+"));
  else
    EXPECT_THAT(loaded, Contains(EndsWith("/" + name)));
}

}  // namespace
