// characters, 2003: a language model of embeddings learns to spell numbers
//
// Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, "A neural probabilistic language model", JMLR 3, 2003, of
// characters in place of words. The text is the numbers from 1 to 9999 in random order; a tenth of them is
// held out.
#include <cmath>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include <elk/elk.hpp>

#include "numerals.hpp"

using elk::Index, elk::Tensor;

const std::string alphabet = "\n -abcdefghijklmnopqrstuvwxyz";
constexpr Index context = 12;

struct Examples {
  Tensor before, next;  // i64 (N, context), i64 (N)
};

// The characters of `text` at `positions`, and those before each.
Examples examples(const std::string& text, const std::vector<Index>& positions) {
  std::vector<Index> before, next;
  const auto id = [&](Index i) {
    return static_cast<Index>(alphabet.find(text[static_cast<std::size_t>(i)]));
  };
  for (const Index i : positions) {
    for (Index k = i - context; k < i; ++k) before.push_back(id(k));
    next.push_back(id(i));
  }
  return {elk::from(before, {static_cast<Index>(positions.size()), context}), elk::from(next)};
}

struct Net : elk::nn::Module {
  elk::nn::Parameter embedding;
  elk::nn::Linear hidden, out;

  explicit Net(elk::Rng& rng)
      : embedding(elk::randn({29, 8}, rng)), hidden(8 * context, 128, rng), out(128, 29, rng) {}
  Tensor forward(const Tensor& before) const override {  // i64 (N, context); logits (N, 29)
    const Tensor embedded = elk::take_rows(embedding, elk::reshape(before, {-1}));
    return out(elk::tanh(hidden(elk::reshape(embedded, {-1, 8 * context}))));
  }
  void fields(Fields& f) override { f("embedding", embedding)("hidden", hidden)("out", out); }
};

int main(int argc, char**) {
  const int steps = argc > 1 ? 400 : 4000;  // few with --smoke
  elk::Rng rng(1);
  std::string train, test;
  std::set<std::string> spelled;
  for (const Index n : rng.permutation(9999)) {
    const std::string number = spell(static_cast<int>(n + 1));
    (spelled.size() < 9000 ? train : test) += number + "\n";
    spelled.insert(number);
  }

  Net net(rng);
  elk::optim::Adam adam(net, {.lr = 3e-3});
  for (int step = 0; step < steps; ++step) {
    if (step == steps / 2) adam.set_lr(3e-4);
    std::vector<Index> positions;
    for (int i = 0; i < 256; ++i) positions.push_back(rng.integer(context, static_cast<Index>(train.size())));
    const auto [before, next] = examples(train, positions);
    elk::Tape tape(rng);
    adam.step(tape.backward(elk::cross_entropy(net(before), next)));
  }

  std::vector<Index> all;
  for (Index i = context; i < static_cast<Index>(test.size()); ++i) all.push_back(i);
  const auto [before, next] = examples(test, all);
  const double perplexity = std::exp(elk::cross_entropy(net(before), next).item());
  std::printf("perplexity of a character  %.3f on new numbers; %.3f is the best possible\n", perplexity,
              std::exp(std::log(9999) * 9999 / static_cast<double>(train.size() + test.size())));

  // It writes on, character by character.
  std::string text = test;
  for (int i = 0; i < 4000; ++i) {
    const Tensor p = elk::softmax(net(examples(text + " ", {static_cast<Index>(text.size())}).before));
    Index pick = 0;
    for (double u = rng.uniform() - p.at(0); u > 0 && pick < 28; u -= p.at(pick)) ++pick;
    text += alphabet[static_cast<std::size_t>(pick)];
  }
  int words = 0, right = 0;
  text.erase(0, test.size());
  for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    if (++words <= 4) std::printf("  %s\n", text.substr(0, end).c_str());
    right += static_cast<int>(spelled.count(text.substr(0, end)));
  }
  std::printf("%d of the %d numbers that it wrote are spelled right\n", right, words);
  return perplexity < (argc > 1 ? 2 : 1.4) ? 0 : 1;
}
