// The fixture of tests that run `train`: a folder with a small data set in it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include <elk/data/digits.hpp>
#include <elk/io/atomic_file.hpp>

#include "experiments/program.hpp"
#include "io/temporary_folder.hpp"

namespace elk::lab::test {

using Json = nlohmann::ordered_json;

class TrainProgram : public testing::Test {
 protected:
  Surroundings around() {
    const std::string number = std::to_string(++started_);
    return {
        .folder = folder_.path(), .out = outputs_ / ("out-" + number), .err = outputs_ / ("err-" + number)};
  }

  Outcome run(const Arguments& arguments) { return Child(arguments, around()).wait(); }

  /// Another program than `train`.
  Surroundings around_program(const std::string& program) {
    Surroundings surroundings = around();
    surroundings.program = ELK_PROGRAMS "/" + program;
    return surroundings;
  }
  Outcome run(const std::string& program, const Arguments& arguments) {
    return Child(arguments, around_program(program)).wait();
  }

  /// Options of a run on 600 examples of a data set laid out like MNIST, 100 of them held out, and 200 to
  /// test: milliseconds. `others` are given too, and win.
  Arguments small(const Arguments& others = {}) {
    if (!std::filesystem::exists(folder_ / "data")) make_mnist(600, 200);
    Arguments arguments = others;
    for (const auto& [option, value] : {std::pair{"--dataset", "mnist"},
                                        {"--data-dir", "data"},
                                        {"--hidden", "8"},
                                        {"--epochs", "2"},
                                        {"--validation", "100"}})
      if (std::find(others.begin(), others.end(), option) == others.end())
        arguments = arguments + Arguments{option, value};
    return arguments;
  }

  /// A data set laid out like MNIST, in the folder "data".
  void make_mnist(Index n_train, Index n_test) {
    const auto [train, test] = digits_train_test(3, n_train, n_test);
    std::filesystem::create_directories(folder_ / "data/mnist");
    write_idx("train", train);
    write_idx("t10k", test);
  }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string file(const std::string& name) const { return read_file(path(name)); }

  /// The history of a run without its times.
  std::string history(const std::string& run) const {
    std::string text;
    std::istringstream lines(file(run + "/history.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      Json row = Json::parse(line);
      row.erase("seconds");
      row.erase("digest");
      text += row.dump() + "\n";
    }
    return text;
  }

  TemporaryFolder folder_;

 private:
  void write_idx(const std::string& name, const Dataset& set) {
    const auto number = [](Index n) {
      return std::string{static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
                         static_cast<char>(n)};
    };
    std::string images = number(2051) + number(set.size()) + number(28) + number(28),
                labels = number(2049) + number(set.size());
    for (const auto pixel : set.images.data<std::uint8_t>()) images += static_cast<char>(pixel);
    for (const auto label : set.labels.data<std::int64_t>()) labels += static_cast<char>(label);
    write_file_atomically(folder_ / ("data/mnist/" + name + "-images-idx3-ubyte"), images);
    write_file_atomically(folder_ / ("data/mnist/" + name + "-labels-idx1-ubyte"), labels);
  }

  TemporaryFolder outputs_;
  int started_ = 0;
};

}  // namespace elk::lab::test
