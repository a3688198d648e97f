// Draws the pictures of the course into a folder:
//
//   cmake --build --preset release --target course_pictures
//   build/release/docs/course/course_pictures docs/course/images
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>
#include <lab/plot.hpp>

namespace {

using elk::Index;
using elk::Tensor;
using elk::lab::Plot;
using elk::lab::Series;
using elk::lab::SeriesStyle;

std::string folder;

void draw(const std::string& name, const Plot& plot) {
  const std::string problem = elk::lab::draw(plot, folder + "/" + name);
  if (!problem.empty()) throw elk::Error(problem);
  std::filesystem::remove(folder + "/" + name + ".png");
  fmt::print("{}\n", name);
}

// Chapter 1: the steps of one unit, the values above the arrows, the gradients below.
void graph() {
  const double x = 1.5, w = 0.8, b = -0.4, m = w * x, u = m + b, p = 1 / (1 + std::exp(-u)), e = p - 1;
  const double du = 2 * e * p * (1 - p);
  std::string svg =
      "<svg viewBox=\"0 0 800 230\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" "
      "font-size=\"16\" text-anchor=\"middle\">\n<title>The steps of one unit as a graph</title>\n"
      "<rect width=\"800\" height=\"230\" fill=\"#ffffff\"/>\n";
  const auto arrow = [&](int x1, int y1, int x2, int y2, const char* name, double value, double gradient) {
    const int x_middle = (x1 + x2) / 2, y_middle = (y1 + y2) / 2;
    svg += fmt::format(
        "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"#888888\" stroke-width=\"1.5\"/>\n"
        "<text x=\"{}\" y=\"{}\" fill=\"#000000\">{} = {:.4g}</text>\n"
        "<text x=\"{}\" y=\"{}\" fill=\"#c0392b\">{:.3f}</text>\n",
        x1, y1, x2, y2, x_middle, y_middle - 10, name, value, x_middle, y_middle + 24, gradient);
  };
  const auto step = [&](int at, int y, const char* name) {
    svg += fmt::format(
        "<circle cx=\"{}\" cy=\"{}\" r=\"20\" fill=\"#eaf2fb\" stroke=\"#2c5f9e\" stroke-width=\"1.5\"/>\n"
        "<text x=\"{}\" y=\"{}\">{}</text>\n",
        at, y, at, y + 6, name);
  };
  arrow(15, 60, 110, 60, "w", w, du * x);
  arrow(15, 160, 110, 160, "x", x, du * w);
  svg +=
      "<line x1=\"110\" y1=\"60\" x2=\"150\" y2=\"100\" stroke=\"#888888\" stroke-width=\"1.5\"/>\n"
      "<line x1=\"110\" y1=\"160\" x2=\"150\" y2=\"120\" stroke=\"#888888\" stroke-width=\"1.5\"/>\n";
  arrow(185, 110, 290, 110, "m", m, du);
  arrow(330, 110, 435, 110, "u", u, du);
  arrow(475, 110, 580, 110, "p", p, 2 * e);
  arrow(620, 110, 725, 110, "e", e, 2 * e);
  arrow(180, 200, 290, 200, "b", b, du);
  svg += "<line x1=\"290\" y1=\"200\" x2=\"310\" y2=\"130\" stroke=\"#888888\" stroke-width=\"1.5\"/>\n";
  step(165, 110, "×");
  step(310, 110, "+");
  step(455, 110, "σ");
  step(600, 110, "− 1");
  step(745, 110, "²");
  svg += fmt::format("<text x=\"735\" y=\"165\">loss = {:.4f}</text>\n</svg>\n", e * e);
  elk::write_file_atomically(folder + "/graph.svg", svg);
  fmt::print("graph\n");
}

// Chapter 4: ReLU networks and a wave.
void kinks() {
  const Tensor x = elk::reshape(elk::cast(elk::arange(101), elk::f64) / 50 - 1, {101, 1});
  const Tensor wave = elk::sin(4 * x);
  const auto series = [&](const std::string& title, const Tensor& y, SeriesStyle style) {
    Series line{.title = title, .style = style};
    for (Index i = 0; i < x.size(); ++i) {
      line.x.push_back(x.at(i));
      line.y.push_back(y.at(i));
    }
    return line;
  };
  Plot plot{.x_label = "x", .y_label = "output"};
  plot.series.push_back(series("sin(4 x)", wave, SeriesStyle::reference));
  for (const Index hidden : {2, 4, 16}) {
    elk::Rng rng(1);
    elk::nn::Sequential net{elk::nn::Linear(1, hidden, rng), elk::nn::ReLU(),
                            elk::nn::Linear(hidden, 1, rng)};
    net.to(elk::f64);
    elk::optim::Adam adam(net, {.lr = 0.02});
    for (int i = 0; i < 1000; ++i) {
      elk::Tape tape;
      adam.step(tape.backward(elk::mse(net(x), wave)));
    }
    plot.series.push_back(series(fmt::format("{} hidden units", hidden), net(x), SeriesStyle::line));
  }
  draw("kinks", plot);
}

// Chapter 5: rates, momentum and decay.
void rates() {
  const elk::TrainTest digits = elk::digits_train_test(1);
  Plot plot{.x_label = "epoch", .y_label = "loss of the test set", .log_y = true};
  const auto train = [&](const std::string& title, double rate, double decay, double momentum) {
    elk::Rng rng(100);
    elk::nn::Sequential net{elk::nn::Linear(784, 64, rng), elk::nn::ReLU(), elk::nn::Linear(64, 10, rng)};
    elk::optim::SGD sgd(net, {.lr = rate, .momentum = momentum});
    Series line{.title = title};
    for (int epoch = 0; epoch <= 6; ++epoch) {
      line.x.push_back(epoch);
      line.y.push_back(elk::train::evaluate(net, digits.test, elk::cross_entropy).loss);
      for (const auto& [x, labels] : elk::Batches(digits.train, 50, rng)) {
        elk::Tape tape;
        sgd.step(tape.backward(elk::cross_entropy(net(x), labels)));
      }
      sgd.set_lr(decay * sgd.lr());
    }
    plot.series.push_back(line);
  };
  train("rate 0.005", 0.005, 1, 0);
  train("rate 0.05", 0.05, 1, 0);
  train("rate 0.5", 0.5, 1, 0);
  train("rate 2", 2, 1, 0);
  train("rate 0.05, momentum 0.9", 0.05, 1, 0.9);
  train("rate 0.5, decay 0.9", 0.5, 0.9, 0);
  draw("rates", plot);
}

// Chapter 6: the size of activations through thirty layers.
void init() {
  Plot plot{.x_label = "layer", .y_label = "root mean square of its outputs", .log_y = true};
  for (const char* name : {"normal", "he", "xavier"}) {
    elk::Rng rng(1);
    Series line{.title = name, .style = SeriesStyle::line};
    std::vector<elk::nn::Linear> layers;
    for (int i = 0; i < 30; ++i)
      layers.emplace_back(100, 100, rng, elk::nn::Linear::Options{.init = elk::nn::init_from(name)});
    Tensor h = elk::randn({50, 100}, rng);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      h = elk::relu(layers[i](h));
      line.x.push_back(static_cast<double>(i + 1));
      line.y.push_back(std::sqrt(elk::mean(elk::square(elk::cast(h, elk::f64))).item()));
    }
    plot.series.push_back(line);
  }
  draw("init", plot);
}

