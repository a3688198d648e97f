#include "api.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/data/center.hpp>
#include <elk/ops/shape.hpp>
#include <lab/config.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>

#include "familiar.hpp"
#include "page.hpp"

namespace elk::demo {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr Index pixel_count = 28 * 28, longest_side = 400;
constexpr std::size_t most_units = 8, most_items = 100;

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) {
  throw HttpError(400, fmt::format(text, std::forward<Args>(args)...));
}

Reply reply(const ordered_json& object) {
  return {.body = object.dump(-1, ' ', false, ordered_json::error_handler_t::replace)};
}

// The JSON object that is a request's body, which has no other fields than those.
json object_of(const Request& request, const std::vector<std::string>& fields) {
  static constexpr int deepest = 4;  // nothing here is nested more, and each level takes memory
  json object;
  try {
    object = json::parse(request.body, [](int depth, json::parse_event_t, json&) {
      if (depth > deepest) refuse("the JSON is nested more than {} deep", deepest);
      return true;
    });
  } catch (const json::exception& error) {
    refuse("the body is not JSON: {}", error.what());
  }
  if (!object.is_object()) refuse("expected a JSON object, found {}", object.type_name());
  for (const auto& item : object.items())
    if (std::find(fields.begin(), fields.end(), item.key()) == fields.end())
      refuse("there is no field \"{}\" here; there are {}", item.key(), fmt::join(fields, ", "));
  return object;
}

std::int64_t whole_number(const json& object, const char* field, std::int64_t low, std::int64_t high) {
  const json& value = object[field];
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) ||
      value.get<std::int64_t>() < low || value.get<std::int64_t>() > high)
    refuse("{}: expected a whole number from {} to {}, found {}", field, low, high,
           value.is_number() ? value.dump() : value.type_name());
  return value.get<std::int64_t>();
}

std::vector<double> numbers(const json& object, const char* field, Index count, double high) {
  const json& list = object[field];
  if (!list.is_array() || static_cast<Index>(list.size()) != count)
    refuse("{}: expected {} numbers from 0 to {}, found {}", field, count, high,
           list.is_array() ? std::to_string(list.size()) : list.type_name());
  std::vector<double> values;
  values.reserve(list.size());
  for (const json& item : list) {
    if (!item.is_number() || !(item.get<double>() >= 0 && item.get<double>() <= high))
      refuse("{}: expected numbers from 0 to {}, found {} at position {}", field, high,
             item.is_number() ? item.dump() : item.type_name(), values.size());
    values.push_back(item.get<double>());
  }
  return values;
}

// The image u8 (28, 28) that a drawing becomes. A margin without ink goes around it, so that ink at its edges
// is not taken for the paper.
Tensor prepared(const json& object) {
  for (const char* field : {"width", "height"})
    if (!object.contains(field)) refuse("an image comes with its width and its height");
  const Index width = whole_number(object, "width", 1, longest_side),
              height = whole_number(object, "height", 1, longest_side);
  const std::vector<double> ink = numbers(object, "image", width * height, 255);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>((width + 2) * (height + 2)));
  for (Index y = 0; y < height; ++y)
    for (Index x = 0; x < width; ++x)
      pixels[static_cast<std::size_t>((y + 1) * (width + 2) + x + 1)] =
          static_cast<std::uint8_t>(std::lround(ink[static_cast<std::size_t>(y * width + x)]));
  return center_digit(from(pixels, {height + 2, width + 2}));
}

ordered_json bytes(const Tensor& image) {
  const auto pixels = image.data<std::uint8_t>();
  return ordered_json(std::vector<int>(pixels.begin(), pixels.end()));
}

// What the network is to look at.
struct Input {
  Tensor pixels;                // (1, 784), 0 to 1
  std::optional<Tensor> image;  // of a drawing: what was made of it, u8 (28, 28)
};

Input input_of(const json& object) {
  if (object.contains("pixels") == object.contains("image"))
    refuse("expected either pixels, {} numbers from 0 to 1, or a drawing: image, width and height",
           pixel_count);
  if (object.contains("pixels"))
    return {from(numbers(object, "pixels", pixel_count, 1), {1, pixel_count}), {}};
  const Tensor image = prepared(object);
  return {reshape(cast(image, f64) / 255, {1, pixel_count}), image};
}

std::shared_ptr<const Network> network_of(const NetworkSlot& slot) {
  auto network = slot.get();
  if (!network) throw HttpError(503, "there is no network yet: one has to be trained first");
  return network;
}

// Whether the network is to be believed: it gives the class a half or more, and the drawing looks like a
// known digit.
void add_doubt(ordered_json& answer, const Familiar& known, const Tensor& pixels,
               const Prediction& prediction) {
  const double distance = known.distance(pixels);
  answer["sure"] = distance <= known.limit() && prediction.probabilities[prediction.best] >= 0.5;
  answer["familiar"] = {{"distance", distance}, {"limit", known.limit()}};
}

ordered_json to_json(const Prediction& prediction) {
  return {{"class", prediction.best}, {"probabilities", prediction.probabilities}};
}

