// Checkpoints of a training run: one that is accepted can be gone on from.
#include <elk/nn/layers.hpp>
#include <elk/train/fit.hpp>

#include "safetensors_mutator.hpp"

namespace {

using namespace elk;

class OneStep : public train::Callback {
 public:
  void step_done(train::Fit& fit) override { fit.stop(); }
};

void load(const std::string& path) {
  static const Dataset data{"tiny",
                            from(std::vector<std::uint8_t>{0, 255, 128}, {3, 1}),
                            from(std::vector<std::int64_t>{0, 1, 0}),
                            {"dark", "light"}};
  Rng rng(1);
  nn::Linear net(1, 2, rng);
  optim::SGD sgd(net, {.momentum = 0.5});
  train::EarlyStopping early_stopping(2);
  OneStep one_step;
  train::Fit fit(net, sgd, data, rng,
                 {.batch_size = 2, .validation = data, .callbacks = {&early_stopping, &one_step}});
  if (fuzz::accepted([&] { fit.load(path); })) fuzz::accepted([&] { fit.run(); });
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  return fuzz::mutate_safetensors(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  load(file.holding(fuzz::text(data, size)));
  return 0;
}
