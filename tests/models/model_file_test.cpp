// Model files: what is saved comes back, and what is broken is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include <elk/elk.hpp>
#include <elk/io/safetensors.hpp>
#include <models/mlp.hpp>
#include <models/model_file.hpp>
#include <models/residual_mlp.hpp>
#include <models/softmax_regression.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::models {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;
using testing::HasSubstr;

class ModelFile : public testing::Test {
 protected:
  ModelInfo info(DType dtype = f32) const {
    return {.sizes = {6, 5, 3},
            .activation = "leaky_relu",
            .leaky_slope = 0.3,
            .clip = 2.5,
            .dtype = dtype,
            .dataset = "shapes",
            .classes = {"circle", "\"square\"", "Dreieck ▲"},
            .input_shape = {2, 3}};
  }

  MLP net(const ModelInfo& of) const {
    Rng rng(7);
    return {{.sizes = of.sizes,
             .activation = activation(of.activation, of.leaky_slope),
             .clip = clip(of.clip),
             .dropout = 0.5,
             .dtype = of.dtype},
            rng};
  }

  /// Saves a model, edits the file, which then has no digest, and returns why it is refused.
  std::string refused(const std::function<void(SafetensorsFile&)>& edit) {
    save_model(path_, net(info()), info());
    SafetensorsFile file = load_safetensors(path_);
    file.metadata.erase("digest");
    edit(file);
    save_safetensors(path_, file.tensors, file.metadata);
    const std::string message = error_of<FileError>([&] { load_model(path_); }),
                      start = "[model] " + path_ + ": ";
    EXPECT_TRUE(message.starts_with(start)) << message;
    return message.substr(std::min(start.size(), message.size()));
  }
  std::string refused(const std::string& key, const std::string& value) {
    return refused([&](SafetensorsFile& file) { file.metadata[key] = value; });
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "model.safetensors";
};

TEST_F(ModelFile, RoundTrip) {
  for (const DType dtype : {f32, f64}) {
    const ModelInfo saved = info(dtype);
    const MLP original = net(saved);
    save_model(path_, original, saved);
    const Model model = load_model(path_);
    EXPECT_EQ(model.info.sizes, saved.sizes);
    EXPECT_EQ(model.info.activation, saved.activation);
    EXPECT_EQ(model.info.leaky_slope, saved.leaky_slope);
    EXPECT_EQ(model.info.clip, saved.clip);
    EXPECT_EQ(model.info.dtype, dtype);
    EXPECT_EQ(model.info.dataset, saved.dataset);
    EXPECT_EQ(model.info.classes, saved.classes);
    EXPECT_EQ(model.info.input_shape, saved.input_shape);
    Rng rng(1);
    const Tensor x = 5 * randn({20, 6}, rng, dtype);
    EXPECT_EQ(values(model.net(x)), values(original(x)));
  }
  EXPECT_THAT(folder_.names(), ElementsAre("model.safetensors"));
}

TEST_F(ModelFile, EveryActivationWithAndWithoutClip) {
  for (const std::string& name : activation_names())
    for (const double limit : {0.0, 0.125}) {
      ModelInfo saved = info();
      saved.activation = name;
      saved.clip = limit;
      Rng rng(7);
      MLPOptions options{.sizes = saved.sizes, .activation = activation(name, saved.leaky_slope)};
      if (limit > 0) options.clip = clip(limit);
      const MLP original(options, rng);
      save_model(path_, original, saved);
      const Tensor x = randn({4, 6}, rng);
      EXPECT_EQ(values(load_model(path_).net(x)), values(original(x))) << name;
    }
}

TEST_F(ModelFile, OtherToolsFindWhatTheyExpect) {
  save_model(path_, net(info()), info());
  const SafetensorsFile file = load_safetensors(path_);
  std::vector<std::string> names, keys;
  for (const NamedTensor& item : file.tensors)
    names.push_back(item.name + " " + to_string(item.value.shape()));
  EXPECT_THAT(names, ElementsAre("fc1.weight (5, 6)", "fc1.bias (5)", "fc2.weight (3, 5)", "fc2.bias (3)"));
  for (const auto& [key, value] : file.metadata) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("architecture", "classes", "dataset", "digest", "format", "input_scaling",
                                "input_shape", "probe_input", "probe_output", "probe_tolerance"));
  EXPECT_EQ(file.metadata.at("format"), "elkgrad/1");
  EXPECT_EQ(
      file.metadata.at("architecture"),
      R"({"activation":"leaky_relu","clip":2.5,"dtype":"f32","kind":"mlp","leaky_slope":0.3,"normalize":"none","sizes":[6,5,3]})");
  EXPECT_EQ(file.metadata.at("classes"), R"(["circle","\"square\"","Dreieck ▲"])");
  EXPECT_EQ(file.metadata.at("input_shape"), "[2,3]");
  EXPECT_EQ(file.metadata.at("input_scaling"), "pixel / 255");
}

