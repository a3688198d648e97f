// What the C++ peers share: their options, which are those of the Python ones, and reading the raw MNIST
// files.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

struct Options {
  std::string data;
  std::vector<int> layers{784, 925, 10};
  int epochs = 1, batch = 50, threads = 1;
  double lr = 0.5, decay = 0.9;  // lr: for gradients averaged over the batch
  bool fold = false;             // of plain_loops; threads: of libtorch_mlp, the other obeys OMP_NUM_THREADS
};

[[noreturn]] inline void give_up(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(2);
}

// usage: PROGRAM DATA [--layers 784,925,10] [--epochs N] [--batch N] [--lr RATE] [--decay F] [--threads N]
// [--fold]
inline Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] {
      return i + 1 < argc ? std::string(argv[++i]) : (give_up(word + " needs a value"), "");
    };
    if (word == "--layers") {
      o.layers.clear();
      std::stringstream list(value());
      for (std::string item; std::getline(list, item, ',');) o.layers.push_back(std::stoi(item));
    } else if (word == "--epochs") {
      o.epochs = std::stoi(value());
    } else if (word == "--batch") {
      o.batch = std::stoi(value());
    } else if (word == "--threads") {
      o.threads = std::stoi(value());
    } else if (word == "--lr") {
      o.lr = std::stod(value());
    } else if (word == "--decay") {
      o.decay = std::stod(value());
    } else if (word == "--fold") {
      o.fold = true;
    } else if (o.data.empty() && word[0] != '-') {
      o.data = word;
    } else {
      give_up("unknown option " + word);
    }
  }
  if (o.data.empty()) give_up("the folder of the data is missing");
  return o;
}

inline std::vector<unsigned char> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}
