#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/debug/inspect.hpp>
#include <elk/debug/trace/graph.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace tracing {

namespace {

using Json = nlohmann::ordered_json;

// ---- recording ----

void record(Step& step, const std::vector<Call>& open, const Tape::Event& event) {
  if (step.entries.size() >= Trace::entry_limit) {
    ++step.left_out;
    return;
  }
  std::vector<Call> calls;
  for (const Call& call : open) {
    if (call.module == nullptr) continue;  // backward's, of what happened in none
    calls.push_back(call);
    if (!step.kind_of.contains(call.module))
      step.kind_of[call.module] = static_cast<const nn::Module*>(call.module)->describe();
  }
  std::uint64_t last = ~std::uint64_t{0};  // the id of what the operation before gave
  if (!step.entries.empty()) last = step.entries.back().value.id();
  Entry entry{"operation", event.operation, calls, true, {}, event.output, {}, {}, {}};
  for (const Tape::Operand& input : event.inputs) {
    const auto [at, is_new] = step.entry_of.emplace(input.x.id(), static_cast<int>(step.entries.size()));
    if (is_new) {
      const std::string from = input.from != nullptr ? input.from : "";
      const std::string kind = from.empty()          ? "constant"
                               : from == "parameter" ? "parameter"
                               : from == "watch"     ? "watched"
                                                     : "earlier";
      const bool inside = kind == "parameter" || input.x.size() == 1 || input.x.id() > last;
      step.entries.push_back({kind, kind == "earlier" ? from : "", {}, inside, {}, input.x, {}, {}, {}});
    }
    entry.inputs.push_back(at->second);
  }
  entry.flow.resize(entry.inputs.size());
  step.entry_of[event.output.id()] = static_cast<int>(step.entries.size());
  step.entries.push_back(std::move(entry));
}

void record(Step& step, const Tape::Flow& flow) {
  const auto at = step.entry_of.find(flow.tensor);
  if (at == step.entry_of.end()) return;
  Entry& entry = step.entries[static_cast<std::size_t>(at->second)];
  if (flow.dx != nullptr) {
    if (flow.input < entry.flow.size()) entry.flow[flow.input] = *flow.dx;
  } else {
    entry.gradient = flow.dy;
    step.backward.push_back(at->second);
  }
}

// ---- numbers ----

// An f32 as the f64 with the same shortest decimals: 0.1, not 0.10000000149011612.
double decimal(float value) {
  if (!std::isfinite(value)) return value;
#ifdef __cpp_lib_to_chars
  char digits[32];
  const auto written = std::to_chars(digits, std::end(digits), value);
  double result = value;
  std::from_chars(digits, written.ptr, result);
  return result;
#else  // libc++ has them of integers alone
  return std::strtod(fmt::format("{}", value).c_str(), nullptr);
#endif
}

Json number(double value) {  // JSON has no others
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json element(const Tensor& x, Index i) {
  if (x.dtype() == f32) return number(decimal(detail::readable<float>(x)[i]));
  if (x.dtype() == i64) return detail::readable<std::int64_t>(x)[i];
  return number(x.at(i));
}

// `count` of 0, 1, ... n - 1, spread evenly; the first is among them.
std::vector<Index> spread(Index n, Index count) {
  std::vector<Index> list;
  for (Index i = 0; i < std::min(n, count); ++i) list.push_back(n <= count ? i : i * n / count);
  return list;
}

double norm(const Tensor& x) {  // of what is finite; squares may be too large
  double largest = 0, squares = 0;
  for (Index i = 0; i < x.size(); ++i)
    if (const double v = std::abs(x.at(i)); std::isfinite(v)) largest = std::max(largest, v);
  if (largest == 0) return 0;
  for (Index i = 0; i < x.size(); ++i)
    if (const double v = x.at(i) / largest; std::isfinite(v)) squares += v * v;
  return largest * std::sqrt(squares);
}

// All elements of a tensor of at most `limit`, else rows and columns of it.
Json tensor_json(const Tensor& x, Index limit) {
  Json json{{"dtype", name(x.dtype())}, {"shape", Json::array()}};
  for (const Index size : x.shape()) json["shape"].push_back(size);
  double low = INFINITY, high = -INFINITY, sum = 0, squares = 0;
  Index finite = 0, zeros = 0, nan = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const double v = x.at(i);
    nan += std::isnan(v);
    if (!std::isfinite(v)) continue;
    ++finite;
    low = std::min(low, v);
    high = std::max(high, v);
    sum += v;
    zeros += v == 0;
  }
  const double mean = sum / static_cast<double>(finite);
  for (Index i = 0; i < x.size(); ++i)
    if (const double v = x.at(i); std::isfinite(v)) squares += (v - mean) * (v - mean);
  if (finite > 0) {
    const bool single = x.dtype() == f32;
    json["min"] = single ? decimal(static_cast<float>(low)) : low;
    json["max"] = single ? decimal(static_cast<float>(high)) : high;
    json["mean"] = number(mean);
    json["deviation"] = number(std::sqrt(squares / static_cast<double>(finite)));
  }
  json["norm"] = number(norm(x));
  json["zeros"] = zeros;
  if (nan > 0) json["nan"] = nan;
  if (nan + finite < x.size()) json["infinite"] = x.size() - nan - finite;

  Json values = Json::array();
  if (x.size() <= limit) {
    for (Index i = 0; i < x.size(); ++i) values.push_back(element(x, i));
  } else {
    const Index width = x.rank() > 0 ? x.size(-1) : 1, height = x.size() / width;
    const std::vector<Index> columns = spread(width, std::min<Index>(limit, 1024)),
                             rows = spread(height,
                                           std::max<Index>(1, limit / static_cast<Index>(columns.size())));
    for (const Index r : rows)
      for (const Index c : columns) values.push_back(element(x, r * width + c));
    json["rows"] = rows;
    json["columns"] = columns;
  }
  json["values"] = std::move(values);
  return json;
}

// ---- names and groups ----

struct Known {
  std::string name, kind;
};

// A step as it is drawn and written.
struct Drawing {
  std::vector<std::string> names;  // of entries; "" of those without
  Graph graph;
};

class Draw {
 public:
  Draw(const nn::Module* net, const std::map<std::uint64_t, std::string>& names) : names_(names) {
    if (net == nullptr) return;
    const std::vector<inspect::Part> parts = inspect::parts(*net);
    for (const inspect::Part& part : parts) {
      const std::string kind = part.module->describe();
      if (!known_.emplace(part.module, Known{part.name, part.leaf ? kind : kind.substr(0, kind.find('('))})
               .second)
        continue;  // listed before
      for (const nn::NamedSlot& parameter : part.parameters)
        names_.emplace(parameter.slot->value().id(), parameter.name);
      nn::Fields fields;
      const_cast<nn::Module*>(part.module)->fields(fields);  // only lists the members
      for (const nn::Fields::Field& field : fields.list())
        if (field.buffer != nullptr)
          names_.emplace(field.buffer->id(), part.name + (part.name.empty() ? "" : ".") + field.name);
    }
  }

