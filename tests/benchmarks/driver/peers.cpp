#include "peers.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/data/idx.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/train/history.hpp>

#include "child.hpp"
#include "statistics.hpp"

namespace elk::bench {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using Words = std::vector<std::string>;

struct Peer {
  std::string key, title, program, package, library;
  Words options;      // of the peer
  Words elk_options;  // of `train` against it
};

const std::vector<Peer>& peers() {
  static const std::vector<Peer> all{
      {"plain_loops", "plain loops around oneDNN", "plain_loops", "libdnnl-dev", "oneDNN", {}, {}},
      {"plain_loops_folded",
       "plain loops around oneDNN, update folded in",
       "plain_loops",
       "libdnnl-dev",
       "oneDNN",
       {"--fold"},
       {}},
      {"libtorch",
       "PyTorch in C++ (libtorch)",
       "libtorch_mlp",
       "libtorch-dev",
       "libtorch",
       {"--threads", "1"},
       {}},
      {"pytorch", "PyTorch in Python", "torch_mlp.py", "python3-torch", "PyTorch", {"--threads", "1"}, {}},
      {"pytorch_compiled",
       "PyTorch 2 in Python, torch.compile",
       "torch_mlp.py",
       "python3-torch",
       "PyTorch",
       {"--threads", "1", "--compile"},
       {}},
      {"numpy_f64", "NumPy f64", "numpy_mlp.py", "python3-numpy", "NumPy", {}, {}},
      {"numpy_f64_both",
       "NumPy f64, elkgrad f64",
       "numpy_mlp.py",
       "python3-numpy",
       "NumPy",
       {},
       {"--dtype", "f64"}},
      {"pytorch_bf16",
       "PyTorch in Python, bf16 autocast, elkgrad bf16",
       "torch_mlp.py",
       "python3-torch",
       "PyTorch",
       {"--threads", "1", "--bf16"},
       {"--precision", "bf16"}},
  };
  return all;
}

const Peer& peer(const std::string& key) {
  return *std::find_if(peers().begin(), peers().end(), [&](const Peer& p) { return p.key == key; });
}

bool is_python(const std::string& program) { return program.ends_with(".py"); }

// A folder for this run alone.
std::string temporary_folder() {
  std::string path = (fs::temp_directory_path() / "elk-bench-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) throw FileError("[bench] cannot make a folder in /tmp");
  return path;
}

void append_big_endian(std::string& bytes, Index value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
}

// As IDX files, unpacked: what all peers can read.
void unpack(const Dataset& data, const std::string& images, const std::string& labels) {
  std::string bytes;
  for (const Index number : {Index{2051}, data.size(), data.images.size(1), data.images.size(2)})
    append_big_endian(bytes, number);
  const auto pixels = data.images.data<std::uint8_t>();
  bytes.append(pixels.begin(), pixels.end());
  write_file_atomically(images, bytes);
  bytes.clear();
  for (const Index number : {Index{2049}, data.size()}) append_big_endian(bytes, number);
  for (const auto label : data.labels.data<std::int64_t>()) bytes += static_cast<char>(label);
  write_file_atomically(labels, bytes);
}

// Of the epochs but for the first, which warms up.
double median_seconds(std::vector<double> epochs) {
  if (epochs.size() < 2) throw Error("a run of at least two epochs was expected");
  epochs.erase(epochs.begin());
  return Spread(epochs).median;
}

}  // namespace

std::vector<Row> side_by_side_rows() {
  struct Net {
    const char* network;
    int batch, epochs;
    double lr;
    bool small;
  };
  std::vector<Row> rows;
  for (const Net& net : {Net{"784-64-10", 50, 3, 0.5, true}, Net{"784-128-10", 50, 3, 0.5, true},
                         Net{"784-925-10", 50, 3, 0.5, false}, Net{"784-2048-2048-10", 50, 2, 0.1, false},
                         Net{"784-2048-2048-10", 512, 2, 0.1, false}}) {
    std::string layers = net.network;
    std::replace(layers.begin(), layers.end(), '-', ',');
    for (const Peer& p : peers()) {
      if (p.key == "pytorch_bf16" && net.batch != 512) continue;
      if (p.key == "numpy_f64_both" && net.epochs < 3) continue;  // would take half an hour
      rows.push_back({fmt::format("side_by_side/{}/b{}/{}", net.network, net.batch, p.key), net.network,
                      layers, net.batch, net.epochs, net.lr, net.small, p.key});
    }
  }
  return rows;
}

void build_peers() {
  output_of({"cmake", "-S", ELK_PEERS_SOURCE, "-B", ELK_PEERS_BUILD, "-DCMAKE_BUILD_TYPE=Release"}, -1);
  output_of({"cmake", "--build", ELK_PEERS_BUILD}, -1);
}

std::string peers_folder() { return ELK_PEERS_BUILD; }

SideBySide::SideBySide(std::string train, const std::vector<Row>& rows, const std::string& data_dir, int core)
    : train_(std::move(train)), core_(core) {
  const TrainTest mnist = load_mnist(data_dir);
  std::set<std::string> wanted;
  for (const Row& row : rows) wanted.insert(row.peer);
  const bool compiled = std::any_of(wanted.begin(), wanted.end(),
                                    [](const std::string& key) { return !is_python(peer(key).program); });
  if (compiled) {
    try {
      build_peers();
    } catch (const Error& error) {
      left_out_.push_back(fmt::format("peers that could not be built: {}", error.what()));
    }
  }
  for (const Peer& p : peers())
    if (wanted.contains(p.key)) find(p.key);
  folder_ = temporary_folder();
  try {
    unpack(mnist.train, folder_ + "/train-images-idx3-ubyte", folder_ + "/train-labels-idx1-ubyte");
    unpack(mnist.test, folder_ + "/t10k-images-idx3-ubyte", folder_ + "/t10k-labels-idx1-ubyte");
  } catch (...) {
    fs::remove_all(folder_);
    throw;
  }
}

SideBySide::~SideBySide() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void SideBySide::find(const std::string& key) {
  const Peer& p = peer(key);
  if (!p.elk_options.empty() &&
      output_of({train_, "--help"}, -1).find(p.elk_options.front()) == std::string::npos) {
    left_out_.push_back(fmt::format("{}: train has no {}", p.title, p.elk_options.front()));
    return;
  }
  std::vector<Words> commands;  // to be tried
  if (is_python(p.program)) {
    // Debian's packages are for its own Python, which may not be the first in the path.
    for (const char* python : {"python3", "/usr/bin/python3"})
      commands.push_back({python, fmt::format("{}/{}", ELK_PEERS_SOURCE, p.program)});
  } else {
    commands.push_back({fmt::format("{}/{}", ELK_PEERS_BUILD, p.program)});
  }
  for (Words command : commands) {
    Words ask = command;
    // Not every version has every option.
    if (is_python(p.program)) ask.insert(ask.end(), p.options.begin(), p.options.end());
    ask.push_back("--version");
    Finished answer = run_child(ask, -1);
    if (answer.code != 0) continue;
    while (!answer.out.empty() && answer.out.back() == '\n') answer.out.pop_back();
    versions_[p.library] = answer.out;
    found_[key] = command;
    return;
  }
  left_out_.push_back(fmt::format("{}: not installed (on Debian: apt-get install {})", p.title, p.package));
}

bool SideBySide::has(const Row& row) const { return found_.contains(row.peer); }

SideBySide::Run SideBySide::run_elkgrad(const Row& row) {
  const std::string folder = folder_ + "/run";
  fs::remove_all(folder);
  const std::string hidden = row.layers.substr(4, row.layers.size() - 7);  // without "784," and ",10"
  Words command{train_,
                "--dataset=mnist",
                "--data-dir=" + folder_,
                "--hidden=" + hidden,
                "--optimizer=sgd",
                fmt::format("--lr={}", row.lr),
                "--lr-decay=0.9",
                fmt::format("--batch-size={}", row.batch),
                fmt::format("--epochs={}", row.epochs),
                "--validation=0",
                "--threads=1",
                "--out-dir=" + folder,
                "--json",
                "--quiet"};
  const Words& more = peer(row.peer).elk_options;
  command.insert(command.end(), more.begin(), more.end());
  const ordered_json result = ordered_json::parse(output_of(command, core_));
  std::vector<double> epochs;
  const std::string history = folder + "/history.jsonl";
  for (const train::HistoryRow& epoch : train::parse_jsonl(read_file(history), history))
    epochs.push_back(epoch.seconds);
  return {median_seconds(epochs), result.at("test_accuracy").get<double>()};
}

SideBySide::Run SideBySide::run_peer(const Row& row) {
  Words command = found_.at(row.peer).get<Words>();
  const bool sums = row.peer.starts_with("numpy");  // its rate is of gradients summed over the batch
  const Words options{folder_,
                      "--layers",
                      row.layers,
                      "--epochs",
                      fmt::format("{}", row.epochs),
                      "--batch",
                      fmt::format("{}", row.batch),
                      "--lr",
                      fmt::format("{}", sums ? row.lr / row.batch : row.lr)};
  const Words& more = peer(row.peer).options;
  command.insert(command.end(), options.begin(), options.end());
  command.insert(command.end(), more.begin(), more.end());
  std::istringstream lines(output_of(command, core_));
  std::vector<double> epochs;
  double accuracy = 0;
  // epoch 1 sec 0.5 loss 0.4 acc 0.9
  for (std::string word, number, loss; lines >> word >> number >> word;) {
    double seconds = 0;
    lines >> seconds >> word >> loss >> word >> accuracy;
    epochs.push_back(seconds);
  }
  return {median_seconds(epochs), accuracy};
}

ordered_json SideBySide::measure(const Row& row, int pairs, const std::function<void(double)>& pair_done) {
  Pairs measured;
  double our_accuracy = 0, their_accuracy = 0;
  for (int pair = 0; pair < pairs; ++pair) {
    const Run a = run_elkgrad(row), b = run_peer(row);
    our_accuracy = a.accuracy;
    their_accuracy = b.accuracy;
    pair_done(measured.add(a.seconds, b.seconds));
  }
  ordered_json result{{"name", row.name},
                      {"network", row.network},
                      {"batch", row.batch},
                      {"peer", peer(row.peer).title},
                      {"epochs", row.epochs}};
  measured.write(result);
  result["elkgrad_accuracy"] = our_accuracy;
  result["peer_accuracy"] = their_accuracy;
  return result;
}

}  // namespace elk::bench
