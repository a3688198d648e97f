// Programs that may not have what they need: they say so and end, and what they wrote stays good.
#include "experiments/fixture.hpp"

namespace elk::lab::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

class Limits : public TrainProgram {
 protected:
  // Runs a program under what the shell's ulimit says.
  Outcome limited(const std::string& limits, const std::string& program, const Arguments& arguments) {
    Surroundings shell = around();
    shell.program = "/bin/sh";
    return Child(Arguments{"-c", limits + "; exec \"$0\" \"$@\"", ELK_PROGRAMS "/" + program} + arguments,
                 shell)
        .wait();
  }

  std::vector<std::string> names(const std::string& folder) const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(path(folder)))
      all.push_back(entry.path().filename());
    return all;
  }
};

TEST_F(Limits, OfTheSizeOfAFile) {
  const Outcome outcome = limited("ulimit -f 40", "train", small({"--out-dir", "r", "--hidden", "64"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err,
              HasSubstr("train: [write] r/checkpoint.safetensors: cannot write: File too large\n"));
  for (const std::string& name : names("r")) EXPECT_EQ(name.find("tmp"), std::string::npos) << name;
  const Outcome sweep = limited("ulimit -f 4", "width", {"--smoke", "--out-dir", "w", "--quiet"});
  EXPECT_EQ(sweep.code, 1);
  EXPECT_THAT(sweep.err, HasSubstr("File too large"));
}

// From too little to load a program to more than enough. A loop without end would use up the seconds of the
// processor, and be ended by a signal.
TEST_F(Limits, OfMemory) {
#ifdef ELK_SANITIZE
  GTEST_SKIP() << "sanitizers take terabytes of addresses";
#endif
  const Arguments options = small({"--hidden", "16", "--batch-size", "200", "--quiet"});
  ASSERT_EQ(run(options + Arguments{"--out-dir", "whole"}).code, 0);
  int done = 0, refused = 0;
  for (int i = 0; i < 20; ++i) {
    const int megabytes = 60 + i * 540 / 19;
    SCOPED_TRACE(megabytes);
    const std::string folder = "r" + std::to_string(i);
    for (const bool sweep : {false, true}) {
      const Outcome outcome = limited(
          "ulimit -t 60; ulimit -v " + std::to_string(1000 * megabytes), sweep ? "width" : "train",
          sweep
              ? Arguments{"--smoke", "--quiet", "--seeds", "1", "--widths", "256", "--out-dir", folder + "w"}
              : options + Arguments{"--out-dir", folder});
      if (outcome.code == 0) {
        ++done;
      } else if (outcome.code == 127) {  // of the system's loader: the program never began
        EXPECT_THAT(outcome.err, HasSubstr("error while loading shared libraries"));
      } else {
        ++refused;
        EXPECT_EQ(outcome.code, 1) << outcome.err;
        // The last is of newer versions of OpenBLAS, which ask for memory themselves before a program begins.
        EXPECT_THAT(outcome.err,
                    AnyOf(HasSubstr("there is not enough memory"), HasSubstr("fit into memory"),
                          HasSubstr("the system refused"), HasSubstr("Memory allocation still failed")));
      }
    }
    if (!std::filesystem::exists(path(folder + "/config.json"))) continue;
    // What was written stays good.
    EXPECT_EQ(run({"--resume", "--quiet", "--out-dir", folder}).code, 0);
    EXPECT_TRUE(file(folder + "/model.safetensors") == file("whole/model.safetensors"));
  }
  EXPECT_GT(done, 0);
  EXPECT_GT(refused, 0);
}

// A killed program's temporary files are gone when the next one has been at work in the folder.
TEST_F(Limits, LeftoversOfKilledProgramsAreRemoved) {
  ASSERT_EQ(run(small({"--out-dir", "r"})).code, 0);
  for (const char* name :
       {"r/checkpoint.safetensors.elk-tmp-1-0", "r/curve.svg.elk-tmp-99-3", "r/curve.svg.elk-tmp-99-3.gp"})
    write_file_atomically(path(name), "x");
  ASSERT_EQ(run({"--resume", "--out-dir", "r", "--epochs", "3"}).code, 0);
  for (const std::string& name : names("r")) EXPECT_EQ(name.find("tmp"), std::string::npos) << name;
}

}  // namespace
}  // namespace elk::lab::test
