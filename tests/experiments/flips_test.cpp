// Bits that flip at rest: in every file of ours each flip is noticed, with a message that names the file, or
// what is read is the same.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/base/rng.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/layers.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/train/fit.hpp>
#include <elk/train/save.hpp>
#include <lab/config.hpp>
#include <lab/results.hpp>
#include <lab/store.hpp>
#include <models/mlp.hpp>
#include <models/model_file.hpp>

#include "io/temporary_folder.hpp"

namespace elk::lab {
namespace {

// A digest of the digest is of no use: where its own name is damaged, the file is one without a digest. The
// names of the fields and whatever else is in it are what they were.
bool in_the_name(const std::string& bytes, std::size_t at) {
  constexpr std::string_view name = "\"digest\"";
  const std::size_t begin = at < name.size() ? 0 : at - name.size() + 1, found = bytes.find(name, begin);
  return found != std::string::npos && found <= at;
}

// Another way to write the same number: 1E-05, or another last digit of a double that has more than it needs.
bool in_a_number(char c) { return c == 'e' || (c >= '0' && c <= '9'); }

class Flips : public testing::Test {
 protected:
  // Flips `count` bits of the file `name`, one at a time. `read` gives all that is in the file, as text.
  void flip(const std::string& name, int count, const std::function<std::string()>& read) {
    const std::string path = folder_ / name, good = read_file(path), content = read();
    Rng rng(1);
    int harmless = 0;
    for (int i = 0; i < count; ++i) {
      const auto bit = static_cast<std::size_t>(rng.integer(0, static_cast<std::int64_t>(8 * good.size())));
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
      write(path, bad);
      try {
        EXPECT_EQ(read(), content) << name << ": byte " << bit / 8 << ", bit " << bit % 8;
        EXPECT_TRUE(in_the_name(good, bit / 8) || in_a_number(good[bit / 8]))
            << name << ": harmless, at byte " << bit / 8 << ", bit " << bit % 8;
        ++harmless;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
      }
    }
    write(path, good);
    EXPECT_EQ(read(), content);
    RecordProperty(name, fmt::format("{} of {} harmless", harmless, count));
  }

  // Not atomically, which waits for the disk.
  static void write(const std::string& path, const std::string& bytes) {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    std::fclose(file);
  }

