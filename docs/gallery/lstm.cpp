// lstm, 1997: a recurrent network remembers across many steps
//
// S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997, experiment 1: words of
// the embedded Reber grammar. The second letter, T or P, comes again as the last but one; what is between,
// here five words of some 40 letters together, does not tell. An RNN forgets it.
#include <cstdio>
#include <string>
#include <vector>

#include <elk/elk.hpp>

using namespace elk::nn;
using elk::Index, elk::Tensor;

const std::string letters = "BTPSXVE ";  // the space fills words up
constexpr Index longest = 60;

// A word of the Reber grammar: each state has two letters, and the states to which they lead.
std::string reber(elk::Rng& rng) {
  struct State {
    const char* letters;
    int next[2];
  };
  static const std::vector<State> states = {
      {"TP", {1, 2}}, {"SX", {1, 3}}, {"TV", {2, 4}}, {"XS", {2, 5}}, {"PV", {3, 5}}};
  std::string word = "B";
  for (std::size_t state = 0; state < 5;) {
    const bool second = rng.integer(0, 2) == 1;
    word += states[state].letters[second];
    state = static_cast<std::size_t>(states[state].next[second]);
  }
  return word + "E";
}

std::string embedded(elk::Rng& rng) {
  const std::string kind = rng.integer(0, 2) == 1 ? "T" : "P";
  std::string inner;
  for (int word = 0; word < 5; ++word) inner += reber(rng);
  return inner.size() + 4 > longest ? embedded(rng) : "B" + kind + inner + kind + "E";
}

// Words as ids i64 (N, longest), filled up.
Tensor ids(const std::vector<std::string>& words) {
  std::vector<Index> list;
  for (const std::string& word : words)
    for (std::size_t i = 0; i < longest; ++i)
      list.push_back(static_cast<Index>(letters.find(i < word.size() ? word[i] : ' ')));
  return elk::from(list, {static_cast<Index>(words.size()), longest});
}

struct Result {
  double first_loss, last_loss, right;  // of new words, where it predicts the last but one letter
};

template <class Recurrent>
Result learn(int steps) {
  elk::Rng rng(1);
  Sequential net{Recurrent(8, 32, rng), Linear(32, 8, rng)};
  elk::optim::Adam adam(net, {.lr = 5e-3});
  const auto logits = [&](const Tensor& words) { return net(elk::one_hot(elk::slice(words, 1, 0, -1), 8)); };
  const auto draw = [&](std::size_t count) {
    std::vector<std::string> words(count);
    for (std::string& word : words) word = embedded(rng);
    return words;
  };

  Result result{};
  for (int step = 0; step < steps; ++step) {
    if (step == steps / 2) adam.set_lr(1e-3);
    const Tensor words = ids(draw(64));
    elk::Tape tape(rng);
    const Tensor loss = elk::cross_entropy(logits(words), elk::slice(words, 1, 1, longest));
    adam.step(tape.backward(loss));
    (step == 0 ? result.first_loss : result.last_loss) = loss.item();
  }

  const std::vector<std::string> words = draw(1000);
  const Tensor all = logits(ids(words));
  for (std::size_t i = 0; i < words.size(); ++i) {
    // Logits of the step before the last but one letter: which of T and P is likelier?
    const Index at = (static_cast<Index>(i) * (longest - 1) + static_cast<Index>(words[i].size()) - 3) * 8;
    result.right += (all.at(at + 1) > all.at(at + 2)) == (words[i][1] == 'T');
  }
  result.right /= static_cast<double>(words.size());
  return result;
}

int main(int argc, char**) {
  const bool smoke = argc > 1;  // --smoke
  const Result rnn = learn<RNN>(smoke ? 150 : 1500), lstm = learn<LSTM>(smoke ? 150 : 1500);
  std::printf("last but one letter predicted (a guess: 50%%)\nRNN   %5.1f%%\nLSTM  %5.1f%%\n",
              100 * rnn.right, 100 * lstm.right);
  return smoke ? (lstm.last_loss < 0.6 * lstm.first_loss ? 0 : 1) : (lstm.right > 0.99 ? 0 : 1);
}
