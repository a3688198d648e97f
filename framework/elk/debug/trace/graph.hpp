// What a Trace keeps of a step, and how its graph is drawn. Private to debug/trace*.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <elk/debug/trace.hpp>

namespace elk::tracing {

/// A call of a module.
struct Call {
  const void* module;
  std::uint64_t number;  ///< of all calls
};
struct Calls {
  std::vector<Call> open;  ///< from the outermost
  std::uint64_t count = 0;
};

/// An element of a parameter whose gradient was checked.
struct Checked {
  Index element;      ///< row-major
  double tape;        ///< its gradient by the tape
  double difference;  ///< by the central difference
  double error;       ///< |tape - difference| relative to the largest gradient of the parameter
  bool ok;
  bool corner;  ///< the differences to both sides are not the same: a corner of the loss, relu's at 0 for one
};

/// A tensor of the tape: what an operation gave, or a leaf.
struct Entry {
  std::string kind;         ///< operation, parameter, watched, constant, or earlier: before the trace began
  std::string operation;    ///< that gave it; "" of a leaf
  std::vector<Call> calls;  ///< of the modules that an operation ran in, from the outermost
  bool inside;              ///< a leaf made since the operation before: the module's own affair
  std::vector<int> inputs;  ///< entries
  Tensor value, gradient;   ///< the gradient is undefined where none arrived
  std::vector<std::optional<Tensor>> flow;  ///< what the rule of each input returned, if it ran
  std::vector<Checked> checked;
};

struct Step {
  std::string label;
  std::vector<Entry> entries;
  std::unordered_map<std::uint64_t, int> entry_of;       ///< by the tensor's id
  std::unordered_map<const void*, std::string> kind_of;  ///< describe() of every module
  std::vector<int> backward;                             ///< entries as their gradients were complete
  std::size_t left_out = 0;                              ///< operations beyond the limit
  struct Check {
    DType dtype;
    double loss;     ///< computed again
    bool same_loss;  ///< as was recorded
  };
  std::optional<Check> check;
};

/// What the library knows about one of its operations, or null.
const Explanation* explanation(std::string_view operation);

struct Point {
  double x, y;
};
struct Box {
  double x, y, width, height;  ///< of its upper left corner; pixels
};

/// A call of a module: what it recorded is drawn in a box.
struct Group {
  std::string name;  ///< dotted; "" of the network, and of what it does not list
  std::string kind;  ///< describe()
  int call;          ///< 1, 2, ...
  int parent;        ///< -1: none
  double width = 0;  ///< at least
};
struct Node {
  std::string title, subtitle;
  double width, height;
  int group;  ///< -1: none
  bool leaf;
};
struct Edge {
  int from, to;
};
struct Graph {
  std::vector<Group> groups;  ///< a parent before its children
  std::vector<Node> nodes;
  std::vector<Edge> edges;  ///< each pair once, from an earlier node to a later one
};

struct Layout {
  const char* engine;  ///< "layered" or "graphviz"
  double width, height;
  std::vector<Box> nodes, groups;
  std::vector<std::vector<Point>> edges;  ///< cubic Bezier curves one after another: 1 + 3 n points
};

/// By layers from top to bottom, each group first within itself, then as a box in the one around it.
Layout layered_layout(const Graph& graph);
/// By Graphviz's "dot"; nothing where it is not built in or does not manage.
std::optional<Layout> graphviz_layout(const Graph& graph);

/// In Graphviz's language; without labels nodes have the sizes that layouts are made for.
std::string to_dot(const Graph& graph, bool labels = true);

/// The page's source.
extern const char page_html[], page_css[], page_js[];
/// The page: its parts and the data, a trace as JSON, in one file. No text of the data can end the script
/// that it stands in.
std::string page(const std::string& json);

}  // namespace elk::tracing
