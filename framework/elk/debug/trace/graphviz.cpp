#include <algorithm>

#include <elk/base/format.hpp>
#include <elk/debug/trace/graph.hpp>

#ifdef ELK_GRAPHVIZ
#include <graphviz/gvc.h>

#include <cstdlib>
#include <map>
#include <mutex>
#endif

namespace elk::tracing {

namespace {

// Text inside quotes: as it is, and not as an escape or an HTML entity.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
      continue;
    }
    if (c != '\0') result += c;
    if (c == '&') result += "amp;";
  }
  return result;
}

void write_group(const Graph& graph, int group, bool labels, std::string& text) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.group != group) continue;
    text += fmt::format("  n{} [", i);
    if (labels)
      text += fmt::format("label=\"{}{}{}\"", escaped(node.title), node.subtitle.empty() ? "" : "\\n",
                          escaped(node.subtitle));
    else
      text += fmt::format("width={:.4f}, height={:.4f}", node.width / 72, node.height / 72);
    text += node.leaf ? ", style=rounded];\n" : "];\n";
  }
  for (std::size_t g = 0; g < graph.groups.size(); ++g) {
    const Group& inner = graph.groups[g];
    if (inner.parent != group) continue;
    text += fmt::format("  subgraph cluster_{} {{\n", g);
    if (labels)
      text += fmt::format("  label=\"{}{}{}\";\n", escaped(inner.name), inner.name.empty() ? "" : ": ",
                          escaped(inner.kind));
    else  // letters that nobody sees, for the room that the title takes
      text +=
          fmt::format("  label=\"{}\"; fontsize=11;\n",
                      std::string(static_cast<std::size_t>(std::max(1.0, (inner.width - 16) / 8.6)), 'm'));
    write_group(graph, static_cast<int>(g), labels, text);
    text += "  }\n";
  }
}

// Invisible edges that keep the leaves of a module below what goes into the module: it stands by itself then,
// and not beside the one before.
std::string below_what_feeds(const Graph& graph) {
  std::vector<std::vector<std::size_t>> leaves(graph.groups.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (graph.nodes[i].leaf && graph.nodes[i].group >= 0)
      leaves[static_cast<std::size_t>(graph.nodes[i].group)].push_back(i);
  const auto in = [&](int node, std::size_t group) {
    int g = graph.nodes[static_cast<std::size_t>(node)].group;
    while (g > static_cast<int>(group)) g = graph.groups[static_cast<std::size_t>(g)].parent;
    return g == static_cast<int>(group);
  };
  std::string text;
  for (std::size_t g = 0; g < graph.groups.size(); ++g)
    for (const Edge& edge : graph.edges)
      if (in(edge.to, g) && !in(edge.from, g) && !graph.nodes[static_cast<std::size_t>(edge.from)].leaf)
        for (const std::size_t leaf : leaves[g])
          text += fmt::format("  n{} -> n{} [style=invis];\n", edge.from, leaf);
  return text;
}

}  // namespace

std::string to_dot(const Graph& graph, bool labels) {
  std::string text = "digraph trace {\n";
  text += labels ? "  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n"
                   "  graph [fontname=\"sans-serif\", fontsize=11];\n"
                 : "  node [shape=box, label=\"\", fixedsize=true];\n  edge [dir=none];\n"
                   "  graph [nodesep=0.33, ranksep=0.47, newrank=true];\n";
  write_group(graph, -1, labels, text);
  for (const Edge& edge : graph.edges) {
    // What operations give stands above them, straight; parameters join from the side.
    const bool leaf = graph.nodes[static_cast<std::size_t>(edge.from)].leaf;
    text += fmt::format("  n{} -> n{}{};\n", edge.from, edge.to, leaf ? "" : " [weight=10]");
  }
  if (!labels) text += below_what_feeds(graph);
  return text + "}\n";
}

#ifndef ELK_GRAPHVIZ

std::optional<Layout> graphviz_layout(const Graph&) { return std::nullopt; }

#else

namespace {

constexpr double margin = 12;

struct Reader {
  Layout layout;
  double top;

  Point point(pointf p) const { return {p.x + margin, top - p.y + margin}; }

  void read(Agraph_t* g) {
    for (Agraph_t* s = agfstsubg(g); s != nullptr; s = agnxtsubg(s)) {
      const boxf b = GD_bb(s);
      const Point corner = point({b.LL.x, b.UR.y});
      layout.groups[number(agnameof(s) + 8)] = {corner.x, corner.y, b.UR.x - b.LL.x, b.UR.y - b.LL.y};
      read(s);
    }
  }
  static std::size_t number(const char* digits) { return std::strtoul(digits, nullptr, 10); }
};

}  // namespace

std::optional<Layout> graphviz_layout(const Graph& graph) {
  static std::mutex mutex;  // the library is for one thread
  const std::lock_guard lock(mutex);
  // Made once: what it loads stays loaded.
  static GVC_t* const context = gvContext();
  if (context == nullptr) return std::nullopt;
  agseterr(AGMAX);  // its messages are not for our users
  Agraph_t* g = agmemread(to_dot(graph, false).c_str());
  if (g == nullptr) return std::nullopt;
  std::optional<Layout> result;
  if (gvLayout(context, g, "dot") == 0) {
    const boxf all = GD_bb(g);
    Reader reader{{"graphviz", all.UR.x + 2 * margin, all.UR.y + 2 * margin, {}, {}, {}}, all.UR.y};
    Layout& layout = reader.layout;
    layout.nodes.resize(graph.nodes.size());
    layout.groups.resize(graph.groups.size());
    reader.read(g);
    std::map<std::pair<std::size_t, std::size_t>, std::vector<Point>> curves;
    for (Agnode_t* node = agfstnode(g); node != nullptr; node = agnxtnode(g, node)) {
      const std::size_t i = Reader::number(agnameof(node) + 1);
      const Point p = reader.point(ND_coord(node));
      const Node& size = graph.nodes[i];
      layout.nodes[i] = {p.x - size.width / 2, p.y - size.height / 2, size.width, size.height};
      for (Agedge_t* edge = agfstout(g, node); edge != nullptr; edge = agnxtout(g, edge)) {
        auto& curve = curves[{i, Reader::number(agnameof(aghead(edge)) + 1)}];
        if (ED_spl(edge) == nullptr) continue;
        const bezier spline = ED_spl(edge)->list[0];
        for (int k = 0; k < static_cast<int>(spline.size); ++k) curve.push_back(reader.point(spline.list[k]));
      }
    }
    for (const Edge& edge : graph.edges)
      layout.edges.push_back(
          curves[{static_cast<std::size_t>(edge.from), static_cast<std::size_t>(edge.to)}]);
    result = std::move(layout);
    gvFreeLayout(context, g);
  }
  agclose(g);
  return result;
}

#endif

}  // namespace elk::tracing