  Drawing operator()(const Step& step) const {
    Drawing drawing;
    const std::vector<int> groups = group(step, drawing.graph);
    for (std::size_t i = 0; i < step.entries.size(); ++i) {
      const Entry& entry = step.entries[i];
      const auto named = names_.find(entry.value.id());
      std::string name = named != names_.end() ? named->second : "";
      drawing.graph.nodes.push_back(node(entry, name, groups[i], drawing.graph));
      drawing.names.push_back(std::move(name));
      std::set<int> sources(entry.inputs.begin(), entry.inputs.end());
      for (const int from : sources) drawing.graph.edges.push_back({from, static_cast<int>(i)});
    }
    return drawing;
  }

 private:
  // A group for each call of a module; the group of each entry.
  std::vector<int> group(const Step& step, Graph& graph) const {
    std::vector<int> result(step.entries.size(), -1);
    std::vector<bool> placed(step.entries.size());
    std::map<std::uint64_t, int> group_of;  // by the call's number
    std::map<const void*, int> calls;
    for (std::size_t i = 0; i < step.entries.size(); ++i) {
      if (step.entries[i].kind != "operation") continue;
      for (const Call& call : step.entries[i].calls) {
        const auto [at, is_new] = group_of.emplace(call.number, static_cast<int>(graph.groups.size()));
        if (is_new) {
          const auto known = known_.find(call.module);
          const Known what = known != known_.end() ? known->second : Known{"", step.kind_of.at(call.module)};
          const std::string title = what.name + (what.name.empty() ? "" : " · ") + what.kind;
          const std::string own = what.name.substr(what.name.rfind('.') + 1);  // beside an edge in the middle
          graph.groups.push_back(
              {what.name, what.kind, ++calls[call.module], result[i],
               std::min(220.0, std::max(30 + 6.4 * letters(title), 50 + 12.8 * letters(own)))});
        }
        result[i] = at->second;
      }
      // Leaves beside the first operation that takes them.
      for (const int input : step.entries[i].inputs) {
        const auto leaf = static_cast<std::size_t>(input);
        if (placed[leaf] || step.entries[leaf].kind == "operation") continue;
        if (step.entries[leaf].inside) result[leaf] = result[i];
        placed[leaf] = true;
      }
    }
    return result;
  }