  TemporaryFolder folder_;
};

Dataset data() {
  return {"tiny",
          from(std::vector<std::uint8_t>{0, 255, 128, 3, 200, 7, 1, 99}, {8, 1}),
          from(std::vector<std::int64_t>{0, 1, 0, 1, 1, 0, 0, 1}),
          {"dark", "light"}};
}

TEST_F(Flips, Model) {
  const models::ModelInfo info{
      .sizes = {4, 5, 3}, .dataset = "tiny", .classes = {"a", "b", "ü"}, .input_shape = {2, 2}};
  Rng rng(2);
  models::save_model(folder_ / "model",
                     models::MLP({.sizes = info.sizes, .activation = models::activation("relu", 0.01)}, rng),
                     info);
  flip("model", 2500, [&] {
    const models::Model model = models::load_model(folder_ / "model");
    return format_safetensors(model.net.state(),
                              {{"classes", fmt::format("{}", fmt::join(model.info.classes, ","))}});
  });
}

class OneStep : public train::Callback {
 public:
  void step_done(train::Fit& fit) override { fit.stop(); }
};

TEST_F(Flips, Checkpoint) {
  const auto with_fit = [&](const std::function<void(train::Fit&)>& use) {
    Rng rng(1);
    nn::Linear net(1, 2, rng);
    optim::Adam adam(net, {});
    train::EarlyStopping early_stopping(2);
    OneStep one_step;
    train::Fit fit(net, adam, data(), rng,
                   {.batch_size = 2, .validation = data(), .callbacks = {&early_stopping, &one_step}});
    use(fit);
  };
  with_fit([&](train::Fit& fit) {
    fit.run();
    fit.save(folder_ / "checkpoint", {{"config", "{\"seed\": 1}"}});
  });
  // Saved again it is the same, byte by byte.
  flip("checkpoint", 2500, [&] {
    with_fit([&](train::Fit& fit) {
      fit.load(folder_ / "checkpoint");
      fit.save(folder_ / "again",
               {{"config", load_safetensors(folder_ / "checkpoint").metadata.at("config")}});
    });
    return read_file(folder_ / "again");
  });
}

TEST_F(Flips, NetworkWithItsOptimizer) {
  Rng rng(1);
  nn::Linear net(5, 3, rng);
  optim::Adam adam(net, {});
  Tape tape;
  adam.step(tape.backward(sum(square(net(randn({4, 5}, rng))))));
  train::save(folder_ / "saved", net, adam);
  flip("saved", 1500, [&] {
    nn::Linear other = net;
    optim::Adam again(other, {});
    train::load(folder_ / "saved", other, again);
    return format_safetensors(other.state()) + format_safetensors(again.state());
  });
}

std::vector<train::HistoryRow> rows() {
  std::vector<train::HistoryRow> all;
  for (int epoch = 1; epoch <= 4; ++epoch)
    all.push_back({.epoch = epoch,
                   .step = 10 * epoch,
                   .train_loss = 1.0 / epoch,
                   .val_loss = NAN,
                   .val_accuracy = 0.1 * epoch,
                   .lr = 1e-5,
                   .flops = 123456789012345678u,
                   .seconds = 0.25});
  return all;
}

TEST_F(Flips, History) {
  std::string text;
  for (const auto& row : rows()) text += with_digest(train::to_jsonl({row}));
  write(folder_ / "history", text);
  flip("history", 1500, [&] {
    return train::to_jsonl(train::parse_jsonl(read_file(folder_ / "history"), folder_ / "history"));
  });
}

TEST_F(Flips, Config) {
  TrainConfig config;
  resolve(config);
  write(folder_ / "config.json", with_digest(to_json(config)));
  flip("config.json", 1500, [&] {
    std::string program = "train", option = "--config", path = folder_ / "config.json";
    char* arguments[] = {program.data(), option.data(), path.data(), nullptr};
    return to_json(parse_train(3, arguments).config);
  });
}

TEST_F(Flips, Results) {
  Results results;
  results.program = "width";
  results.points = {
      {.label = "width 8", .x = 8, .measured = {{"test_accuracy", {.mean = 0.9, .values = {0.9}}}}}};
  results.tables = {{.title = "t", .columns = {"a"}, .rows = {{"1"}, {"2"}}}};
  write(folder_ / "results.json", with_digest(to_json(results)));
  flip("results.json", 1000,
       [&] { return to_json(parse_results(read_file(folder_ / "results.json"), folder_ / "results.json")); });
}

TEST_F(Flips, Store) {
  TrainConfig config;
  resolve(config);
  std::vector<std::string> keys;
  {
    Store store(folder_.path());
    for (int seed = 1; seed <= 3; ++seed) {
      RunSummary run;
      config.seed = seed;
      run.key = run_key(canonical_json(config), "data");
      run.status = "done";
      run.config = canonical_json(config);
      run.test_accuracy = 0.9;
      run.test_loss = NAN;
      run.epochs = run.best_epoch = 4;
      run.date = "2025-04-01T12:00:00Z";
      keys.push_back(run.key);
      store.add(run, rows());
    }
  }
  // All that the store knows; what is not there is said.
  const auto read = [&] {
    Store store(folder_.path());
    std::string text;
    for (const RunSummary& run : store.runs())
      text += fmt::format("{} {} {} {} {} {}\n", run.key, run.status, run.config, *run.test_accuracy,
                          run.epochs, run.date);
    for (const std::string& key : keys) text += train::to_jsonl(store.curve(key));
    return text;
  };
  flip("summaries.jsonl", 1500, read);
  flip("curves.jsonl", 1500, read);
}

}  // namespace
}  // namespace elk::lab
