// characters, 2003: a language model of embeddings learns to spell numbers
//
// Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, "A neural probabilistic language model", JMLR 3, 2003, of
// characters in place of words. The text is the numbers from 1 to 9999 in random order; a tenth of them is
// held out.
#include <cmath>
#include <cstdio>
#include <set>
#include <string>

#include <elk/elk.hpp>

#include "numerals.hpp"

using elk::Index, elk::Tensor;

constexpr Index context = 12;  // characters that it sees

struct Net : elk::nn::Module {
  elk::nn::Embedding embedding;
  elk::nn::Linear hidden, out;

  Net(Index characters, elk::Rng& rng)
      : embedding(characters, 8, rng), hidden(8 * context, 128, rng), out(128, characters, rng) {}
  Tensor forward(const Tensor& before) const override {  // i64 (N, context); logits (N, characters)
    return out(elk::tanh(hidden(elk::reshape(embedding(before), {-1, 8 * context}))));
  }
  void fields(Fields& f) override { f("embedding", embedding)("hidden", hidden)("out", out); }
};

int main(int argc, char**) {
  const int steps = argc > 1 ? 400 : 4000;  // few with --smoke
  elk::Rng rng(1);
  std::string train_text, test_text;
  std::set<std::string> spelled;
  for (const Index n : rng.permutation(9999)) {
    const std::string number = spell(static_cast<int>(n + 1));
    (spelled.size() < 9000 ? train_text : test_text) += number + "\n";
    spelled.insert(number);
  }
  const elk::Characters characters(train_text);
  const Tensor train = characters.encode(train_text), test = characters.encode(test_text);

  Net net(characters.size(), rng);
  elk::optim::Adam adam(net, {.lr = 3e-3});
  const auto loss = [&](const Tensor& text, const Tensor& at) {  // of the characters at these positions
    const Tensor before = elk::take_rows(text, elk::expand(at, 1) + elk::arange(-context, 0));
    return elk::cross_entropy(net(before), elk::take_rows(text, at));
  };
  for (int step = 0; step < steps; ++step) {
    if (step == steps / 2) adam.set_lr(3e-4);
    const Tensor at = elk::randint(context, train.size(), {256}, rng);
    elk::Tape tape(rng);
    adam.step(tape.backward(loss(train, at)));
  }
  const double perplexity = std::exp(loss(test, elk::arange(context, test.size())).item());
  std::printf("perplexity of a character  %.3f on new numbers; %.3f is the best possible\n", perplexity,
              std::exp(std::log(9999) * 9999 / static_cast<double>(train.size() + test.size())));

  // It writes on, character by character.
  Tensor last = elk::slice(test, 0, -context, test.size());
  std::string line;
  int lines = 0, right = 0;
  for (int i = 0; i < 4000; ++i) {
    const Tensor next = elk::reshape(elk::multinomial(elk::softmax(net(elk::expand(last, 0))), 1, rng), {1});
    last = elk::concat({elk::slice(last, 0, 1, context), next});
    line += characters.decode(next);
    if (line.back() != '\n') continue;
    line.pop_back();
    if (++lines <= 4) std::printf("  %s\n", line.c_str());
    right += static_cast<int>(spelled.count(line));
    line.clear();
  }
  std::printf("%d of the %d numbers that it wrote are spelled right\n", right, lines);
  return perplexity < (argc > 1 ? 2 : 1.4) ? 0 : 1;
}
