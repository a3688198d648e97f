#include <string>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

std::pair<double, double> my_unit(double x, double w, double b);

const course::Exercise unit(
    "15_unit",
    [](course::Grader& grader) {
      const auto check = [&](const char* what, double at, double w, double b) {
        const elk::Tensor weight = elk::scalar(w, elk::f64), bias = elk::scalar(b, elk::f64);
        elk::Tape tape;
        tape.watch(weight);
        tape.watch(bias);
        const elk::Gradients expected = tape.backward(elk::square(elk::tanh(weight * at + bias) - 1));
        grader.value(
            what,
            [&] {
              const auto [dw, db] = my_unit(at, w, b);
              return elk::from({dw, db}, elk::f64);
            },
            elk::from({expected[weight].item(), expected[bias].item()}, elk::f64));
      };
      check("d loss/dw and d loss/db at x = 1.5", 1.5, 0.8, -0.4);
      check("the same at x = -2", -2, 0.3, 0.1);
    },
    []() -> std::string {
      // Zeros from ones, by the ink in the middle. The unit is to say 1; where it is to say -1, what it gets
      // is turned round, which gives the loss of the other answer.
      const course::Digits& all = course::digits();
      const auto ink = [](const elk::Tensor& x, elk::Index i) {
        const elk::Tensor image = elk::reshape(elk::slice(x, 0, i, i + 1), {28, 28});
        return 4 * elk::mean(elk::slice(elk::slice(image, 0, 11, 17), 1, 11, 17)).item() - 2;
      };
      double w = 0.1, b = 0;
      for (elk::Index i = 0; i < 1000; ++i) {
        if (all.labels.at(i) > 1) continue;
        const double sign = all.labels.at(i) == 1 ? 1 : -1;
        const auto [dw, db] = my_unit(sign * ink(all.x, i), w, sign * b);
        w -= 0.1 * dw;
        b -= 0.1 * sign * db;
      }
      int count = 0, right = 0;
      for (elk::Index i = 0; i < 1000; ++i) {
        if (all.test_labels.at(i) > 1) continue;
        ++count;
        right += (w * ink(all.test_x, i) + b > 0) == (all.test_labels.at(i) == 1);
      }
      return fmt::format(
          "a single unit, of the ink in the middle, tells {:.1f} % of {} zeros and ones that it has not seen",
          100.0 * right / count, count);
    });
