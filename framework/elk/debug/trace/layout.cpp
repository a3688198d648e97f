// Where the nodes of a graph go: K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of
// hierarchical system structures", 1981. A box within a box is laid out by itself, so that boxes of modules
// never overlap.
#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include <elk/debug/trace/graph.hpp>

namespace elk::tracing {

namespace {

constexpr double node_gap = 24, rank_gap = 34, padding = 16, heading = 24, margin = 12;
// Edges between operations are to be straight before those of data are, and these before those of what
// belongs to a module.
constexpr double data_weight = 0.3, own_weight = 0.02;
// An edge over more ranks is drawn as it comes: a weight that a thousand operations share would need a
// million places.
constexpr int longest = 30;

// An edge from one item to another. It leads straight down where the other one's centre is `offset` to the
// right of this one's: ends of edges need not be in the middle of boxes.
struct Link {
  int to;
  double weight, offset;
};

// What one level arranges: a node, the box of a group, or a place that an edge passes on its way.
struct Item {
  double width, height;
  int order;  // of its first node on the tape
  enum { inner, top, bottom } where = inner;
  int rank = 0;
  double x = 0, y = 0;  // of its centre
  std::vector<Link> above = {}, below = {};
};

// The positions closest to `wanted`, by weighted squares, of which each is at least `gaps[i]` behind the one
// before: isotonic regression by pooling adjacent violators.
std::vector<double> spaced(std::vector<double> wanted, const std::vector<double>& weights,
                           const std::vector<double>& gaps) {
  struct Pool {
    double mean, weight;
    std::size_t count;
  };
  std::vector<double> offset(wanted.size());
  std::vector<Pool> pools;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    offset[i] = i == 0 ? 0 : offset[i - 1] + gaps[i];
    Pool pool{wanted[i] - offset[i], weights[i], 1};
    for (; !pools.empty() && pools.back().mean >= pool.mean; pools.pop_back()) {
      const Pool& left = pools.back();
      pool = {(left.mean * left.weight + pool.mean * pool.weight) / (left.weight + pool.weight),
              left.weight + pool.weight, left.count + pool.count};
    }
    pools.push_back(pool);
  }
  std::size_t i = 0;
  for (const Pool& pool : pools)
    for (std::size_t k = 0; k < pool.count; ++k, ++i) wanted[i] = pool.mean + offset[i];
  return wanted;
}

class Level {
 public:
  int add(const Item& item) {
    items.push_back(item);
    return static_cast<int>(items.size()) - 1;
  }
  void connect(int from, int to, double weight, double offset) {
    links_.try_emplace({from, to}, Link{to, 0, offset}).first->second.weight += weight;
    has_above_.insert(to);
    has_below_.insert(from);
  }

  // Doors are where edges from outside come in, at the top, and leave, at the bottom: so that they are not
  // led over others. Only where there are others; `node` is the end outside.
  void enter(int node, int item, double weight, double offset) {
    if (!has_above_.contains(item) || door(item, node, false) >= 0) return;
    const int door = add({8, 0, node, Item::top});
    doors_[{item, node, false}] = door;
    links_[{door, item}] = {item, weight, offset};
  }
  void leave(int item, int node, double weight, double offset) {
    if (!has_below_.contains(item) || door(item, node, true) >= 0) return;
    const int door = add({8, 0, node, Item::bottom});
    doors_[{item, node, true}] = door;
    links_[{item, door}] = {door, weight, offset};
  }
  // The door of an edge between an item and a node outside, or -1.
  int door(int item, int node, bool leaves) const {
    const auto at = doors_.find({item, node, leaves});
    return at != doors_.end() ? at->second : -1;
  }

  void arrange(double at_least) {
    rank();
    lead_through();
    order();
    place();
    const double more = std::max(0.0, at_least - width);
    for (Item& i : items) i.x += more / 2;
    width += more;
  }

  // The points that the edge from one item to another passes between them.
  std::vector<Point> passes(int from, int to) const {
    std::vector<Point> points;
    if (const auto at = passes_.find({from, to}); at != passes_.end())
      for (const int i : at->second) pass(i, points);
    return points;
  }
  void pass(int i, std::vector<Point>& points) const {
    const Item& item = items[static_cast<std::size_t>(i)];
    const auto& [top, bottom] = span_[static_cast<std::size_t>(item.rank)];
    points.push_back({item.x, top});
    points.push_back({item.x, bottom});
  }