TEST_F(ModelFile, WhatChangedIsNoticed) {
  save_model(path_, net(info()), info());
  const SafetensorsFile good = load_safetensors(path_);
  const auto refused_as_changed = [&](const std::function<void(SafetensorsFile&)>& edit) {
    SafetensorsFile file = good;
    edit(file);
    save_safetensors(path_, file.tensors, file.metadata);
    EXPECT_EQ(error_of<FileError>([&] { load_model(path_); }),
              "[model] " + path_ +
                  ": its contents do not fit its \"digest\": they were changed after they were written");
  };
  // The probe's input is 0 there: its output stays the same.
  refused_as_changed([](SafetensorsFile& file) {
    std::vector<double> w = values(file.tensors[0].value);
    w[0] += 1e-6;
    file.tensors[0].value = cast(from(w, {5, 6}), f32);
  });
  refused_as_changed([](SafetensorsFile& file) { file.metadata["dataset"] = "shapez"; });
  refused_as_changed([](SafetensorsFile& file) { std::swap(file.tensors[1].name, file.tensors[0].name); });
  refused_as_changed([](SafetensorsFile& file) { file.metadata["digest"][7] ^= 1; });
  save_safetensors(path_, good.tensors, good.metadata);
  EXPECT_EQ(values(load_model(path_).net.state()[0].value), values(good.tensors[0].value));
}

TEST_F(ModelFile, NoSuchFile) {
  EXPECT_THAT(error_of<FileError>([&] { load_model(path_); }), HasSubstr("No such file"));
}

TEST_F(ModelFile, OfAnotherNetworkIsNotWritten) {
  const auto refused_to_save = [&](const ModelInfo& wrong) {
    const std::string message = error_of<ValueError>([&] { save_model(path_, net(info()), wrong); }),
                      start = "[model] " + path_ + ": ";
    EXPECT_TRUE(message.starts_with(start)) << message;
    EXPECT_THAT(error_of<FileError>([&] { load_model(path_); }), HasSubstr("No such file"));
    return message.substr(std::min(start.size(), message.size()));
  };
  EXPECT_EQ(refused_to_save({}), "the layer sizes  make no mlp");
  ModelInfo wrong = info();
  wrong.sizes = {6, 4, 3};
  EXPECT_EQ(refused_to_save(wrong), "the sizes stand for 43 weights, there are 53");
  wrong = info();
  wrong.classes.pop_back();
  EXPECT_EQ(refused_to_save(wrong), "inputs (2, 3) and 2 classes do not fit layers of 6, 5, 3");
}

TEST_F(ModelFile, OfANetworkThatDiverged) {
  MLP broken = net(info());
  State state = broken.state();
  state.back().value = full({3}, NAN);
  broken.load_state(state);
  save_model(path_, broken, info());
  EXPECT_EQ(error_of<FileError>([&] { load_model(path_); }),
            "[model] " + path_ + ": the network's output is not finite: its training diverged");
}

TEST_F(ModelFile, MissingMetadata) {
  for (const char* key : {"format", "architecture", "dataset", "classes", "input_shape", "probe_input",
                          "probe_output", "probe_tolerance"})
    EXPECT_EQ(refused([&](SafetensorsFile& file) { file.metadata.erase(key); }),
              std::string("the metadata lacks \"") + key + "\"");
  EXPECT_EQ(refused([](SafetensorsFile& file) { file.metadata.clear(); }), "the metadata lacks \"format\"");
}