// Five digits are more than a picture shows.
ordered_json shortened(const Tensor& x) {
  ordered_json list = ordered_json::array();
  for (Index i = 0; i < x.size(); ++i) {
    const double value = x.at(i);
    const double unit = value == 0 ? 1 : std::pow(10, std::floor(std::log10(std::abs(value))) - 4);
    list.push_back(std::round(value / unit) * unit);
  }
  return list;
}

Reply answer_predict(const Request& request, const NetworkSlot& slot, Familiars& known) {
  const json object = object_of(request, {"pixels", "image", "width", "height"});
  const Input input = input_of(object);
  const auto network = network_of(slot);
  const Prediction found = network->predict(input.pixels);
  ordered_json answer = to_json(found);
  add_doubt(answer, *known.get(network->info().dataset), input.pixels, found);
  if (input.image) answer["image"] = bytes(*input.image);
  return reply(answer);
}

Reply answer_explain(const Request& request, const NetworkSlot& slot, Familiars& known) {
  const json object = object_of(request, {"pixels", "image", "width", "height", "class", "target"});
  const Input input = input_of(object);
  const auto network = network_of(slot);
  const auto class_of = [&](const char* field) {
    const auto most = static_cast<std::int64_t>(network->info().classes.size()) - 1;
    return object.contains(field)
               ? std::optional(static_cast<std::size_t>(whole_number(object, field, 0, most)))
               : std::nullopt;
  };
  const std::optional<std::size_t> explained = class_of("class"), target = class_of("target");
  const Explanation found = network->explain(input.pixels, explained, most_units);
  ordered_json answer = to_json(found.prediction);
  add_doubt(answer, *known.get(network->info().dataset), input.pixels, found.prediction);
  if (input.image) answer["image"] = bytes(*input.image);
  answer["explained"] = found.explained;
  answer["logit"] = found.logit;
  answer["gradient"] = shortened(found.gradient);
  answer["layers"] = ordered_json::array();
  for (const Activations& layer : found.layers)
    answer["layers"].push_back({{"name", layer.name}, {"values", shortened(layer.values)}});
  answer["units"] = ordered_json::array();
  for (const Unit& unit : found.units)
    answer["units"].push_back({{"index", unit.index},
                               {"activation", unit.activation},
                               {"contribution", unit.contribution},
                               {"weights", shortened(unit.weights)}});
  answer["others"] = found.others;
  answer["rest"] = found.rest;
  if (target) {
    const Change change = network->change(input.pixels, *target);
    answer["change"] = to_json(change.prediction);
    answer["change"]["target"] = *target;
    answer["change"]["reached"] = change.reached;
    answer["change"]["steps"] = change.steps;
    answer["change"]["pixels"] = shortened(change.pixels);
  }
  return reply(answer);
}

// The whole number that the query has under `name`.
std::optional<std::size_t> query_number(const Request& request, const std::string& name, std::size_t most) {
  const auto at = request.query.find(name);
  if (at == request.query.end()) return std::nullopt;
  const std::string& text = at->second;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most)
    refuse("{}: expected a whole number from 0 to {}", name, most);
  return value;
}

Reply answer_gallery(const Request& request, DataSets& data, const NetworkSlot& slot) {
  const auto network = network_of(slot);
  const std::size_t last_class = network->info().classes.size() - 1;
  const std::size_t offset = query_number(request, "offset", 1'000'000).value_or(0),
                    count = query_number(request, "count", most_items).value_or(40);
  const auto label = query_number(request, "label", last_class),
             predicted = query_number(request, "predicted", last_class);
  const TestResults* tested = nullptr;
  try {
    tested = &network->test([&] { return data.get(network->info().dataset).test; });
  } catch (const Error& error) {
    return reply({{"available", false}, {"reason", error.what()}});
  }
  std::string items;
  std::size_t found = 0, shown = 0;
  for (const Index i : tested->order) {
    const auto at = static_cast<std::size_t>(i);
    const auto truth = static_cast<std::size_t>(tested->set.labels.at(i));
    if ((label && truth != *label) || (predicted && tested->predicted[at] != *predicted)) continue;
    if (++found <= offset || shown == count) continue;
    const Dataset image = tested->set.take(i, 1);
    // Written straight away: as objects of the JSON library, a hundred images would take longer than all
    // else.
    items += fmt::format(R"({}{{"index":{},"label":{},"predicted":{},"confidence":{},"image":[{}]}})",
                         shown++ == 0 ? "" : ",", i, truth, tested->predicted[at], tested->confidence[at],
                         fmt::join(image.images.data<std::uint8_t>(), ","));
  }
  ordered_json confusion = ordered_json::array();
  const Index classes = tested->confusion.size(0);
  for (Index row = 0; row < classes; ++row) {
    confusion.push_back(ordered_json::array());
    for (Index column = 0; column < classes; ++column)
      confusion.back().push_back(static_cast<std::int64_t>(tested->confusion.at(row * classes + column)));
  }
  Reply answer = reply({{"available", true},
                        {"dataset", tested->set.name},
                        {"size", tested->set.size()},
                        {"wrong", tested->wrong},
                        {"confusion", confusion},
                        {"found", found},
                        {"offset", offset}});
  answer.body.back() = ',';
  answer.body += fmt::format(R"("items":[{}]}})", items);
  return answer;
}