  static Node node(const Entry& entry, const std::string& name, int group, const Graph& graph) {
    Node node{entry.operation, to_string(entry.value.shape()), 56, 40, group, entry.kind != "operation"};
    if (entry.value.size() == 1) {  // the page shows the number, and that of its gradient
      node.width = 92;
      node.height = 56;
    }
    if (node.leaf) {
      node.title = name.empty() ? entry.kind : name;
      if (entry.value.size() == 1 && name.empty() && entry.kind == "constant") {
        node.title = fmt::format("{:.4g}", entry.value.item());
        node.subtitle = "";
        node.width = 56;
        node.height = 26;
      } else if (entry.kind == "constant" && entry.value.size() == 1) {
        node.height = 40;
      }
      if (group >= 0)  // "fc1.weight" is "weight" in fc1
        if (const std::string& around = graph.groups[static_cast<std::size_t>(group)].name;
            !around.empty() && node.title.starts_with(around + "."))
          node.title = node.title.substr(around.size() + 1);
    } else if (!name.empty()) {
      node.title = name + " = " + entry.operation;
    }
    node.title = inspect::shortened(node.title, 26);
    node.width = std::max({node.width, 26 + 7.4 * letters(node.title), 26 + 6.4 * letters(node.subtitle)});
    return node;
  }

  static double letters(const std::string& text) {  // of UTF-8
    return static_cast<double>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  }

