// Runs that are interrupted, and go on to the same bits.
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include <elk/base/machine.hpp>

#include "experiments/fixture.hpp"

namespace elk::lab::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

class TrainResume : public TrainProgram {
 protected:
  // Everything that has a state takes part: Adam's moments, dropout's and noise's stream, the best weights so
  // far.
  Arguments options(const Arguments& others) {
    return small(Arguments{"--hidden", "32,16", "--batch-size", "1", "--epochs", "20", "--dropout", "0.3",
                           "--early-stop", "40", "--lr-decay", "0.9", "--augment", "shift:1,mixup:0.2",
                           "--normalize", "channel", "--quiet"} +
                 Arguments{"--noise", "0.1", "--label-smoothing", "0.1", "--ema", "0.9", "--tta", "shift"} +
                 others);
  }

  void expect_same_run(const std::string& a, const std::string& b) {
    EXPECT_TRUE(file(a + "/model.safetensors") == file(b + "/model.safetensors"));
    EXPECT_EQ(history(a), history(b));
    EXPECT_EQ(file(a + "/config.json"), file(b + "/config.json"));
  }

  // Sends the signal once the run has an epoch more than before, `delay` later.
  Outcome stop(const Arguments& arguments, int signal, std::chrono::milliseconds delay) {
    Child child(arguments, around());
    const auto rows = [&] {
      const std::string text =
          std::filesystem::exists(path("r/history.jsonl")) ? file("r/history.jsonl") : "";
      return std::count(text.begin(), text.end(), '\n');
    };
    const auto before = rows();
    EXPECT_TRUE(child.wait_until([&] { return rows() != before; })) << child.err();
    std::this_thread::sleep_for(delay);
    child.kill(signal);
    return child.wait();
  }
};

TEST_F(TrainResume, OnAnotherInstructionSetItSaysSo) {
  if (instruction_set() == "baseline") GTEST_SKIP() << "this machine has the baseline only";
  Surroundings old = around();
  old.environment["ELK_ISA"] = "baseline";
  ASSERT_EQ(Child(small({"--epochs", "1", "--out-dir", "r"}), old).wait().code, 0);
  const Arguments go_on = {"--resume", "--epochs", "2", "--out-dir", "r"};
  EXPECT_THAT(run(go_on).err,
              HasSubstr("train: the run began on baseline, " + blas_name() + " and continues with " +
                        instruction_set() + ", " + blas_name() + ": its bits differ"));
  ASSERT_EQ(run(small({"--epochs", "1", "--out-dir", "s"})).code, 0);
  EXPECT_THAT(run({"--resume", "--epochs", "2", "--out-dir", "s"}).err, Not(HasSubstr("bits differ")));
}

TEST_F(TrainResume, AfterSignals) {
  ASSERT_EQ(run(options({"--out-dir", "whole"})).code, 0);
  const Arguments go_on = {"--resume", "--out-dir", "r", "--quiet"};
  int in_mid_epoch = 0;
  for (int i = 0; i < 12 && in_mid_epoch < 3; ++i) {
    const int signal = i % 2 == 0 ? SIGINT : SIGTERM;
    const Outcome outcome =
        stop(i == 0 ? options({"--out-dir", "r"}) : go_on, signal, std::chrono::milliseconds(5 + 7 * i % 20));
    ASSERT_EQ(outcome.code, 128 + signal) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, MatchesRegex("train: stopped in epoch [0-9]+ after step [0-9]+; continue with: "
                                          "\\./elk train --resume --out-dir r( --data-dir data)?\n"));
    if (std::stoi(outcome.err.substr(outcome.err.find("step ") + 5)) % 500 != 0) ++in_mid_epoch;
    EXPECT_FALSE(std::filesystem::exists(path("r/model.safetensors")));
  }
  EXPECT_GT(in_mid_epoch, 0);
  ASSERT_EQ(run(go_on).code, 0);
  expect_same_run("r", "whole");
}