Reply answer_model(DataSets& data, const NetworkSlot& slot, const Trainer& trainer, std::uint32_t seed) {
  const auto network = slot.get();
  ordered_json sets = ordered_json::array();
  for (const char* name : {"digits", "mnist"})
    if (data.has(name)) sets.push_back(name);
  ordered_json answer{{"ready", network != nullptr},
                      {"training", trainer.running()},
                      {"run", trainer.last()},
                      {"datasets", sets},
                      {"seed", seed},
                      {"version", lab::version()}};
  if (network) {
    const models::ModelInfo& info = network->info();
    answer["number"] = network->number();
    answer["origin"] = network->origin();
    answer["kind"] = info.kind;
    answer["dataset"] = info.dataset;
    answer["sizes"] = info.sizes;
    answer["activation"] = info.activation;
    answer["classes"] = info.classes;
    answer["parameters"] = network->parameters();
  }
  return reply(answer);
}

Reply follow(const Trainer& trainer, int run) {
  const auto reader = std::make_shared<Trainer::Reader>(Trainer::Reader{.run = run});
  return {.body = {}, .type = "text/event-stream", .stream = [&trainer, reader](const Write& write) {
            return write(trainer.news(*reader)) && !reader->over;
          }};
}

Reply answer_train(const Request& request, DataSets& data, Trainer& trainer, std::uint32_t seed) {
  const lab::TrainConfig config = train_config(request, seed);
  if (config.dataset != "digits") data.get(config.dataset);  // or else says what is missing
  const std::optional<int> run = trainer.start(config);
  if (!run) throw HttpError(409, "a training run is under way; DELETE /api/train ends it");
  return follow(trainer, *run);
}

}  // namespace

lab::TrainConfig train_config(const Request& request, std::uint32_t seed) {
  const json object =
      object_of(request, {"dataset", "hidden", "activation", "epochs", "lr", "augment", "seed"});
  const auto text = [&](const char* field) -> std::string {
    if (!object[field].is_string()) refuse("{}: expected a text, found {}", field, object[field].type_name());
    return object[field];
  };
  lab::TrainConfig config = quick_config(object.contains("dataset") ? text("dataset") : "digits", seed);
  if (object.contains("hidden")) config.hidden = text("hidden");
  if (object.contains("activation")) config.activation = text("activation");
  if (object.contains("augment")) config.augment = text("augment");
  if (object.contains("epochs")) config.epochs = whole_number(object, "epochs", 1, 100);
  if (object.contains("seed")) config.seed = whole_number(object, "seed", 0, UINT32_MAX);
  if (object.contains("lr")) {
    if (!object["lr"].is_number()) refuse("lr: expected a number, found {}", object["lr"].type_name());
    config.lr = object["lr"].get<double>();
  }
  try {
    lab::resolve(config);
  } catch (const lab::UsageError& problem) {  // names the field as the option of a command line
    const std::string message = problem.what();
    refuse("{}", message.starts_with("--") ? message.substr(2) : message);
  }
  const std::vector<Index> widths = config.hidden_widths();
  if (widths.size() > 5 || std::any_of(widths.begin(), widths.end(), [](Index n) { return n > 2048; }))
    refuse("hidden: expected up to 5 layers of up to 2048 units");
  return config;
}

std::vector<Route> routes(DataSets& data, const NetworkSlot& slot, Trainer& trainer, std::uint32_t seed) {
  const auto known = std::make_shared<Familiars>(data);
  std::vector<Route> all{
      {"GET", "/api/model", [&, seed](const Request&) { return answer_model(data, slot, trainer, seed); }},
      {"POST", "/api/predict",
       [&, known](const Request& request) { return answer_predict(request, slot, *known); }},
      {"POST", "/api/explain",
       [&, known](const Request& request) { return answer_explain(request, slot, *known); }},
      {"GET", "/api/gallery", [&](const Request& request) { return answer_gallery(request, data, slot); }},
      {"POST", "/api/train",
       [&, seed](const Request& request) { return answer_train(request, data, trainer, seed); }},
      {"GET", "/api/train",
       [&](const Request&) {
         if (trainer.last() == 0) throw HttpError(404, "nothing has been trained here");
         return follow(trainer, trainer.last());
       }},
      {"DELETE", "/api/train",
       [&](const Request&) {
         const bool running = trainer.running();
         trainer.cancel();
         return reply({{"cancelled", running}});
       }},
  };
  for (const auto& [path, type, content] : page::files)
    all.push_back({"GET", path, [type = std::string(type), content = content](const Request&) {
                     return Reply{.body = std::string(content), .type = type};
                   }});
  return all;
}

}  // namespace elk::demo
