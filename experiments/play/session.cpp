#include "session.hpp"

#include <algorithm>
#include <cmath>

#include <elk/base/format.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/index.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk::play {

namespace {

constexpr double edge = 3;            // of the plane that is shown, to each side of 0
constexpr Index shown_digits = 40;    // of the test set
constexpr Index most_weights = 1200;  // of a layer that the page draws

Json number(double value) {  // as in a trace: JSON has no others
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json numbers(const Tensor& x) {
  Json list = Json::array();
  for (Index i = 0; i < x.size(); ++i) list.push_back(number(x.at(i)));
  return list;
}

Json points_json(const Examples& examples) {
  return {{"points", numbers(examples.points)}, {"labels", numbers(examples.labels)}};
}

Json layer_json(const LayerReport& layer) {
  Json flat = Json::array();
  for (const double share : layer.flat) flat.push_back(number(share));
  return {{"name", layer.name},
          {"units", layer.units},
          {"dead", layer.dead},
          {"flat", std::move(flat)},
          {"distinct", layer.distinct},
          {"mean", number(layer.mean)},
          {"deviation", number(layer.deviation)},
          {"weight_norm", number(layer.weight_norm)},
          {"gradient_norm", number(layer.gradient_norm)},
          {"update_norm", number(layer.update_norm)}};
}

// What the pixels of a plane of size x size stand for, from its upper left corner; or of a line.
Tensor pixels(bool line, Index size) {
  const auto at = [&](Index i) {
    return -edge + 2 * edge * (static_cast<double>(i) + 0.5) / static_cast<double>(size);
  };
  std::vector<double> points;
  for (Index row = 0; row < (line ? 1 : size); ++row)
    for (Index i = 0; i < size; ++i) {
      points.push_back(at(i));
      points.push_back(line ? 0 : -at(row));
    }
  return from(points, {static_cast<Index>(points.size()) / 2, 2});
}

Index whole(const Json& request, const char* member, Index low, Index high, Index otherwise) {
  if (!request.contains(member)) return otherwise;
  const Json& value = request[member];
  if (!value.is_number_integer() || value.get<Index>() < low || value.get<Index>() > high)
    fail<ValueError>("[play] {}: expected a whole number from {} to {}, got {}", member, low, high,
                     shown(value.dump(), 40));
  return value.get<Index>();
}

// What makes a unit give more: the mean of the images, each counted by how far the unit is above its own mean
// there. h (N, units) and images (N, pixels) give (units, pixels).
Tensor images_of(const Tensor& h, const Tensor& images) {
  const Tensor above = h - mean(h, {0}, true), weight = reshape(sum(abs(above), {0}), {h.size(1), 1});
  return matmul_tn(above, images) / maximum(weight, 1e-300);
}

Json preset_json(const Preset& p) {
  return {{"name", p.name},
          {"title", p.title},
          {"state", to_json(p.state)},
          {"steps", p.steps},
          {"shows", p.shows},
          {"why", p.why},
          {"mend", p.mend},
          {"mended", to_json(p.mended)},
          {"chapter", p.chapter},
          {"file", p.file},
          {"section", p.section}};
}

}  // namespace

Playground& Session::playground() {
  if (playground_ == nullptr) fail<ValueError>("[play] nothing was started");
  return *playground_;
}

std::string Session::answer(std::string_view request) {
  try {
    return answer_to(Json::parse(request));
  } catch (const std::exception& error) {  // of ours, or of the reader of JSON
    return Json{{"error", error.what()}}.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

std::string Session::answer_to(const Json& request) {
  const std::string what = request.value("do", "");
  if (what == "choices") return choices().dump();
  if (what == "presets") {
    Json list = Json::array();
    for (const Preset& preset : presets()) list.push_back(preset_json(preset));
    return list.dump();
  }
  if (what == "start") return start(request.value("state", Json::object())).dump();
  if (what == "step") {
    const Index count = whole(request, "count", 1, 100000, 1);
    for (Index i = 1; i <= count; ++i) playground().step(i == count);
    return report().dump();
  }
  if (what == "report") return report().dump();
  if (what == "picture") return draw(whole(request, "size", 2, 200, 50)).dump();
  const Index rows = whole(request, "rows", 0, 500, 0);
  if (what == "lens") {
    const std::string trace = playground().lens(rows);
    const Tensor labels =
        index_select(playground().data().train.labels, 0, from(playground().lens_rows(rows)));
    return "{\"trace\":" + trace + ",\"labels\":" + numbers(labels).dump() + "}";
  }
  if (what == "edit") {
    if (!request.contains("tensor") || !request["tensor"].is_string() || !request.contains("value") ||
        !request["value"].is_number())
      fail<ValueError>("[edit] expected a tensor, an element and a value");
    const Edit change{.tensor = request["tensor"].get<std::string>(),
                      .element = whole(request, "element", 0, 1 << 20, 0),
                      .value = request["value"].get<double>()};
    const double old = playground().edit(change, rows);
    return edited({{"old", number(old)}}).dump();
  }
  if (what == "undo") {
    playground().undo();
    return edited({}).dump();
  }
  if (what == "cpp") {
    const Index steps = playground().steps();
    return Json{{"text", playground().as_cpp(whole(request, "steps", 1, 1000000, steps > 0 ? steps : 500))}}
        .dump();
  }
  fail<ValueError>(
      "[play] expected choices, presets, start, step, report, picture, lens, edit, undo or cpp, got {}",
      shown(what, 40));
}

Json Session::edited(Json answer) {
  answer["edits"] = edits_json(playground().state());
  if (!playground().state().is_digits()) answer["train"] = points_json(playground().data().train);
  return answer;
}

Json Session::start(const Json& json) {
  playground_ = std::make_unique<Playground>(state_from(json));
  grid_size_ = 0;
  const Playground& p = *playground_;
  Json answer{{"state", to_json(p.state())}};
  if (p.state().is_digits()) {
    const Examples& test = p.data().test;
    answer["digits"] = {{"pixels", numbers(slice(test.inputs, 0, 0, shown_digits))},
                        {"labels", numbers(slice(test.labels, 0, 0, shown_digits))}};
  } else {
    answer["train"] = points_json(p.data().train);
    answer["test"] = points_json(p.data().test);
  }
  answer["report"] = report();
  return answer;
}

Json Session::report() {
  const Playground& p = playground();
  const Playground::Score train = p.score(p.data().train), test = p.score(p.data().test);
  Json layers = Json::array(), weights = Json::array();
  for (const LayerReport& layer : p.layers()) layers.push_back(layer_json(layer));
  for (const nn::NamedSlot& parameter : p.net().parameters())
    if (parameter.name.ends_with(".weight")) {
      const Tensor& value = parameter.slot->value();
      weights.push_back(value.size() <= most_weights ? numbers(value) : Json(nullptr));
    }
  Json report{{"steps", p.steps()},
              {"epochs", p.epochs()},
              {"batch_loss", number(p.batch_loss())},
              {"train_loss", number(train.loss)},
              {"test_loss", number(test.loss)},
              {"train_accuracy", number(train.accuracy)},
              {"test_accuracy", number(test.accuracy)},
              {"layers", std::move(layers)},
              {"weights", std::move(weights)}};
  if (!p.state().edits.empty() && !p.state().is_digits()) report["train"] = points_json(p.data().train);
  return report;
}

// Of points: what each layer makes of a plane, or of a line. Of digits: the weights of the first layer, the
// probabilities of some test images, and the images of the units of later layers.
Json Session::draw(Index size) {
  const Playground& p = playground();
  picture_.clear();
  Json parts = Json::array();
  const auto add = [&](const std::string& name, const Tensor& x) {
    parts.push_back(
        {{"name", name}, {"rows", x.size(0)}, {"columns", x.size(1)}, {"offset", picture_.size()}});
    for (const double value : x.data<double>()) picture_.push_back(static_cast<float>(value));
  };
  if (p.state().is_digits()) {
    add("weights", p.net().parameters().front().slot->value());
    add("probabilities", softmax(p.net()(slice(p.data().test.inputs, 0, 0, shown_digits))));
    const std::vector<Tensor> units = p.maps(p.data().train.inputs);
    for (std::size_t i = 2; i < units.size(); ++i)
      add(i + 1 == units.size() ? "output" : fmt::format("layer{}", i), images_of(units[i], units[0]));
    return {{"parts", std::move(parts)}};
  }
  if (grid_size_ != size) {
    grid_ = features_of(p.state(), pixels(p.state().is_curve(), size));
    grid_size_ = size;
  }
  const std::vector<Tensor> maps = p.maps(grid_);
  for (std::size_t i = 0; i < maps.size(); ++i)
    add(i == 0 ? "features" : i + 1 == maps.size() ? "output" : fmt::format("layer{}", i), maps[i]);
  return {{"parts", std::move(parts)}};
}

}  // namespace elk::play