// Predictions over views take seconds, minutes where there are many: a signal ends them, too.
TEST_F(TrainResume, AfterASignalAmongTheViews) {
  make_mnist(600, 2000);
  const auto of_many_views = [this](const std::string& out, const std::string& networks) {
    return small({"--hidden", "256", "--epochs", "1", "--augment", "shift:8", "--tta", "shift:8:2", "--quiet",
                  "--threads", "1", "--ensemble", networks, "--out-dir", out});
  };
  for (const std::string networks : {"1", "2"}) {
    std::filesystem::remove_all(path("r"));
    std::filesystem::remove_all(path("whole"));
    ASSERT_EQ(run(of_many_views("whole", networks)).code, 0);
    Child child(of_many_views("r", networks), around());
    // An ensemble's last network has its model before the views of all together.
    const auto trained = [&] {
      if (networks == "2") return std::filesystem::exists(path("r/member-2/model.safetensors"));
      return std::filesystem::exists(path("r/history.jsonl")) && !file("r/history.jsonl").empty();
    };
    EXPECT_TRUE(child.wait_until(trained)) << child.err();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    child.kill(SIGTERM);
    const Outcome outcome = child.wait();
    ASSERT_EQ(outcome.code, 128 + SIGTERM) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("train: stopped among the views" +
                                       (networks == "2" ? std::string(" of all networks together") : "") +
                                       "; continue with: "
                                       "./elk train --resume --out-dir r"));
    EXPECT_FALSE(std::filesystem::exists(path("r/model.safetensors")));
    ASSERT_EQ(run({"--resume", "--out-dir", "r", "--quiet"}).code, 0);
    EXPECT_TRUE(file("r/model.safetensors") == file("whole/model.safetensors"));
    EXPECT_EQ(file("r/config.json"), file("whole/config.json"));
  }
}

TEST_F(TrainResume, AfterBeingKilledAtAnyMoment) {
  ASSERT_EQ(run(options({"--out-dir", "whole"})).code, 0);
  int kills = 0;
  for (int i = 0;; ++i) {
    // A folder without a checkpoint was killed too early to be a run.
    Arguments arguments{"--resume", "--out-dir", "r", "--quiet"};
    if (!std::filesystem::exists(path("r/checkpoint.safetensors"))) arguments = options({"--out-dir", "r"});
    Child child(arguments, around());
    if (i < 25) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1 + i * 7919 % 97));
      child.kill(SIGKILL);
    }
    const Outcome outcome = child.wait();
    if (outcome.code == 0) break;
    ASSERT_EQ(outcome.code, 128 + SIGKILL) << outcome.err;
    ++kills;
  }
  EXPECT_GT(kills, 0);
  expect_same_run("r", "whole");
}

// Killed in any network, between two, and while what tells of the whole is written.
TEST_F(TrainResume, EnsemblesAfterBeingKilledAtAnyMoment) {
  const Arguments three{"--ensemble", "3"};
  ASSERT_EQ(run(options(three + Arguments{"--out-dir", "whole"})).code, 0);
  for (const auto& [member, seed] : {std::pair{"1", "100"}, {"2", "101"}, {"3", "102"}}) {
    ASSERT_EQ(run(options({"--seed", seed, "--out-dir", seed})).code, 0);
    expect_same_run(std::string("whole/member-") + member, seed);
  }
  std::set<int> begun;  // networks that were begun when a kill came
  for (int i = 0;; ++i) {
    Arguments arguments{"--resume", "--out-dir", "r", "--quiet"};
    if (!std::filesystem::exists(path("r/checkpoint.safetensors")))
      arguments = options(three + Arguments{"--out-dir", "r"});
    Child child(arguments, around());
    if (i < 16) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1 + i * 7919 % 397));
      child.kill(SIGKILL);
    }
    const Outcome outcome = child.wait();
    if (outcome.code == 0) break;
    ASSERT_EQ(outcome.code, 128 + SIGKILL) << outcome.err;
    int count = 0;
    for (const char* member : {"1", "2", "3"})
      count += std::filesystem::exists(path(std::string("r/member-") + member + "/checkpoint.safetensors"));
    begun.insert(count);
  }
  EXPECT_GT(begun.size(), 1u);
  EXPECT_TRUE(file("r/model.safetensors") == file("whole/model.safetensors"));
  EXPECT_EQ(file("r/config.json"), file("whole/config.json"));
  for (const char* member : {"/member-1", "/member-2", "/member-3"})
    expect_same_run(std::string("r") + member, std::string("whole") + member);
}

