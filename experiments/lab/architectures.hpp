// The multilayer perceptron and the small convolutional network that `architecture` compares: their sizes and
// their runs.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <elk/nn/sequential.hpp>
#include <lab/work.hpp>

namespace elk::lab {

enum class Architecture { mlp, convolutional };

/// As settings and labels name it: "MLP", "convolutional".
const char* name_of(Architecture architecture);

/// What comes in and out of a network: images of (height, width) or (channels, height, width), and classes.
struct ImageTask {
  Shape image;
  Index classes = 10;
};

/// An MLP of one hidden layer of `width` units, or a network like LeNet-5 (LeCun et al. 1998): 5 x 5
/// convolutions of `width` and 2 `width` channels, each with ReLU and 2 x 2 max pooling, 20 `width` hidden
/// units, logits. Weights are He's, biases 0, in both.
nn::Sequential make_network(Architecture architecture, Index width, const ImageTask& task, Rng& rng);

/// How large a network is: its parameters, and the FLOPs of a training step for an image of a batch,
/// counted while one is made, with momentum.
struct NetworkSize {
  Index width = 0;
  double parameters = 0, flops = 0;
};
NetworkSize size_of(Architecture architecture, Index width, const ImageTask& task);

/// For each of `others`, the convolutional networks whose parameters, and whose FLOPs, are the nearest: the
/// one with the smaller ratio of the larger number to the smaller.
struct Partners {
  NetworkSize parameters, flops;
};
std::vector<Partners> partners_of(std::span<const NetworkSize> others, const ImageTask& task);

constexpr std::int64_t architecture_batch = 50;

/// Runs of either network by SGD at a rate that falls to 0 along half a cosine over the run. Settings:
/// "dataset", "model" (see name_of), "width", "examples" to learn from, drawn for each seed, "validation"
/// held out, by which the epoch is chosen whose weights count, "epochs", "momentum", "lr", "seed"; "test", if
/// only so many of the test images are to be used. Metrics: "test_loss", "test_accuracy", "validation_loss".
/// The data sets are those of the settings, in `data_dir`.
std::unique_ptr<Work> architecture_runs(const std::string& data_dir);

}  // namespace elk::lab
