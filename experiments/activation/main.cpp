// activation: which activation function serves which network best?

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

struct Reported {
  const char* net;
  double sigmoid, relu, leaky_relu;  // PAPER 3.2; the last two of the last row are probably swapped
};
constexpr Reported nets[] = {
    {"64", 0.9626, 0.9538, 0.9568}, {"32,32", 0.9484, 0.0974, 0.1439}, {"600", 0.9493, 0.9628, 0.9557}};

void ask(Study& study) {
  for (const Reported& row : study.thinned(std::vector<Reported>(std::begin(nets), std::end(nets)))) {
    const auto add = [&](const std::string& activation, std::optional<double> reported) {
      TrainConfig config = study.base(10);
      config.hidden = row.net;
      config.activation = activation;
      if (study.paper()) {
        config.init = "normal";
        config.loss = "paper_mean";
        config.schedule = "constant";
        if (activation == "leaky_relu") config.leaky_slope = 0.01;  // the study does not tell
      } else {
        config.init = activation == "sigmoid" || activation == "tanh" ? "xavier" : "he";
      }
      study.add({.series = std::string("[784,") + row.net + ",10]",
                 .label = activation,
                 .config = config,
                 .reported = study.paper() ? reported : std::nullopt,
                 .tune = !study.paper()});
    };
    add("sigmoid", row.sigmoid);
    add("relu", row.relu);
    add("leaky_relu", row.leaky_relu);
    if (study.paper()) continue;
    add("tanh", std::nullopt);
    add("gelu", std::nullopt);
  }
  const Outcomes all = study.run();
  study.table("Test accuracy by activation", "activation", all);
  study.plot("Test error by activation", "activation", all, Metric::test_error,
             {.log_y = true, .names = true});
  for (std::size_t begin = 0; begin < all.size();) {
    const std::string& net = all[begin].cell.series;
    std::size_t end = begin;
    Plot plot{
        .title = "Training loss of " + net, .x_label = "epoch", .y_label = "training loss", .log_y = true};
    for (; end < all.size() && all[end].cell.series == net; ++end)
      plot.series.push_back(
          study.curve(all[end], all[end].cell.label, [](const auto& row) { return row.train_loss; }));
    study.draw_curves(plot);
    study.best_of(std::span(all).subspan(begin, end - begin), "for " + net + ", activation");
    begin = end;
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "activation",
       .title = "Activation functions",
       .question = "Which activation function serves which network best: one narrow hidden layer, two, or a "
                   "wide one?"},
      ask);
}