TEST_F(ModelFile, AnotherFormat) {
  EXPECT_EQ(refused("format", "elkgrad/2"), "expected format \"elkgrad/1\", found \"elkgrad/2\"");
  EXPECT_EQ(refused("format", "pt"), "expected format \"elkgrad/1\", found \"pt\"");
}

TEST_F(ModelFile, MalformedMetadata) {
  const std::string malformed = "the metadata is malformed: ";
  EXPECT_THAT(refused("architecture", "{"), HasSubstr(malformed));
  EXPECT_THAT(refused("architecture", "7"), HasSubstr(malformed));
  EXPECT_THAT(refused("architecture", "{}"), HasSubstr(malformed));
  EXPECT_THAT(refused("architecture",
                      R"({"sizes":"6,5,3","activation":"relu","leaky_slope":0,"clip":0,"dtype":"f32"})"),
              HasSubstr(malformed));
  EXPECT_THAT(refused("classes", "circle"), HasSubstr(malformed));
  EXPECT_THAT(refused("classes", "[1, 2, 3]"), HasSubstr(malformed));
  EXPECT_THAT(refused("input_shape", "{\"a\": 1}"), HasSubstr(malformed));
  EXPECT_THAT(refused("probe_input", "[null]"), HasSubstr(malformed));
  EXPECT_THAT(refused("probe_output", "true"), HasSubstr(malformed));
  EXPECT_THAT(refused("probe_tolerance", "small"), HasSubstr(malformed));
}

TEST_F(ModelFile, ArchitecturesThatCannotBe) {
  const auto architecture =
      [&](const std::string& sizes,
          const std::string& rest =
              R"("activation":"relu","leaky_slope":0,"clip":0,"normalize":"none","dtype":"f32")") {
        return refused("architecture", "{\"kind\":\"mlp\",\"sizes\":[" + sizes + "]," + rest + "}");
      };
  for (const char* sizes : {"", "6", "6,0,3", "6,-5,3", "4611686018427387904,4611686018427387904,3",
                            "9223372036854775807,1", "1,9223372036854775807", "18446744073709551615,3"})
    EXPECT_THAT(architecture(sizes), testing::MatchesRegex("the layer sizes .*make no mlp")) << sizes;
  EXPECT_EQ(architecture("6,5.5,3"), "expected whole numbers as \"sizes\", found 5.5");
  EXPECT_EQ(architecture("6,1e300,3"), "expected whole numbers as \"sizes\", found 1e+300");
  EXPECT_EQ(architecture("6,[5],3"), "expected whole numbers as \"sizes\", found array");
  EXPECT_EQ(refused("input_shape", "[2, 3e99]"), "expected whole numbers as \"input_shape\", found 3e+99");
  EXPECT_EQ(architecture("6,1000000000,3"), "the sizes stand for 10000000003 weights, there are 53");
  EXPECT_EQ(architecture("1000000000,1000000000,3"),
            "the sizes stand for 1.000000004e+18 weights, there are 53");
  EXPECT_EQ(architecture("6,5,4"), "the sizes stand for 59 weights, there are 53");
  const std::string no_fit = "inputs (2, 3) and 3 classes do not fit layers of ";
  EXPECT_EQ(architecture("52,1"), no_fit + "52, 1");
  EXPECT_THAT(
      architecture("6,5,3",
                   R"("activation":"swoosh","leaky_slope":0,"clip":0,"normalize":"none","dtype":"f32")"),
      testing::MatchesRegex("\\[activation\\] expected relu, .*, got \"swoosh\""));
  EXPECT_EQ(architecture("6,5,3",
                         R"("activation":"relu","leaky_slope":0,"clip":0,"normalize":"none","dtype":"f16")"),
            "dtype \"f16\" is not f32 or f64");
  EXPECT_EQ(
      architecture("6,5,3",
                   R"("activation":"relu","leaky_slope":0,"clip":0,"normalize":"none","dtype":"f64")"),
      "[load_state] \"fc1.weight\" must be f64, got f32: convert the network with to(f32), or the state with "
      "cast");
}

