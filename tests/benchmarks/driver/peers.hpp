// The side-by-side table: `train` of elkgrad and the same job done by what one would use instead (see
// ../peers).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace elk::bench {

struct Row {
  std::string name;     ///< "side_by_side/784-128-10/b50/pytorch"
  std::string network;  ///< "784-128-10"
  std::string layers;   ///< "784,128,10"
  int batch = 0, epochs = 0;
  double lr = 0;
  bool small = false;  ///< quick to measure
  std::string peer;    ///< its key
};

/// All rows there could be.
std::vector<Row> side_by_side_rows();

/// Builds the peers that are compiled, as far as their libraries are there. Error with what the compiler
/// said.
void build_peers();
/// Where they are then.
std::string peers_folder();

class SideBySide {
 public:
  /// Finds or builds the peers that `rows` want and unpacks MNIST from `data_dir`. `train` is elkgrad's
  /// program. FileError without MNIST.
  SideBySide(std::string train, const std::vector<Row>& rows, const std::string& data_dir, int core);
  ~SideBySide();
  SideBySide(const SideBySide&) = delete;
  SideBySide& operator=(const SideBySide&) = delete;

  /// Why peers are not measured, one a line, with what to install.
  const std::vector<std::string>& left_out() const { return left_out_; }
  /// Of what the peers are built on.
  const nlohmann::ordered_json& versions() const { return versions_; }
  bool has(const Row& row) const;

  /// Both in turn, A B A B ...; an object with the seconds an epoch and the ratios. `pair_done` is called
  /// after each pair with its ratio.
  nlohmann::ordered_json measure(const Row& row, int pairs, const std::function<void(double)>& pair_done);

 private:
  struct Run {
    double seconds, accuracy;
  };
  Run run_elkgrad(const Row& row);
  Run run_peer(const Row& row);
  void find(const std::string& key);

  std::string train_;
  int core_;
  std::string folder_;                                               // of our own, removed in the end
  nlohmann::ordered_json found_ = nlohmann::ordered_json::object();  // command by key
  nlohmann::ordered_json versions_ = nlohmann::ordered_json::object();
  std::vector<std::string> left_out_;
};

}  // namespace elk::bench