  std::map<std::uint64_t, std::string> names_;
  std::unordered_map<const void*, Known> known_;
};

// ---- trace.json ----

double pixels(double v) { return std::round(10 * v) / 10; }  // no more digits than one can see

Json box_json(const Box& box) {
  return Json::array({pixels(box.x), pixels(box.y), pixels(box.width), pixels(box.height)});
}

Json graph_json(const Graph& graph) {
  Json groups = Json::array(), nodes = Json::array(), edges = Json::array();
  for (const Group& group : graph.groups)
    groups.push_back(
        {{"name", group.name}, {"kind", group.kind}, {"call", group.call}, {"parent", group.parent}});
  // Graphviz takes its time for large graphs.
  std::optional<Layout> found;
  if (graph.nodes.size() <= 500) found = graphviz_layout(graph);
  const Layout layout = found ? *found : layered_layout(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    nodes.push_back({{"title", graph.nodes[i].title},
                     {"subtitle", graph.nodes[i].subtitle},
                     {"group", graph.nodes[i].group},
                     {"box", box_json(layout.nodes[i])}});
  for (std::size_t g = 0; g < graph.groups.size(); ++g) groups[g]["box"] = box_json(layout.groups[g]);
  for (std::size_t e = 0; e < graph.edges.size(); ++e) {
    Json curve = Json::array();
    for (const Point& p : layout.edges[e]) {
      curve.push_back(pixels(p.x));
      curve.push_back(pixels(p.y));
    }
    edges.push_back({{"from", graph.edges[e].from}, {"to", graph.edges[e].to}, {"curve", std::move(curve)}});
  }
  return {{"layout", layout.engine},     {"width", layout.width},     {"height", layout.height},
          {"groups", std::move(groups)}, {"nodes", std::move(nodes)}, {"edges", std::move(edges)}};
}

// What flows to each input: the norm of what its rule returned.
Json flow_json(const Step& step, const Entry& entry, const std::vector<int>& uses, Index limit) {
  Json flow = Json::array();
  for (std::size_t i = 0; i < entry.flow.size(); ++i) {
    const auto& dx = entry.flow[i];
    if (!dx) {
      flow.push_back(nullptr);
      continue;
    }
    Json part{{"norm", number(dx->defined() ? norm(*dx) : 0)}};
    // Where it is all that the input gets, it is the input's gradient.
    const auto input = static_cast<std::size_t>(entry.inputs[i]);
    if (dx->defined() && (uses[input] > 1 || !step.entries[input].gradient.defined()))
      part["dx"] = tensor_json(*dx, limit);
    flow.push_back(std::move(part));
  }
  return flow;
}

Json step_json(const Step& step, const Drawing& drawing, Index limit) {
  std::vector<int> uses(step.entries.size());
  for (const Entry& entry : step.entries)
    for (std::size_t i = 0; i < entry.inputs.size(); ++i)
      uses[static_cast<std::size_t>(entry.inputs[i])] += entry.flow[i].has_value();
  Json entries = Json::array();
  for (std::size_t i = 0; i < step.entries.size(); ++i) {
    const Entry& entry = step.entries[i];
    Json json{{"kind", entry.kind}, {"name", drawing.names[i]}};
    if (!entry.operation.empty()) json["operation"] = entry.operation;
    json["group"] = drawing.graph.nodes[i].group;
    if (entry.kind == "operation") json["inputs"] = entry.inputs;
    json["value"] = tensor_json(entry.value, limit);
    if (entry.gradient.defined()) {
      json["gradient"] = tensor_json(entry.gradient, limit);
      if (entry.kind == "operation") json["flow"] = flow_json(step, entry, uses, limit);
    }
    if (!entry.checked.empty()) {
      Json rows = Json::array();
      for (const Checked& c : entry.checked)
        rows.push_back({{"element", c.element},
                        {"tape", number(c.tape)},
                        {"difference", number(c.difference)},
                        {"error", number(c.error)},
                        {"ok", c.ok},
                        {"corner", c.corner}});
      json["check"] = std::move(rows);
    }
    entries.push_back(std::move(json));
  }
  Json json{{"label", step.label}, {"graph", 0}};
  if (!step.backward.empty()) {
    const Tensor& loss = step.entries[static_cast<std::size_t>(step.backward[0])].value;
    if (loss.size() == 1) json["loss"] = element(loss, 0);
  }
  if (step.left_out > 0) json["left_out"] = step.left_out;
  if (step.check)
    json["check"] = {{"dtype", name(step.check->dtype)},
                     {"loss", number(step.check->loss)},
                     {"same_loss", step.check->same_loss}};
  json["backward"] = step.backward;
  json["entries"] = std::move(entries);
  return json;
}

std::string graph_key(const Graph& graph) {
  std::string key;
  for (const Node& node : graph.nodes)
    key += fmt::format("{}\n{}\n{}\n", node.title, node.subtitle, node.group);
  for (const Edge& edge : graph.edges) key += fmt::format("{} {}\n", edge.from, edge.to);
  for (const Group& group : graph.groups)
    key += fmt::format("{}\n{}\n{}\n", group.name, group.kind, group.parent);
  return key;
}

}  // namespace

std::string page(const std::string& json) {
  std::string data;
  for (const char c : json) data += c == '<' ? "\\u003c" : std::string(1, c);
  std::string text = page_html;
  const auto put = [&](const std::string& mark, const std::string& content) {
    text.replace(text.find(mark), mark.size(), content);
  };
  put("/* script */", page_js);  // from the back: the first mark found is the page's own
  put("/* data */", data);
  put("/* style */", page_css);
  return text;
}

}  // namespace tracing

