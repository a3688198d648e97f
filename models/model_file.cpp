#include <models/model_file.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/data/augment.hpp>
#include <elk/io/digest.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/normalize.hpp>
#include <elk/ops/shape.hpp>
#include <models/ensemble.hpp>
#include <models/mlp.hpp>
#include <models/residual_mlp.hpp>

namespace elk::models {

namespace {

using nlohmann::json;

constexpr const char* format_name = "elkgrad/1";
constexpr double probe_tolerance = 1e-4;

nn::Sequential rebuild_one(const ModelInfo& info) {
  Rng rng(0);
  const Index inputs = info.sizes.front();
  nn::Sequential input;
  if (info.normalize == "standard") input.add(nn::Normalize(zeros({inputs}), ones({inputs}), info.dtype));
  if (info.normalize == "whiten") input.add(nn::Whiten(zeros({inputs}), zeros({inputs, inputs}), info.dtype));
  const nn::Function act = activation(info.activation, info.leaky_slope);
  if (info.kind == "residual_mlp")
    return ResidualMLP({.input = input,
                        .inputs = inputs,
                        .width = info.sizes[1],
                        .classes = info.sizes.back(),
                        .blocks = static_cast<Index>(info.sizes.size()) - 2,
                        .activation = act,
                        .dtype = info.dtype},
                       rng);
  MLPOptions options{.input = input,
                     .sizes = info.sizes,
                     .activation = act,
                     .batch_norm = info.batch_norm,
                     .dtype = info.dtype};
  if (info.clip > 0) options.clip = clip(info.clip);
  return MLP(options, rng);
}

nn::Sequential rebuild(const ModelInfo& info) {
  return as_one(std::vector<nn::Sequential>(static_cast<std::size_t>(info.members), rebuild_one(info)));
}

// Sizes from a file: a conversion by the JSON library would cut off a fraction, and anything may come of what
// an Index cannot hold.
std::vector<Index> whole_numbers(const json& list, const char* what) {
  for (const json& item : list)
    if (list.is_array() && !item.is_number_integer())
      fail<ValueError>("expected whole numbers as \"{}\", found {}", what,
                       item.is_number() ? item.dump() : item.type_name());
  return list.get<std::vector<Index>>();
}

// How many numbers such a network, one of an ensemble, holds; as a double, which does not overflow.
double state_size(const ModelInfo& info) {
  const auto linear = [](Index in, Index out) {
    return (static_cast<double>(in) + 1) * static_cast<double>(out);
  };
  const Index inputs = info.sizes.front();
  double count = info.normalize == "standard" ? 2.0 * static_cast<double>(inputs)
                 : info.normalize == "whiten" ? linear(inputs, inputs)
                                              : 0;
  if (info.kind == "residual_mlp") {
    const Index width = info.sizes[1];
    const double block =
        2.0 * static_cast<double>(width) + linear(width, 4 * width) + linear(4 * width, width);
    return count + linear(inputs, width) + static_cast<double>(info.sizes.size() - 2) * block +
           linear(width, info.sizes.back());
  }
  for (std::size_t i = 1; i < info.sizes.size(); ++i) count += linear(info.sizes[i - 1], info.sizes[i]);
  if (info.batch_norm)  // a unit has a scale, a shift, a mean and a variance in place of its bias
    for (std::size_t i = 1; i + 1 < info.sizes.size(); ++i)
      count += 3 * static_cast<double>(info.sizes[i]) + 1;
  return count;
}

// Throws unless it is that of a network.
void check_architecture(const ModelInfo& info) {
  constexpr Index most = 1'000'000'000;
  const std::vector<Index>& sizes = info.sizes;
  const bool residual = info.kind == "residual_mlp";
  if (std::find(model_kinds().begin(), model_kinds().end(), info.kind) == model_kinds().end())
    fail<ValueError>("the kind \"{}\" is not {}", info.kind, fmt::join(model_kinds(), " or "));
  if (info.normalize != "none" && info.normalize != "standard" && info.normalize != "whiten")
    fail<ValueError>("the normalization \"{}\" is not none, standard or whiten", info.normalize);
  if (sizes.size() < (residual ? 3u : 2u) ||
      std::any_of(sizes.begin(), sizes.end(), [](Index n) { return n < 1 || n > most; }) ||
      (residual && std::any_of(sizes.begin() + 1, sizes.end() - 1, [&](Index n) { return n != sizes[1]; })))
    fail<ValueError>("the layer sizes {} make no {}", fmt::join(sizes, ", "), info.kind);
  if (residual && info.batch_norm) fail<ValueError>("a residual_mlp has no batch normalization");
  if (info.members < 1) fail<ValueError>("expected 1 network or more, found {}", info.members);
  (void)parse_augment(info.augment);
}

// Throws unless `held` numbers are what the described network has, and its inputs and outputs fit it.
void check_fit(const ModelInfo& info, Index held) {
  check_architecture(info);
  if (const double promised = static_cast<double>(info.members) * state_size(info);
      promised != static_cast<double>(held))
    fail<ValueError>("the sizes stand for {} weights, there are {}", promised, held);
  const bool no_shape =
      std::any_of(info.input_shape.begin(), info.input_shape.end(), [](Index n) { return n < 1; });
  if (no_shape || info.input_shape.size() != info.sizes.front() ||
      static_cast<Index>(info.classes.size()) != info.sizes.back())
    fail<ValueError>("inputs {} and {} classes do not fit layers of {}", info.input_shape,
                     info.classes.size(), fmt::join(info.sizes, ", "));
}

Index count(const State& state) {
  Index all = 0;
  for (const NamedTensor& item : state) all += item.value.size();
  return all;
}

// An input with every pixel value somewhere, the same for everybody.
Tensor probe_input(Index features, DType dtype) {
  std::vector<double> values(static_cast<std::size_t>(features));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i * 37 % 256) / 255;
  return cast(from(values, {1, features}), dtype);
}

std::vector<double> numbers(const Tensor& x) {
  const Tensor wide = cast(x, f64);
  return {wide.data<double>().begin(), wide.data<double>().end()};
}

}  // namespace