  std::vector<Item> items;
  double width = 0, height = 0;

 private:
  Item& item(int i) { return items[static_cast<std::size_t>(i)]; }

  // As far down as what comes before demands; what nothing comes before, as far as what follows allows.
  void rank() {
    std::vector<int> waiting(items.size()), ready;
    std::vector<std::vector<int>> next(items.size());
    for (const auto& [edge, unused] : links_) {
      next[static_cast<std::size_t>(edge.first)].push_back(edge.second);
      ++waiting[static_cast<std::size_t>(edge.second)];
    }
    const std::vector<int> incoming = waiting;
    for (std::size_t i = 0; i < items.size(); ++i)
      if (waiting[i] == 0) ready.push_back(static_cast<int>(i));
    for (std::size_t k = 0; k < ready.size(); ++k)
      for (const int to : next[static_cast<std::size_t>(ready[k])]) {
        item(to).rank = std::max(item(to).rank, item(ready[k]).rank + 1);
        if (--waiting[static_cast<std::size_t>(to)] == 0) ready.push_back(to);
      }
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (incoming[i] > 0 || next[i].empty() || items[i].where == Item::top) continue;
      int first = std::numeric_limits<int>::max();
      for (const int to : next[i]) first = std::min(first, item(to).rank);
      items[i].rank = first - 1;
    }
    int last = 0;
    for (const Item& i : items) last = std::max(last, i.rank);
    for (Item& i : items)
      if (i.where == Item::bottom) i.rank = last;
    ranks_.resize(static_cast<std::size_t>(last) + 1);
  }

  // Cuts edges over several ranks into edges from rank to rank.
  void lead_through() {
    for (const auto& [edge, straight] : links_) {
      int from = edge.first;
      if (item(edge.second).rank - item(from).rank > longest) continue;
      for (int r = item(from).rank + 1; r < item(edge.second).rank; ++r) {
        const int between = add({8, 0, item(edge.first).order, Item::inner, r});
        passes_[edge].push_back(between);
        link(from, {between, straight.weight, 0});
        from = between;
      }
      link(from, {edge.second, straight.weight, from == edge.first ? straight.offset : 0});
    }
    for (std::size_t i = 0; i < items.size(); ++i)
      ranks_[static_cast<std::size_t>(items[i].rank)].push_back(static_cast<int>(i));
    for (auto& rank : ranks_)
      std::stable_sort(rank.begin(), rank.end(), [&](int a, int b) { return item(a).order < item(b).order; });
  }

  void link(int from, const Link& down) {
    item(from).below.push_back(down);
    item(down.to).above.push_back({from, down.weight, -down.offset});
  }

  // Sorts each rank by where its neighbours are, down and up again and again, and keeps the order with the
  // fewest crossings.
  void order() {
    auto best = ranks_;
    std::size_t fewest = crossings();
    for (int sweep = 0; sweep < 8 && fewest > 0; ++sweep) {
      const bool down = sweep % 2 == 0;
      for (std::size_t k = 0; k < ranks_.size(); ++k) {
        auto& rank = ranks_[down ? k : ranks_.size() - 1 - k];
        const std::vector<int> place = places();
        std::map<int, double> wanted;
        for (const int i : rank) {
          double sum = 0, total = 0;
          for (const Link& link : down ? item(i).above : item(i).below) {
            sum += link.weight * place[static_cast<std::size_t>(link.to)];
            total += link.weight;
          }
          wanted[i] = total > 0 ? sum / total : place[static_cast<std::size_t>(i)];
        }
        std::stable_sort(rank.begin(), rank.end(), [&](int a, int b) { return wanted[a] < wanted[b]; });
      }
      if (const std::size_t now = crossings(); now < fewest) {
        fewest = now;
        best = ranks_;
      }
    }
    ranks_ = best;
  }

  std::vector<int> places() const {
    std::vector<int> place(items.size());
    for (const auto& rank : ranks_)
      for (std::size_t k = 0; k < rank.size(); ++k)
        place[static_cast<std::size_t>(rank[k])] = static_cast<int>(k);
    return place;
  }