using namespace tracing;

Trace::Trace() : calls_(std::make_shared<Calls>()) {}

void Trace::begin(const void* subject) { calls_->open.push_back({subject, ++calls_->count}); }

void Trace::end(const void*) {
  if (!calls_->open.empty()) calls_->open.pop_back();  // else it began before the trace did
}

void Trace::follow(Tape& tape, std::string label) {
  auto step = std::make_shared<Step>();
  step->label = label.empty() ? fmt::format("step {}", steps_.size() + 1) : std::move(label);
  tape.observe([step, calls = calls_](const Tape::Event& event) { record(*step, calls->open, event); },
               [step](const Tape::Flow& flow) { record(*step, flow); });
  steps_.push_back(std::move(step));
}

void Trace::name(const Tensor& x, std::string name) { names_[x.id()] = std::move(name); }

void Trace::explain(const std::string& operation, Explanation text) {
  explanations_[operation] = std::move(text);
}

void Trace::check(nn::Module& net, const Tensor& x, const std::function<Tensor(const Tensor& x)>& loss) {
  if (steps_.empty() || steps_.back()->backward.empty())
    fail<TapeError>("[trace] check needs the gradients of a step: call it after backward");
  Step& step = *steps_.back();
  const Tensor& recorded = step.entries[static_cast<std::size_t>(step.backward[0])].value;
  if (recorded.size() != 1)
    fail<TapeError>("[trace] check needs a loss of one element, backward began at {}", recorded.shape());

  const Pause pause;              // live tapes are not to see this
  const inspect::Kept kept(net);  // puts everything back
  const auto entry_of = [&](const nn::NamedSlot& parameter) -> Entry* {
    const auto at = step.entry_of.find(parameter.slot->value().id());
    if (at == step.entry_of.end()) return nullptr;
    Entry& entry = step.entries[static_cast<std::size_t>(at->second)];
    return entry.kind == "parameter" && entry.gradient.defined() ? &entry : nullptr;
  };
  const std::vector<nn::NamedSlot> parameters = net.parameters();
  std::vector<std::pair<nn::Parameter::Slot*, Entry*>> checked;
  for (const nn::NamedSlot& parameter : parameters)
    if (Entry* entry = entry_of(parameter)) checked.emplace_back(parameter.slot.get(), entry);
  if (checked.empty())
    fail<TapeError>("[trace] check: the last step has no gradient of a parameter of this network");

  // In f64 if the loss can do it.
  DType dtype = f64;
  Tensor input;
  const auto compute = [&] { return loss(input).item(); };
  const auto convert = [&](DType to) {
    dtype = to;
    input = is_float(x.dtype()) ? cast(detach(x), to) : x;
    net.to(to);
    for (const auto& [slot, entry] : checked)
      detail::SlotAccess::value(*slot) = cast(detach(entry->value), to);
  };
  Step::Check check{f64, 0, true};
  try {
    convert(f64);
    check.loss = compute();
  } catch (const DTypeError&) {
    convert(recorded.dtype());
    check.loss = compute();
  }
  check.dtype = dtype;
  check.same_loss = std::abs(check.loss - recorded.item()) <= 1e-4 * std::max(1.0, std::abs(recorded.item()));

  // What the difference of two losses can tell, and how close the tape's gradient has to be.
  const bool exact = dtype == f64;
  const double scale = std::max(1.0, std::abs(check.loss));
  const double tolerance = !exact ? 1e-2 : recorded.dtype() == f64 ? 1e-6 : 1e-3;
  for (const auto& pair : checked) {
    nn::Parameter::Slot* const slot = pair.first;
    Entry* const entry = pair.second;
    const Tensor value = slot->value();
    const Index size = value.size();
    // The steepest elements, what is not finite first, and some others.
    std::vector<std::pair<double, Index>> by_slope;
    double steepest = 0;
    for (Index i = 0; i < size; ++i) {
      const double slope = std::abs(entry->gradient.at(i)), known = std::isfinite(slope) ? slope : INFINITY;
      by_slope.emplace_back(-known, i);
      if (std::isfinite(slope)) steepest = std::max(steepest, slope);
    }
    const auto top = by_slope.begin() + std::min<Index>(size, 3);
    std::partial_sort(by_slope.begin(), top, by_slope.end());
    std::set<Index> elements;
    for (auto at = by_slope.begin(); at != top; ++at) elements.insert(at->second);
    for (const Index i : spread(size, 3)) elements.insert(i);

    entry->checked.clear();
    for (const Index i : elements) {
      const double h = (exact ? 1e-5 : 1e-2) * std::max(1.0, std::abs(value.at(i)));
      const auto loss_at = [&](double shift) {
        std::vector<double> moved;
        for (Index k = 0; k < size; ++k) moved.push_back(value.at(k) + (k == i ? shift : 0));
        detail::SlotAccess::value(*slot) = cast(from(moved, value.shape()), dtype);
        return compute();
      };
      const double above = loss_at(h), below = loss_at(-h);
      const double noise = (exact ? 1e-14 : 1e-6) * scale / h;
      Checked c{i, entry->gradient.at(i), (above - below) / (2 * h), 0, false, false};
      const double most = std::max(steepest, std::abs(c.difference));
      const double off = std::abs(c.tape - c.difference);
      c.error = off == 0 ? 0 : off / most;
      c.ok = std::isfinite(off) && off <= tolerance * most + noise;
      c.corner = exact && std::abs(above - 2 * check.loss + below) / h > 0.01 * most + 4 * noise;
      entry->checked.push_back(c);
    }
    detail::SlotAccess::value(*slot) = value;
  }
  step.check = check;
}