const std::vector<std::string>& model_kinds() {
  static const std::vector<std::string> names{"mlp", "residual_mlp"};
  return names;
}

void save_model(const std::string& path, const nn::Module& net, const ModelInfo& info) {
  const State state = net.state();
  try {
    check_fit(info, count(state));
  } catch (const ValueError& error) {
    fail<ValueError>("[model] {}: {}", path, error.what());
  }
  json architecture{{"kind", info.kind},
                    {"sizes", info.sizes},
                    {"activation", info.activation},
                    {"leaky_slope", info.leaky_slope},
                    {"clip", info.clip},
                    {"normalize", info.normalize},
                    {"dtype", name(info.dtype)}};
  // Only where there is something to say: files of before stay as they are.
  if (info.batch_norm) architecture["batch_norm"] = true;
  if (info.members != 1) architecture["members"] = info.members;
  const Tensor x = probe_input(info.sizes.front(), info.dtype);
  Metadata metadata{
      {"format", format_name},
      {"architecture", architecture.dump()},
      {"dataset", info.dataset},
      {"classes", json(info.classes).dump()},
      {"input_shape", json(std::vector<Index>(info.input_shape.begin(), info.input_shape.end())).dump()},
      {"input_scaling", "pixel / 255"},
      {"probe_input", json(numbers(x)).dump()},
      {"probe_output", json(numbers(net(x))).dump()},
      {"probe_tolerance", json(probe_tolerance).dump()},
  };
  if (!info.augment.empty()) metadata["augment"] = info.augment;
  save_safetensors(path, state, with_digest(state, metadata));
}

Model load_model(const std::string& path) {
  const SafetensorsFile file = load_safetensors(path);
  const auto text = [&](const char* key) -> const std::string& {
    const auto at = file.metadata.find(key);
    if (at == file.metadata.end()) fail<FileError>("[model] {}: the metadata lacks \"{}\"", path, key);
    return at->second;
  };
  if (text("format") != format_name)
    fail<FileError>("[model] {}: expected format \"{}\", found \"{}\"", path, format_name, text("format"));
  try {
    check_digest(file);
    ModelInfo info;
    const json architecture = json::parse(text("architecture"));
    architecture.at("kind").get_to(info.kind);
    info.sizes = whole_numbers(architecture.at("sizes"), "sizes");
    architecture.at("activation").get_to(info.activation);
    architecture.at("leaky_slope").get_to(info.leaky_slope);
    architecture.at("clip").get_to(info.clip);
    architecture.at("normalize").get_to(info.normalize);
    info.batch_norm = architecture.value("batch_norm", false);
    const std::string dtype = architecture.at("dtype");
    if (dtype != "f32" && dtype != "f64") fail<ValueError>("dtype \"{}\" is not f32 or f64", dtype);
    info.dtype = dtype == "f64" ? f64 : f32;
    if (const auto at = architecture.find("members"); at != architecture.end())
      info.members = whole_numbers(json::array({*at}), "members").front();
    if (file.metadata.count("augment") > 0) info.augment = text("augment");
    info.dataset = text("dataset");
    json::parse(text("classes")).get_to(info.classes);
    info.input_shape = Shape(whole_numbers(json::parse(text("input_shape")), "input_shape"));

    // Checked before a network of the stated sizes is made: a few bytes must not ask for gigabytes.
    check_fit(info, count(file.tensors));
    Model model{info, rebuild(info)};
    model.net.load_state(file.tensors);

    const auto probe = json::parse(text("probe_input")).get<std::vector<double>>();
    const json output = json::parse(text("probe_output"));
    if (std::any_of(output.begin(), output.end(), [](const json& value) { return value.is_null(); }))
      fail<ValueError>("the network's output is not finite: its training diverged");
    const auto expected = output.get<std::vector<double>>();
    const double tolerance = json::parse(text("probe_tolerance"));
    const std::vector<double> found =
        numbers(model.net(cast(from(probe, {1, info.sizes.front()}), info.dtype)));
    if (found.size() != expected.size())
      fail<ValueError>("the probe has {} outputs, the network {}", expected.size(), found.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      if (!(std::abs(found[i] - expected[i]) <= tolerance * std::max(1.0, std::abs(expected[i]))))
        fail<ValueError>("the probe's output {} is {}, expected {}: this is not the network that was saved",
                         i, found[i], expected[i]);
    return model;
  } catch (const json::exception& error) {
    fail<FileError>("[model] {}: the metadata is malformed: {}", path, error.what());
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    fail<FileError>("[model] {}: {}", path, error.what());
  }
}

}  // namespace elk::models