TEST_F(ModelFile, KindsThatCannotBe) {
  const auto kind = [&](const std::string& name, const std::string& sizes) {
    return refused(
        "architecture",
        R"({"activation":"relu","leaky_slope":0,"clip":0,"normalize":"none","dtype":"f32","kind":")" + name +
            R"(","sizes":[)" + sizes + "]}");
  };
  EXPECT_EQ(kind("cnn", "6,5,3"), "the kind \"cnn\" is not mlp or residual_mlp");
  EXPECT_EQ(kind("residual_mlp", "6,3"), "the layer sizes 6, 3 make no residual_mlp");
  EXPECT_EQ(kind("residual_mlp", "6,5,4,3"), "the layer sizes 6, 5, 4, 3 make no residual_mlp");
  EXPECT_EQ(kind("residual_mlp", "6,5,3"), "the sizes stand for 288 weights, there are 53");
}

TEST_F(ModelFile, ResidualRoundTrip) {
  for (const DType dtype : {f32, f64}) {
    ModelInfo saved = info(dtype);
    saved.kind = "residual_mlp";
    saved.sizes = {6, 4, 4, 3};
    saved.activation = "gelu";
    saved.clip = 0;
    Rng rng(7);
    const ResidualMLP original(
        {.inputs = 6, .width = 4, .classes = 3, .blocks = 2, .dropout = 0.5, .dtype = dtype}, rng);
    save_model(path_, original, saved);
    const Model model = load_model(path_);
    EXPECT_EQ(model.info.kind, "residual_mlp");
    const Tensor x = randn({20, 6}, rng, dtype);
    EXPECT_EQ(values(model.net(x)), values(original(x)));
  }
}

TEST_F(ModelFile, NormalizationRoundTrip) {
  Rng rng(7);
  for (const DType dtype : {f32, f64})
    for (const std::string kind : {"standard", "whiten"}) {
      ModelInfo saved = info(dtype);
      saved.normalize = kind;
      saved.clip = 0;
      nn::Sequential input;
      if (kind == "standard")
        input.add(nn::Normalize(randn({6}, rng), randn({6}, rng), dtype));
      else
        input.add(nn::Whiten(randn({6}, rng), randn({6, 6}, rng), dtype));
      const MLP original({.input = input,
                          .sizes = saved.sizes,
                          .activation = activation(saved.activation, saved.leaky_slope),
                          .dtype = dtype},
                         rng);
      save_model(path_, original, saved);
      const Tensor x = randn({20, 6}, rng, dtype);
      EXPECT_EQ(values(load_model(path_).net(x)), values(original(x)));
    }
  EXPECT_EQ(refused("architecture",
                    R"({"activation":"relu","leaky_slope":0,"clip":0,"normalize":"zca","dtype":"f32",)"
                    R"("kind":"mlp","sizes":[6,5,3]})"),
            "the normalization \"zca\" is not none, standard or whiten");
}

// With statistics that are not those of the beginning. Noise is of training alone and not in the file.
TEST_F(ModelFile, BatchNormRoundTrip) {
  for (const DType dtype : {f32, f64}) {
    ModelInfo saved = info(dtype);
    saved.sizes = {6, 5, 4, 3};
    saved.activation = "relu";
    saved.clip = 0;
    saved.batch_norm = true;
    Rng rng(7);
    const MLP original({.sizes = saved.sizes,
                        .activation = activation("relu"),
                        .batch_norm = true,
                        .noise = 0.3,
                        .dtype = dtype},
                       rng);
    const Tensor x = randn({20, 6}, rng, dtype);
    for (int i = 0; i < 3; ++i) {
      const Tape tape(rng);
      (void)original(2 * x + 1);
    }
    save_model(path_, original, saved);
    const Model model = load_model(path_);
    EXPECT_TRUE(model.info.batch_norm);
    EXPECT_EQ(values(model.net(x)), values(original(x)));
    const State before = original.state(), after = model.net.state();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].name, before[i].name);
      EXPECT_EQ(values(after[i].value), values(before[i].value)) << after[i].name;
    }
  }
  const auto architecture = [&](const std::string& kind, const std::string& batch_norm) {
    return refused(
        "architecture",
        R"({"activation":"relu","leaky_slope":0,"clip":0,"normalize":"none","dtype":"f32","kind":")" + kind +
            R"(","sizes":[6,5,3],"batch_norm":)" + batch_norm + "}");
  };
  EXPECT_EQ(architecture("mlp", "true"), "the sizes stand for 69 weights, there are 53");
  EXPECT_EQ(architecture("residual_mlp", "true"), "a residual_mlp has no batch normalization");
  EXPECT_THAT(architecture("mlp", "1"), HasSubstr("the metadata is malformed: "));
}