// Chapter 8: loss by compute, and the lower edge.
void frontier() {
  const elk::Dataset digits = elk::digits(1, 0, 64000), test = elk::digits(1, Index{1} << 31, 2000);
  Plot plot{.x_label = "compute of training, FLOPs",
            .y_label = "loss of the test set",
            .log_x = true,
            .log_y = true};
  Series edge{.title = "frontier", .style = SeriesStyle::envelope};
  for (const Index width : {8, 16, 32, 64, 128}) {
    elk::Rng rng(100);
    elk::nn::Sequential net{elk::nn::Linear(784, width, rng), elk::nn::ReLU(),
                            elk::nn::Linear(width, 10, rng)};
    elk::optim::Adam adam(net, {.lr = 4e-3});
    Series line{.title = fmt::format("width {}", width), .style = SeriesStyle::line};
    double budget = 125e6, spent = 0;
    std::size_t at = 0;
    for (const auto& [x, labels] : elk::Batches(digits, 50)) {
      const auto before = elk::flops();
      elk::Tape tape;
      adam.step(tape.backward(elk::cross_entropy(net(x), labels)));
      spent += static_cast<double>(elk::flops() - before);
      if (spent < budget) continue;
      line.x.push_back(budget);
      line.y.push_back(elk::train::evaluate(net, test, elk::cross_entropy).loss);
      if (at == edge.x.size()) {
        edge.x.push_back(budget);
        edge.y.push_back(line.y.back());
      } else {
        edge.y[at] = std::min(edge.y[at], line.y.back());
      }
      ++at;
      budget *= std::sqrt(2.0);
      if (budget > 4.1e9) break;
    }
    plot.series.push_back(line);
  }
  plot.series.push_back(edge);
  draw("frontier", plot);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: course_pictures FOLDER\n", stderr);
    return 2;
  }
  folder = argv[1];
  graph();
  kinks();
  rates();
  init();
  frontier();
}
