// regression, 1805: prices from a table with words and missing values
//
// The method of least squares (A.-M. Legendre, 1805) beside a network. The program writes the table itself,
// as prices.csv.
#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>

using elk::Tensor;

int main(int argc, char**) {
  const int steps = argc > 1 ? 200 : 2000;  // few with --smoke
  elk::Rng rng(1);
  const std::vector<std::pair<std::string, double>> districts{{"centre", 2}, {"north", 1.4}, {"south", 1}};
  std::ostringstream csv;
  csv << "area,age,district,price\n";
  for (int i = 0; i < 1000; ++i) {
    const auto& [district, factor] = districts[static_cast<std::size_t>(rng.integer(0, 3))];
    const double area = rng.uniform(30, 200), age = rng.uniform(0, 100);
    const double price =
        factor * area * (3 - 2 * std::sin(age / 100 * 3.14)) + 10 * rng.normal();  // dear when new or old
    csv << area << "," << (rng.uniform() < 0.05 ? "" : std::to_string(age)) << "," << district << "," << price
        << "\n";
  }
  elk::write_file_atomically("prices.csv", csv.str());

  const elk::Table table = elk::read_csv("prices.csv");
  const Tensor numbers = table.numbers({"area", "age"}), y = table.numbers({"price"}) / 100;
  const Tensor filled = elk::fill_missing(numbers, elk::column_means(numbers[elk::range(0, 800)]));
  const Tensor x = elk::concat({filled, elk::one_hot(table.categories("district").ids, 3, elk::f64)}, 1);
  const Tensor x_train = x[elk::range(0, 800)], y_train = y[elk::range(0, 800)];
  const Tensor x_test = x[elk::range(800, 1000)], y_test = y[elk::range(800, 1000)];

  const auto explained = [&](elk::nn::Sequential net) {  // the share of the variance of new prices
    net.to(elk::f64);
    elk::optim::Adam adam(net, {.lr = 0.01});
    for (int step = 0; step < steps; ++step) {
      elk::Tape tape(rng);
      adam.step(tape.backward(elk::mse(net(x_train), y_train)));
    }
    return 1 - (elk::mse(net(x_test), y_test) / elk::var(y_test)).item();
  };
  const elk::nn::Normalize normalize(elk::mean(x_train, 0), 1 / elk::sqrt(elk::var(x_train, 0)));
  const double line = explained(elk::nn::Sequential{normalize, elk::nn::Linear(5, 1, rng)});
  const double network = explained(elk::nn::Sequential{normalize, elk::nn::Linear(5, 32, rng),
                                                       elk::nn::Tanh(), elk::nn::Linear(32, 1, rng)});
  std::printf("variance of new prices explained\nleast squares  %4.2f\nnetwork        %4.2f\n", line,
              network);
  return network > line && network > 0.8 ? 0 : 1;
}