  std::size_t crossings() {
    const std::vector<int> place = places();
    std::size_t count = 0;
    for (const auto& rank : ranks_) {
      std::vector<std::pair<int, int>> edges;  // places above and below, by the place above
      for (const int i : rank)
        for (const Link& link : item(i).below)
          edges.emplace_back(place[static_cast<std::size_t>(i)], place[static_cast<std::size_t>(link.to)]);
      for (std::size_t a = 0; a < edges.size(); ++a)
        for (std::size_t b = a + 1; b < edges.size(); ++b)
          count += edges[a].first != edges[b].first && edges[a].second > edges[b].second;
    }
    return count;
  }

  // Each item as close to the middle of its neighbours as the others of its rank let it.
  void place() {
    for (auto& rank : ranks_) {
      double x = 0;
      for (const int i : rank) {
        item(i).x = x + item(i).width / 2;
        x += item(i).width + node_gap;
      }
    }
    for (int sweep = 0; sweep < 16; ++sweep)
      for (std::size_t k = 0; k < ranks_.size(); ++k) {
        const auto& rank = ranks_[sweep % 2 == 0 ? k : ranks_.size() - 1 - k];
        std::vector<double> wanted, weights, gaps;
        for (std::size_t p = 0; p < rank.size(); ++p) {
          const Item& i = item(rank[p]);
          double sum = 0, total = 0;
          for (const auto* side : {&i.above, &i.below})
            for (const Link& link : *side) {
              sum += link.weight * (item(link.to).x - link.offset);
              total += link.weight;
            }
          wanted.push_back(total > 0 ? sum / total : i.x);
          weights.push_back(std::max(total, own_weight));
          gaps.push_back(p == 0 ? 0 : (item(rank[p - 1]).width + i.width) / 2 + node_gap);
        }
        const std::vector<double> x = spaced(wanted, weights, gaps);
        for (std::size_t p = 0; p < rank.size(); ++p) item(rank[p]).x = x[p];
      }
    double left = std::numeric_limits<double>::infinity(), right = -left, y = 0;
    for (const auto& rank : ranks_) {
      double high = 0;
      for (const int i : rank) high = std::max(high, item(i).height);
      // What has nothing above it stands close to what takes it.
      for (const int i : rank) item(i).y = y + (item(i).above.empty() ? high - item(i).height / 2 : high / 2);
      span_.emplace_back(y, y + high);
      y += high + rank_gap;
    }
    for (const Item& i : items) {
      left = std::min(left, i.x - i.width / 2);
      right = std::max(right, i.x + i.width / 2);
    }
    for (Item& i : items) i.x -= left;
    width = right - left;
    height = y - rank_gap;
  }

  std::map<std::pair<int, int>, Link> links_;
  std::set<int> has_above_, has_below_;
  std::map<std::tuple<int, int, bool>, int> doors_;  // item, node outside, whether the edge leaves
  std::map<std::pair<int, int>, std::vector<int>> passes_;
  std::vector<std::vector<int>> ranks_;
  std::vector<std::pair<double, double>> span_;  // top and bottom of each rank
};

}  // namespace