TEST_F(ModelFile, SoftmaxRegressionIsAnMlpWithoutHiddenLayers) {
  ModelInfo saved = info();
  saved.sizes = {6, 3};
  saved.clip = 0;
  Rng rng(7);
  const SoftmaxRegression original(6, 3, rng);
  save_model(path_, original, saved);
  const Tensor x = randn({20, 6}, rng);
  EXPECT_EQ(values(load_model(path_).net(x)), values(original(x)));
}

TEST_F(ModelFile, ClassesAndInputsMustFit) {
  EXPECT_EQ(refused("classes", R"(["circle","square"])"),
            "inputs (2, 3) and 2 classes do not fit layers of 6, 5, 3");
  EXPECT_EQ(refused("input_shape", "[7]"), "inputs (7) and 3 classes do not fit layers of 6, 5, 3");
  EXPECT_EQ(refused("input_shape", "[-2,-3]"), "inputs (-2, -3) and 3 classes do not fit layers of 6, 5, 3");
  EXPECT_THAT(refused("input_shape", "[1,1,1,1,1,1,1,1,6]"), HasSubstr("8"));
}

TEST_F(ModelFile, WrongTensors) {
  EXPECT_EQ(refused([](SafetensorsFile& file) { file.tensors[0].name = "fc1.weights"; }),
            "[load_state] \"fc1.weight\" is missing");
  EXPECT_EQ(refused([](SafetensorsFile& file) { file.tensors[0].value = transpose(file.tensors[0].value); }),
            "[load_state] \"fc1.weight\" must be f32 (5, 6), got f32 (6, 5)");
  EXPECT_EQ(refused([](SafetensorsFile& file) { file.tensors.pop_back(); }),
            "the sizes stand for 53 weights, there are 50");
  EXPECT_EQ(refused([](SafetensorsFile& file) {
              file.tensors.push_back({"extra", zeros({0})});
            }),
            "[load_state] \"extra\" is not part of this module");
  EXPECT_EQ(refused([](SafetensorsFile& file) { file.tensors[1].value = cast(file.tensors[1].value, i64); }),
            "[load_state] \"fc1.bias\" must be f32, got i64: convert with cast");
}

TEST_F(ModelFile, TheProbeFindsAnotherNetwork) {
  const auto changed = "expected .*: this is not the network that was saved";
  // A single weight that is off, another activation, another clip: the shapes all fit.
  EXPECT_THAT(refused([](SafetensorsFile& file) {
                std::vector<double> w = values(file.tensors[0].value);
                w[3] += 0.25;
                file.tensors[0].value = cast(from(w, {5, 6}), f32);
              }),
              testing::ContainsRegex(changed));
  EXPECT_THAT(
      refused(
          "architecture",
          R"({"activation":"tanh","clip":2.5,"dtype":"f32","kind":"mlp","leaky_slope":0.3,"normalize":"none","sizes":[6,5,3]})"),
      testing::ContainsRegex(changed));
  EXPECT_THAT(
      refused(
          "architecture",
          R"({"activation":"leaky_relu","clip":0.1,"dtype":"f32","kind":"mlp","leaky_slope":0.3,"normalize":"none","sizes":[6,5,3]})"),
      testing::ContainsRegex(changed));
  EXPECT_THAT(refused([](SafetensorsFile& file) {
                file.tensors[3].value = full({3}, std::numeric_limits<double>::quiet_NaN());
              }),
              testing::MatchesRegex("the probe's output 0 is -?nan, expected .*"));
  EXPECT_EQ(refused("probe_output", "[1, 2]"), "the probe has 2 outputs, the network 3");
  EXPECT_EQ(refused("probe_output", "[]"), "the probe has 0 outputs, the network 3");
  EXPECT_THAT(refused("probe_output", "[1e9, 2, 3]"), HasSubstr("expected 1000000000: this is not"));
  EXPECT_THAT(refused("probe_input", "[1, 2]"), HasSubstr("(1, 6)"));
}

}  // namespace
}  // namespace elk::models
