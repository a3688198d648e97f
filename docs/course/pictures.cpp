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

// An SVG of our own: a white sheet with text, lines and arrows.
std::string sheet(int width, int height, const std::string& title) {
  return fmt::format(
      "<svg viewBox=\"0 0 {0} {1}\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" "
      "font-size=\"16\" text-anchor=\"middle\">\n<title>{2}</title>\n"
      "<defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" "
      "markerHeight=\"7\" "
      "orient=\"auto-start-reverse\"><path d=\"M0 0 10 5 0 10z\" fill=\"context-stroke\"/></marker></defs>\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
      width, height, title);
}

constexpr const char *grey = "#666666", *blue = "#2c5f9e", *red = "#c0392b";

std::string line(double x1, double y1, double x2, double y2, const char* colour, const char* more = "") {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
      "stroke-width=\"1.8\"{}/>\n",
      x1, y1, x2, y2, colour, more);
}

std::string words(double x, double y, const std::string& text, const char* colour = "#000000") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"{}\">{}</text>\n", x, y, colour, text);
}

constexpr const char* arrowhead = " marker-end=\"url(#tip)\"";

void keep(const std::string& name, const std::string& svg) {
  elk::write_file_atomically(folder + "/" + name + ".svg", svg + "</svg>\n");
  fmt::print("{}\n", name);
}

// A curve of f over [low, high], mapped to the sheet by x and y.
template <class F, class X, class Y>
std::string curve(F f, double low, double high, X x, Y y) {
  std::string points;
  for (int i = 0; i <= 100; ++i) {
    const double at = low + (high - low) * i / 100;
    points += fmt::format("{:.1f},{:.1f} ", x(at), y(f(at)));
  }
  return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"#2c5f9e\" stroke-width=\"2\"/>\n",
                     points);
}

// Chapter 0: the loss of a guess, and the slope at some.
void slope() {
  std::string svg = sheet(640, 330, "The loss by w, and the slope at three guesses");
  const auto x = [](double w) { return 60 + 90 * w; };
  const auto y = [](double loss) { return 290 - 2.6 * loss; };
  const auto loss = [](double w) { return (3 * w - 12) * (3 * w - 12); };
  svg += line(40, 290, 620, 290, grey, arrowhead) + words(600, 314, "w") +
         line(60, 300, 60, 20, grey, arrowhead) + words(92, 30, "loss") + curve(loss, 0.8, 6, x, y);
  for (const double w : {1.0, 2.62, 4.0}) {
    const double slope = 18 * (w - 4), half = slope == 0 ? 0.6 : 26 / -slope;
    svg += line(x(w - half), y(loss(w) - half * slope), x(w + half), y(loss(w) + half * slope), red) +
           fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n", x(w), y(loss(w)), red) +
           words(x(w) + 68, y(loss(w)) - 8, fmt::format("slope {:.3g}", slope == 0 ? 0.0 : slope), red) +
           words(x(w), 312, fmt::format("{:g}", w));
  }
  keep("slope", svg);
}

// Chapter 3: a bias that is stretched over rows, and its gradient summed back.
void stretched() {
  std::string svg =
      sheet(760, 260, "A bias is copied to every row; going back, the gradients of the copies add up");
  const auto cells = [&](double x, double y, int rows, const std::vector<std::string>& texts,
                         const char* colour) {
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < 3; ++c) {
        const double left = x + 56 * c, top = y + 34 * r;
        svg += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"52\" height=\"30\" rx=\"4\" fill=\"#f4f6f9\" "
            "stroke=\"{}\"/>\n",
            left, top, colour);
        svg += words(left + 26, top + 20, texts[static_cast<std::size_t>(3 * r + c)], colour);
      }
  };
  svg += words(110, 26, "forward: b is copied") + words(560, 26, "backward: the rows of dy add up");
  cells(26, 44, 1, {"b₁", "b₂", "b₃"}, blue);
  cells(26, 128, 3, {"b₁", "b₂", "b₃", "b₁", "b₂", "b₃", "b₁", "b₂", "b₃"}, blue);
  cells(476, 44, 1, {"7", "1", "3"}, red);
  cells(476, 128, 3, {"1", "2", "0", "4", "−1", "1", "2", "0", "2"}, red);
  for (int c = 0; c < 3; ++c) {
    svg += line(52 + 56 * c, 78, 52 + 56 * c, 124, blue, arrowhead) +
           line(502 + 56 * c, 124, 502 + 56 * c, 78, red, arrowhead);
  }
  svg += words(222, 64, "(3)", grey) + words(222, 180, "(3, 3)", grey) + words(690, 64, "db = Σ dy", red) +
         words(680, 180, "dy", red);
  keep("stretched", svg);
}

// Chapter 7: finite differences at a kink.
void corner() {
  std::string svg = sheet(640, 280, "A central difference across a kink is neither of the two slopes");
  const auto x = [](double v) { return 320 + 130 * v; };
  const auto y = [](double v) { return 220 - 90 * v; };
  const auto f = [](double v) { return v > 0 ? v : 0.1 * v; };
  svg += line(40, 220, 610, 220, grey, arrowhead) + words(600, 244, "x") +
         line(320, 260, 320, 20, grey, arrowhead) + curve(f, -2, 2, x, y) +
         line(x(-0.8), y(f(-0.8)), x(0.8), y(f(0.8)), red);
  for (const double v : {-0.8, 0.8})
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n", x(v), y(f(v)), red) +
           words(x(v), 252, v < 0 ? "−h" : "h", red);
  svg += words(150, 200, "slope 0.1", blue) + words(490, 66, "slope 1", blue) +
         words(200, 150, "difference: 0.55", red);
  keep("corner", svg);
}