TEST_F(TrainResume, EnsemblesGoOnForMoreEpochsAndStayWhatTheyAre) {
  const Outcome first = run(small({"--ensemble", "2", "--out-dir", "r"}));
  ASSERT_EQ(first.code, 0);
  const Outcome again = run({"--resume", "--out-dir", "r"});
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(again.out, first.out);
  ASSERT_EQ(run({"--resume", "--out-dir", "r", "--epochs", "4"}).code, 0);
  ASSERT_EQ(run(small({"--ensemble", "2", "--epochs", "4", "--out-dir", "whole"})).code, 0);
  EXPECT_TRUE(file("r/model.safetensors") == file("whole/model.safetensors"));
  EXPECT_EQ(file("r/config.json"), file("whole/config.json"));
  expect_same_run("r/member-2", "whole/member-2");
  const auto refused = [&](const Arguments& options, const std::string& message) {
    const Outcome outcome = run(Arguments{"--resume", "--out-dir", "r"} + options);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, EndsWith("train: " + message + "\nsee ./elk train --help\n"));
  };
  refused({"--ensemble", "3"},
          "--ensemble: the run to resume has 2, the command line asks for 3; only --epochs may change");
  refused({"--epochs", "1"}, "--epochs: the run has done 4 already");
  refused({"--profile"}, "--profile: measures the training of one network, without --ensemble");
  EXPECT_EQ(Json::parse(file("r/config.json"))["epochs"], 4);
}