Layout layered_layout(const Graph& graph) {
  const std::size_t n = graph.nodes.size(), m = graph.groups.size();
  const auto node = [&](int i) -> const Node& { return graph.nodes[static_cast<std::size_t>(i)]; };
  // Levels: one within each group, and, last, that of what is in none.
  std::vector<Level> levels(m + 1);
  const auto level_of = [&](int group) { return group < 0 ? m : static_cast<std::size_t>(group); };
  std::vector<std::vector<int>> nodes_in(m + 1), groups_in(m + 1);
  std::vector<int> first(m, std::numeric_limits<int>::max());  // operation of each group
  const auto around = [&](int i) {                             // the groups around a node, from the innermost
    std::vector<int> list;
    for (int g = node(i).group; g >= 0; g = graph.groups[static_cast<std::size_t>(g)].parent)
      list.push_back(g);
    return list;
  };
  for (std::size_t i = 0; i < n; ++i) {
    nodes_in[level_of(graph.nodes[i].group)].push_back(static_cast<int>(i));
    if (!graph.nodes[i].leaf)
      for (const int g : around(static_cast<int>(i)))
        first[static_cast<std::size_t>(g)] =
            std::min(first[static_cast<std::size_t>(g)], static_cast<int>(i));
  }
  for (std::size_t g = 0; g < m; ++g)
    groups_in[level_of(graph.groups[g].parent)].push_back(static_cast<int>(g));

  const auto weight = [&](const Edge& edge) {
    return !node(edge.from).leaf ? 1 : node(edge.from).group < 0 ? data_weight : own_weight;
  };

  // An edge belongs to the innermost level that has both of its ends, leaves groups before and enters groups
  // behind it.
  struct Route {
    std::size_t level;
    std::vector<int> leaves, enters;  // groups, from the innermost
  };
  std::vector<Route> routes;
  std::vector<std::vector<std::size_t>> edges_in(m + 1), leaving(m), entering(m);
  for (const Edge& edge : graph.edges) {
    Route route{m, around(edge.from), around(edge.to)};
    while (!route.leaves.empty() && !route.enters.empty() && route.leaves.back() == route.enters.back()) {
      route.level = level_of(route.leaves.back());
      route.leaves.pop_back();
      route.enters.pop_back();
    }
    edges_in[route.level].push_back(routes.size());
    for (const int g : route.leaves) leaving[static_cast<std::size_t>(g)].push_back(routes.size());
    for (const int g : route.enters) entering[static_cast<std::size_t>(g)].push_back(routes.size());
    routes.push_back(std::move(route));
  }

  // The item of a level that is a node or has it inside, and how far to the right of the item's middle an
  // edge of the node has its end. `groups`: which of the groups around the node are within the level.
  std::vector<int> item_of_node(n), item_of_group(m);
  const auto item = [&](int i, const std::vector<int>& groups) {
    return groups.empty() ? item_of_node[static_cast<std::size_t>(i)]
                          : item_of_group[static_cast<std::size_t>(groups.back())];
  };
  const auto end = [&](int i, const std::vector<int>& groups, int other, bool leaves) {
    double x = 0;
    int at = item_of_node[static_cast<std::size_t>(i)];
    for (const int g : groups) {
      const Level& level = levels[static_cast<std::size_t>(g)];
      const int door = level.door(at, other, leaves);
      x = (door >= 0 ? 0 : x) + level.items[static_cast<std::size_t>(door >= 0 ? door : at)].x -
          level.width / 2;
      at = item_of_group[static_cast<std::size_t>(g)];
    }
    return x;
  };
  const auto inside = [](const std::vector<int>& groups, int group) {  // those before it
    return std::vector<int>(groups.begin(), std::find(groups.begin(), groups.end(), group));
  };

  // From the innermost outwards: a box must have its size before it is placed. Parents come before children.
  std::vector<std::size_t> outwards(m + 1);
  std::iota(outwards.begin(), outwards.end(), std::size_t{0});
  std::reverse(outwards.begin(), outwards.end() - 1);
  for (const std::size_t l : outwards) {
    Level& level = levels[l];
    for (const int i : nodes_in[l])
      item_of_node[static_cast<std::size_t>(i)] = level.add({node(i).width, node(i).height, i});
    for (const int g : groups_in[l]) {
      const Level& inner = levels[static_cast<std::size_t>(g)];
      item_of_group[static_cast<std::size_t>(g)] = level.add(
          {inner.width + 2 * padding, inner.height + heading + padding, first[static_cast<std::size_t>(g)]});
    }
    for (const std::size_t e : edges_in[l]) {
      const Edge& edge = graph.edges[e];
      const auto& [unused, leaves, enters] = routes[e];
      level.connect(item(edge.from, leaves), item(edge.to, enters), weight(edge),
                    end(edge.from, leaves, edge.to, true) - end(edge.to, enters, edge.from, false));
    }
    if (l < m) {
      const int g = static_cast<int>(l);
      for (const std::size_t e : entering[l]) {
        const Edge& edge = graph.edges[e];
        const std::vector<int> groups = inside(routes[e].enters, g);
        level.enter(edge.from, item(edge.to, groups), weight(edge), -end(edge.to, groups, edge.from, false));
      }
      for (const std::size_t e : leaving[l]) {
        const Edge& edge = graph.edges[e];
        const std::vector<int> groups = inside(routes[e].leaves, g);
        level.leave(item(edge.from, groups), edge.to, weight(edge), end(edge.from, groups, edge.to, true));
      }
    }
    level.arrange(l < m ? graph.groups[l].width - 2 * padding : 0);
  }

  // From the outermost inwards: where each level begins.
  Layout layout{"layered", levels[m].width + 2 * margin, levels[m].height + 2 * margin, {}, {}, {}};
  std::vector<Point> origin(m + 1, {margin, margin});
  const auto box = [&](std::size_t l, int i) {
    const Item& it = levels[l].items[static_cast<std::size_t>(i)];
    return Box{origin[l].x + it.x - it.width / 2, origin[l].y + it.y - it.height / 2, it.width, it.height};
  };
  for (std::size_t g = 0; g < m; ++g) {
    layout.groups.push_back(box(level_of(graph.groups[g].parent), item_of_group[g]));
    origin[g] = {layout.groups[g].x + padding, layout.groups[g].y + heading};
  }
  for (std::size_t i = 0; i < n; ++i)
    layout.nodes.push_back(box(level_of(graph.nodes[i].group), item_of_node[i]));

  // Edges from the middle of a node, on their way, and side by side into the other node.
  std::vector<std::vector<std::size_t>> arriving(n);
  std::vector<std::vector<Point>> ways;
  for (std::size_t e = 0; e < graph.edges.size(); ++e) {
    const Edge& edge = graph.edges[e];
    const auto& [l, leaves, enters] = routes[e];
    const Box& from = layout.nodes[static_cast<std::size_t>(edge.from)];
    std::vector<Point> way{{from.x + from.width / 2, from.y + from.height}};
    const auto append = [&](const std::vector<Point>& points, std::size_t level) {
      for (const Point& p : points) way.push_back({origin[level].x + p.x, origin[level].y + p.y});
    };
    for (const int g : leaves) {
      const Level& level = levels[static_cast<std::size_t>(g)];
      const int at = item(edge.from, inside(leaves, g)), door = level.door(at, edge.to, true);
      if (door < 0) continue;
      std::vector<Point> points = level.passes(at, door);
      level.pass(door, points);
      append(points, static_cast<std::size_t>(g));
    }
    append(levels[l].passes(item(edge.from, leaves), item(edge.to, enters)), l);
    for (auto g = enters.rbegin(); g != enters.rend(); ++g) {
      const Level& level = levels[static_cast<std::size_t>(*g)];
      const int at = item(edge.to, inside(enters, *g)), door = level.door(at, edge.from, false);
      if (door < 0) continue;
      std::vector<Point> points;
      level.pass(door, points);
      append(points, static_cast<std::size_t>(*g));
      append(level.passes(door, at), static_cast<std::size_t>(*g));
    }
    ways.push_back(std::move(way));
    arriving[static_cast<std::size_t>(edge.to)].push_back(e);
  }
  for (std::size_t i = 0; i < n; ++i) {
    auto& list = arriving[i];
    std::stable_sort(list.begin(), list.end(),
                     [&](std::size_t a, std::size_t b) { return ways[a].back().x < ways[b].back().x; });
    const Box& to = layout.nodes[i];
    const double middle = to.x + to.width / 2, reach = 0.3 * to.width,
                 step = std::min(16.0,
                                 0.7 * to.width / static_cast<double>(std::max<std::size_t>(list.size(), 1)));
    std::vector<double> wanted, weights, gaps;  // straight down if it can be, above all from operations
    for (const std::size_t e : list) {
      wanted.push_back(std::clamp(ways[e].back().x, middle - reach, middle + reach));
      weights.push_back(weight(graph.edges[e]));
      gaps.push_back(step);
    }
    const std::vector<double> x = spaced(wanted, weights, gaps);
    for (std::size_t k = 0; k < list.size(); ++k) ways[list[k]].push_back({x[k], to.y});
  }
  for (const auto& way : ways) {
    std::vector<Point> curve{way[0]};
    for (std::size_t k = 1; k < way.size(); ++k) {
      const Point a = way[k - 1], b = way[k];
      const double half = (b.y - a.y) / 2;
      curve.insert(curve.end(), {{a.x, a.y + half}, {b.x, b.y - half}, b});
    }
    layout.edges.push_back(std::move(curve));
  }
  return layout;
}

}  // namespace elk::tracing