// Chapter 1: the steps of one unit, the values above the arrows, the gradients below.
void graph() {
  const double x = 1.5, w = 0.8, b = -0.4, m = w * x, u = m + b, p = 1 / (1 + std::exp(-u)), e = p - 1;
  const double du = 2 * e * p * (1 - p);
  std::string svg = sheet(800, 230, "The steps of one unit as a graph");
  const auto arrow = [&](int x1, int y1, int x2, int y2, const char* name, double value, double gradient) {
    const int x_middle = (x1 + x2) / 2, y_middle = (y1 + y2) / 2;
    svg += fmt::format(
        "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"#666666\" stroke-width=\"1.5\" "
        "marker-end=\"url(#tip)\"/>\n"
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
  const auto plain = [&](int x1, int y1, int x2, int y2, const char* name, double value, double gradient) {
    arrow(x1, y1, x2, y2, name, value, gradient);
    svg.replace(svg.rfind(" marker-end"), std::string(" marker-end=\"url(#tip)\"").size(), "");  // it goes on
  };
  plain(15, 60, 110, 60, "w", w, du * x);
  plain(15, 160, 110, 160, "x", x, du * w);
  svg += line(110, 60, 149, 97, grey, arrowhead) + line(110, 160, 149, 123, grey, arrowhead);
  arrow(185, 110, 289, 110, "m", m, du);
  arrow(330, 110, 435, 110, "u", u, du);
  arrow(475, 110, 580, 110, "p", p, 2 * e);
  arrow(620, 110, 725, 110, "e", e, 2 * e);
  plain(180, 200, 290, 200, "b", b, du);
  svg += line(290, 200, 307, 132, grey, arrowhead);
  step(165, 110, "×");
  step(310, 110, "+");
  step(455, 110, "σ");
  step(600, 110, "− 1");
  step(745, 110, "²");
  svg += fmt::format("<text x=\"735\" y=\"165\">loss = {:.4f}</text>\n", e * e);
  keep("graph", svg);
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

// Chapter 8: loss by compute, and the lower edge. Each width at its best rate by the validation set, three
// seeds.
void frontier() {
  const elk::Dataset digits = elk::digits(1, 0, 64000), validation = elk::digits(1, 64000, 2000),
                     test = elk::digits(1, Index{1} << 31, 2000);
  Plot plot{.x_label = "compute of training, FLOPs",
            .y_label = "loss of the test set",
            .log_x = true,
            .log_y = true};
  Series edge{.title = "frontier", .style = SeriesStyle::envelope};
  std::vector<double> edge_validation;
  for (const Index width : {8, 16, 32, 64, 128}) {
    Series curve{.title = fmt::format("width {}", width), .style = SeriesStyle::line};
    std::vector<double> best;  // by budget, the validation loss
    for (const double rate : {4e-3, 8e-3, 16e-3, 32e-3}) {
      std::vector<double> of_validation, of_test;
      for (const std::uint32_t seed : {100U, 101U, 102U}) {
        elk::Rng rng(seed);
        elk::nn::Sequential net{elk::nn::Linear(784, width, rng), elk::nn::ReLU(),
                                elk::nn::Linear(width, 10, rng)};
        elk::optim::Adam adam(net, {.lr = rate});
        double budget = 125e6, spent = 0;
        std::size_t at = 0;
        for (const auto& [x, labels] : elk::Batches(digits, 50)) {
          const auto before = elk::flops();
          elk::Tape tape;
          adam.step(tape.backward(elk::cross_entropy(net(x), labels)));
          spent += static_cast<double>(elk::flops() - before);
          if (spent < budget) continue;
          of_validation.resize(std::max(of_validation.size(), at + 1));
          of_test.resize(of_validation.size());
          of_validation[at] += elk::train::evaluate(net, validation, elk::cross_entropy).loss / 3;
          of_test[at++] += elk::train::evaluate(net, test, elk::cross_entropy).loss / 3;
          budget *= std::sqrt(2.0);
          if (budget > 4.1e9) break;
        }
      }
      for (std::size_t at = 0; at < of_test.size(); ++at) {
        if (at == best.size()) {
          best.push_back(INFINITY);
          curve.x.push_back(125e6 * std::pow(2, 0.5 * static_cast<double>(at)));
          curve.y.push_back(0);
        }
        if (of_validation[at] >= best[at]) continue;
        best[at] = of_validation[at];
        curve.y[at] = of_test[at];
      }
    }
    for (std::size_t at = 0; at < best.size(); ++at) {
      if (at == edge.x.size()) {
        edge.x.push_back(curve.x[at]);
        edge.y.push_back(0);
        edge_validation.push_back(INFINITY);
      }
      if (best[at] >= edge_validation[at]) continue;
      edge_validation[at] = best[at];
      edge.y[at] = curve.y[at];
    }
    plot.series.push_back(curve);
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
  slope();
  graph();
  stretched();
  corner();
  kinks();
  rates();
  init();
  frontier();
}