TEST_F(TrainResume, OfAnEnsembleThatHoldsSomethingElse) {
  ASSERT_EQ(run(small({"--ensemble", "2", "--out-dir", "r"})).code, 0);
  const std::string checkpoint = file("r/member-2/checkpoint.safetensors");
  const auto resumed = [&](int code, const std::string& message) {
    const Outcome outcome = run({"--resume", "--out-dir", "r"});
    EXPECT_EQ(outcome.code, code);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("train: " + message));
  };
  write_file_atomically(path("r/member-2/checkpoint.safetensors"), file("r/member-1/checkpoint.safetensors"));
  resumed(2, "--resume: r/member-2 holds another run than network 2 of the ensemble, of seed 101\n");
  write_file_atomically(path("r/member-2/checkpoint.safetensors"), checkpoint.substr(0, 200));
  resumed(1, "[safetensors] r/member-2/checkpoint.safetensors: ");
  std::string flipped = checkpoint;
  flipped[flipped.size() / 2] ^= 1;
  write_file_atomically(path("r/member-2/checkpoint.safetensors"), flipped);
  resumed(1, "[checkpoint] r/member-2/checkpoint.safetensors: its contents do not fit its \"digest\"");
  // Of a network without a checkpoint nothing can be there.
  std::filesystem::remove(path("r/member-2/checkpoint.safetensors"));
  resumed(
      1, "[checkpoint] r/member-2/checkpoint.safetensors: it is missing, other files of its run are there\n");
  std::filesystem::remove(path("r/checkpoint.safetensors"));
  resumed(2, "--resume: r holds no run to continue: r/checkpoint.safetensors: No such file");
  std::filesystem::create_directories(path("n"));
  std::filesystem::rename(path("r/member-1"), path("n/member-2"));
  const Outcome outcome = run(small({"--ensemble", "2", "--out-dir", "n"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("train: --out-dir: n/member-2 holds a run already"));
  EXPECT_FALSE(std::filesystem::exists(path("n/checkpoint.safetensors")));
}

TEST_F(TrainResume, LatestRunAndMoreEpochs) {
  ASSERT_EQ(run(small()).code, 0);
  ASSERT_EQ(run(small({"--seed", "5"})).code, 0);
  const Outcome outcome = run({"--resume", "--epochs", "4"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("run in runs/train-2\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\n    1  "));  // the table is whole
  EXPECT_THAT(outcome.out, HasSubstr("\n    4  "));
  ASSERT_EQ(run(small({"--seed", "5", "--epochs", "4", "--out-dir", "whole"})).code, 0);
  expect_same_run("runs/train-2", "whole");
}

TEST_F(TrainResume, AFinishedRunStaysWhatItIs) {
  const Outcome first = run(small({"--out-dir", "r"}));
  const std::string model = file("r/model.safetensors"), all = file("r/history.jsonl");
  const Outcome second = run({"--resume", "--out-dir", "r"});
  EXPECT_EQ(second.code, 0);
  EXPECT_EQ(second.out, first.out);
  EXPECT_TRUE(file("r/model.safetensors") == model);
  EXPECT_EQ(file("r/history.jsonl"), all);
}

TEST_F(TrainResume, OtherOptionsAreRefused) {
  ASSERT_EQ(run(small({"--out-dir", "r"})).code, 0);
  const std::string model = file("r/model.safetensors");
  const auto refused = [&](const Arguments& options, const std::string& message) {
    const Outcome outcome = run(Arguments{"--resume", "--out-dir", "r"} + options);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, EndsWith("train: " + message + "\nsee ./elk train --help\n"));
  };
  const std::string only = "; only --epochs may change";
  refused({"--lr", "0.5"}, "--lr: the run to resume has 0.001, the command line asks for 0.5" + only);
  refused({"--hidden", "9"}, "--hidden: the run to resume has \"8\", the command line asks for \"9\"" + only);
  refused({"--label-smoothing", "0.1"},
          "--label-smoothing: the run to resume has 0.0, the command line asks for 0.1" + only);
  refused({"--batch-norm"},
          "--batch-norm: the run to resume has false, the command line asks for true" + only);
  refused({"--noise", "0.3"}, "--noise: the run to resume has 0.0, the command line asks for 0.3" + only);
  refused({"--ema", "0.9"}, "--ema: the run to resume has 0.0, the command line asks for 0.9" + only);
  ASSERT_EQ(run(small({"--augment", "flip", "--tta", "flip", "--out-dir", "views"})).code, 0);
  EXPECT_THAT(
      run({"--resume", "--out-dir", "views", "--tta", "none"}).err,
      HasSubstr("train: --tta: the run to resume has \"flip\", the command line asks for \"none\"" + only));
  refused({"--seed", "7"}, "--seed: the run to resume has 100, the command line asks for 7" + only);
  refused({"--protocol", "paper"},
          "--protocol: the run to resume has \"sound\", the command line asks for \"paper\"" + only);
  refused({"--lr-decay", "0.9"},
          "--schedule: the run to resume has \"constant\", the command line asks for "
          "\"exponential:0.9\"" +
              only);
  refused({"--epochs", "1"}, "--epochs: the run has done 2 already");
  EXPECT_EQ(Json::parse(file("r/config.json"))["epochs"], 2);
  EXPECT_EQ(run({"--resume", "--out-dir", "r", "--lr", "0.001", "--hidden", "8"}).code,
            0);  // the same is fine
  EXPECT_TRUE(file("r/model.safetensors") == model);
}

TEST_F(TrainResume, AScheduleOverAllEpochsCannotGoOnForMore) {
  ASSERT_EQ(run(small({"--out-dir", "r", "--schedule", "cosine"})).code, 0);
  const Outcome outcome = run({"--resume", "--out-dir", "r", "--epochs", "5"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              EndsWith("train: --epochs: the cosine schedule of the run to resume was made for 2 epochs\n"
                       "see ./elk train --help\n"));
}

TEST_F(TrainResume, NothingToResume) {
  Outcome outcome = run({"--resume"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, StartsWith("train: --resume: there is no runs/train-N here; give --out-dir\n"));
  outcome = run({"--resume", "--out-dir", "r"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              StartsWith("train: --resume: r holds no run to continue: r/checkpoint.safetensors: No such "
                         "file or directory\n"));
  std::filesystem::create_directory(path("r"));
  ASSERT_EQ(run(small({"--out-dir", "r"})).code, 0);
  write_file_atomically(path("r/config.json"), "{");
  outcome = run({"--resume", "--out-dir", "r"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, StartsWith("train: r/config.json: not a JSON file of options: "));
}

TEST_F(TrainResume, DamagedCheckpoints) {
  ASSERT_EQ(run(small({"--out-dir", "r"})).code, 0);
  const std::string checkpoint = file("r/checkpoint.safetensors"), model = file("r/model.safetensors");
  const auto damaged = [&](const std::string& bytes, const std::string& message) {
    write_file_atomically(path("r/checkpoint.safetensors"), bytes);
    const Outcome outcome = run({"--resume", "--out-dir", "r"});
    EXPECT_EQ(outcome.code, 1) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_THAT(outcome.err, testing::ContainsRegex("train: \\[[a-z]+\\] r/checkpoint\\.safetensors: "));
  };
  // Without its digest, which would be what is wrong.
  const auto edited = [&](const std::string& from, const std::string& to) {
    std::string bytes = checkpoint;
    bytes.replace(bytes.find("\"digest\""), 8, "\"Digest\"");
    const auto at = bytes.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return bytes.replace(at, from.size(), to);  // of the same length
  };
  damaged("", "r/checkpoint.safetensors: ");
  damaged(checkpoint.substr(0, 100), "r/checkpoint.safetensors: ");
  damaged(checkpoint.substr(0, checkpoint.size() - 1), "r/checkpoint.safetensors: ");
  damaged(checkpoint + "x", "r/checkpoint.safetensors: ");
  damaged(std::string(1000, '\0'), "r/checkpoint.safetensors: ");
  damaged(model, "train: [checkpoint] r/checkpoint.safetensors: ");
  damaged(edited("elkgrad-checkpoint/1", "elkgrad-checkpoint/9"),
          "expected format \"elkgrad-checkpoint/1\", found \"elkgrad-checkpoint/9\"");
  damaged(edited("\"history\"", "\"histori\""), "the metadata lacks \"history\"");
  damaged(edited("rng.key", "rng.kex"), "\"rng.key\" is missing");
  damaged(edited("model.fc1.weight", "model.fc9.weight"), "\"fc1.weight\" is missing");
  damaged(edited("optimizer.fc2.bias.mean", "optimizer.fc2.bias.meen"), "the state lacks \"fc2.bias.mean\"");
  damaged(edited("\\\"step\\\":20", "\\\"stop\\\":20"), "line 2 is malformed");
  std::string flipped = checkpoint;
  flipped[flipped.size() / 2] ^= 1;
  damaged(flipped, "its contents do not fit its \"digest\": they were changed after they were written");
  EXPECT_TRUE(file("r/model.safetensors") == model);
  std::filesystem::remove(path("r/checkpoint.safetensors"));
  const Outcome outcome = run({"--resume", "--out-dir", "r"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("r/checkpoint.safetensors: No such file or directory"));
}

// The hint of a run that was stopped, which is called as a user calls it; and a line as a shell takes it.
class TrainCommand : public TrainResume {
 protected:
  Outcome shell(const std::string& line, const std::string& where = "") {
    Surroundings with = around();
    with.program = "/bin/sh";
    with.folder = path(where);
    with.environment["PATH"] = "/usr/bin:/bin";
    return Child({"-c", line}, with).wait();
  }
  std::string hint(const Arguments& arguments, const std::string& folder, Surroundings with) {
    Child child(arguments, with);
    const std::string config = with.folder + "/" + folder + "/config.json";
    EXPECT_TRUE(child.wait_until([&] { return std::filesystem::exists(config); })) << child.err();
    child.kill(SIGTERM);
    const Outcome outcome = child.wait();
    EXPECT_EQ(outcome.code, 128 + SIGTERM) << outcome.err;
    const std::string before = "continue with: ";
    const auto at = outcome.err.find(before);
    EXPECT_NE(at, std::string::npos) << outcome.err;
    if (at == std::string::npos) return "false";
    const std::string line = outcome.err.substr(at + before.size());
    return line.substr(0, line.size() - 1);
  }
  void make_command(const std::string& name, const std::string& body) {
    write_file_atomically(path(name), "#!/bin/sh\n" + body);
    std::filesystem::permissions(path(name), std::filesystem::perms::owner_all);
  }
};

TEST_F(TrainCommand, TheHintWorksAsPrinted) {
  const std::string data = "the \"data\" of Z\u00fcrich's $HOME";
  small();
  std::filesystem::rename(path("data"), path(data));
  make_command("elk", "shift\nexec " ELK_PROGRAMS "/train \"$@\"\n");
  for (const std::string folder :
       {"it's a \"run\" in Z\u00fcrich; `exit 9` $PWD\nand on", "-x", "--quiet", "\xff*"}) {
    const std::string command = hint(options({"--data-dir", data, "--out-dir=" + folder}), folder, around());
    EXPECT_THAT(command, StartsWith("./elk train --resume "));
    const Outcome done = shell(command + " --quiet");
    EXPECT_EQ(done.code, 0) << command << done.err;
    EXPECT_TRUE(std::filesystem::exists(path(folder + "/model.safetensors")));
  }
}

// What the launcher says of itself; tests/launcher has that it says so.
TEST_F(TrainCommand, HintsWorkInAnyFolder) {
  small();
  std::filesystem::create_directories(path("it's my $HOUSE"));
  std::filesystem::create_directories(path("elsewhere"));
  make_command("it's my $HOUSE/elk", "shift\nexec " ELK_PROGRAMS "/train \"$@\"\n");
  const std::string launcher = "'../it'\\''s my $HOUSE/elk'";
  Surroundings with = around();
  with.folder = path("elsewhere");
  with.environment["ELK_LAUNCHER"] = launcher;
  const std::string command = hint(options({"--data-dir", "../data", "--out-dir", "r"}), "r", with);
  EXPECT_THAT(command, StartsWith(launcher + " train --resume "));
  const Outcome done = shell(command + " --quiet", "elsewhere");
  EXPECT_EQ(done.code, 0) << command << done.err;
  EXPECT_TRUE(std::filesystem::exists(path("elsewhere/r/model.safetensors")));

  const Outcome wrong = Child({"--layers"}, with).wait();
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, EndsWith("\nsee " + launcher + " train --help\n"));
  const Outcome help = shell("ELK_LAUNCHER=elkgrad " + launcher + " train --help", "elsewhere");
  EXPECT_THAT(help.out, StartsWith("Usage: elkgrad train [options]\n"));
  EXPECT_THAT(help.out, Not(HasSubstr("./elk")));
  const Outcome lacking = Child({"--dataset", "fashion-mnist"}, with).wait();
  EXPECT_THAT(lacking.err, HasSubstr("get it with `" + launcher + " data fashion-mnist`"));
}

TEST_F(TrainResume, ACheckpointOfAnotherRunIsNotTaken) {
  ASSERT_EQ(run(small({"--out-dir", "a"})).code, 0);
  const std::string checkpoint = file("a/checkpoint.safetensors");
  std::filesystem::create_directory(path("b"));
  write_file_atomically(path("b/checkpoint.safetensors"), checkpoint);
  const Outcome outcome = run(small({"--seed", "2", "--lr", "0.5", "--out-dir", "b"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("train: --out-dir: b holds a run already; continue it with --resume, or "
                                     "choose another folder\n"));
  EXPECT_TRUE(file("b/checkpoint.safetensors") == checkpoint);
  EXPECT_FALSE(std::filesystem::exists(path("b/config.json")));

  // A folder with a checkpoint is a run: the disk was full when the rest was to be written.
  ASSERT_EQ(run({"--resume", "--out-dir", "b"}).code, 0);
  expect_same_run("b", "a");
}

TEST_F(TrainResume, ConfigurationAndCheckpointHaveToAgree) {
  ASSERT_EQ(run(small({"--out-dir", "r"})).code, 0);
  ASSERT_EQ(run(small({"--out-dir", "other", "--seed", "5"})).code, 0);
  const std::string config = file("r/config.json"), model = file("r/model.safetensors");
  const auto refused = [&](const std::string& message) {
    const Outcome outcome = run({"--resume", "--out-dir", "r"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, StartsWith("train: " + message + "; only --epochs may change\n"));
    EXPECT_TRUE(file("r/model.safetensors") == model);
  };
  for (const auto& [name, value, message] :
       {std::tuple<const char*, Json, const char*>{"lr", 0.5, "made with 0.001, the file says 0.5"},
        {"hidden", "9", "made with \"8\", the file says \"9\""},
        {"seed", 101, "made with 100, the file says 101"},
        {"dropout", 0.25, "made with 0.0, the file says 0.25"}}) {
    Json edited = Json::parse(config);
    edited[name] = value;
    write_file_atomically(path("r/config.json"), edited.dump());
    refused(std::string("r/config.json: \"") + name + "\": its checkpoint was " + message);
  }
  write_file_atomically(path("r/config.json"), file("other/config.json"));
  refused("r/config.json: \"seed\": its checkpoint was made with 100, the file says 5");
  write_file_atomically(path("r/config.json"), config);
  EXPECT_EQ(run({"--resume", "--out-dir", "r"}).code, 0);
}

TEST_F(TrainResume, OtherDataAreRefused) {
  const Outcome first = run(small({"--out-dir", "r"}));
  ASSERT_EQ(first.code, 0);
  const std::string model = file("r/model.safetensors");
  // The same shapes and labels, and one pixel that is another.
  std::filesystem::copy(path("data"), path("data2"), std::filesystem::copy_options::recursive);
  std::string images = file("data2/mnist/t10k-images-idx3-ubyte");
  images.back() = static_cast<char>(images.back() + 1);
  write_file_atomically(path("data2/mnist/t10k-images-idx3-ubyte"), images);
  const Outcome outcome = run({"--resume", "--out-dir", "r", "--data-dir", "data2", "--epochs", "4"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              testing::ContainsRegex("train: --data-dir: the run to resume had another data set of the "
                                     "name mnist: SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}\n"));
  EXPECT_TRUE(file("r/model.safetensors") == model);
  std::filesystem::rename(path("data"), path("moved"));
  EXPECT_EQ(run({"--resume", "--out-dir", "r", "--data-dir", "moved"}).out, first.out);
}

TEST_F(TrainResume, OfSeveralAtOnceOneWins) {
  const Arguments common = options({"--out-dir", "r"});
  ASSERT_EQ(run(options({"--out-dir", "whole"})).code, 0);
  for (int resumed = 0; resumed < 2; ++resumed) {
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 6; ++i)
      children.push_back(std::make_unique<Child>(
          resumed == 0 ? common : Arguments{"--resume", "--out-dir", "r", "--quiet"}, around()));
    int done = 0;
    for (const auto& child : children) {
      const Outcome outcome = child->wait();
      done += outcome.code == 0;
      if (outcome.code != 0) {
        EXPECT_EQ(outcome.code, 2) << outcome.err;
        // It comes while the winner trains, or after.
        EXPECT_THAT(outcome.err,
                    testing::ContainsRegex("train: --out-dir: r (is in use by another process|holds a run "
                                           "already)"));
      }
    }
    if (resumed == 0)
      EXPECT_EQ(done, 1);
    else
      EXPECT_GE(done, 1);  // a finished run may be resumed again and again
    expect_same_run("r", "whole");
  }
}

}  // namespace
}  // namespace elk::lab::test