std::vector<const Step*> Trace::recorded() const {
  std::vector<const Step*> steps;
  for (const auto& step : steps_)
    if (!step->entries.empty()) steps.push_back(step.get());
  if (steps.empty())
    fail<TapeError>(
        "[trace] nothing was recorded: a Trace follows its tape from before the forward pass, and what is "
        "computed there must depend on a parameter or a watched tensor");
  return steps;
}

void Trace::write(const std::string& path, const nn::Module* net) const {
  const auto ends = [&](const char* ending) { return path.ends_with(ending); };
  if (!ends(".html") && !ends(".json") && !ends(".dot"))
    fail<ValueError>("[trace] {}: expected a name that ends with .html, .json or .dot", shown(path));
  if (ends(".dot")) {
    const Drawing drawing = Draw(net, names_)(*recorded().back());
    return write_file_atomically(path, to_dot(drawing.graph));
  }
  const std::string text = json(net);
  write_file_atomically(path, ends(".html") ? page(text) : text + "\n");
}

std::string Trace::json(const nn::Module* net) const {
  const std::vector<const Step*> steps = recorded();
  const Draw draw(net, names_);
  Json operations = Json::object(), graphs = Json::array(), list = Json::array();
  std::map<std::string, std::size_t> known;  // most steps have the same graph
  const Index limit = std::clamp<Index>(32768 / static_cast<Index>(steps.size()), 256, 8192);
  for (const Step* step : steps) {
    const Drawing drawing = draw(*step);
    const auto [at, is_new] = known.emplace(graph_key(drawing.graph), graphs.size());
    if (is_new) graphs.push_back(graph_json(drawing.graph));
    list.push_back(step_json(*step, drawing, limit));
    list.back()["graph"] = at->second;
    for (const Entry& entry : step->entries) {
      const auto own = explanations_.find(entry.operation);
      const Explanation* text = own != explanations_.end() ? &own->second : explanation(entry.operation);
      if (text != nullptr && !operations.contains(entry.operation))
        operations[entry.operation] = {{"formula", text->formula},
                                       {"words", text->words},
                                       {"rules", text->rules},
                                       {"rule_words", text->rule_words}};
    }
  }
  const Json all{{"format", "elkgrad-trace/1"},
                 {"network", net != nullptr ? Json(net->describe()) : Json(nullptr)},
                 {"operations", std::move(operations)},
                 {"graphs", std::move(graphs)},
                 {"steps", std::move(list)}};
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);  // names may be no UTF-8
}

}  // namespace elk
