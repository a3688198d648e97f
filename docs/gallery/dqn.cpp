// dqn, 2013: Q-learning with a network balances a pole
//
// V. Mnih et al., "Playing Atari with deep reinforcement learning", 2013, with the target network of their
// paper of 2015; the cart and the pole: A. Barto, R. Sutton, C. Anderson, 1983. An episode ends when the pole
// falls, or after 500 steps.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

#include <elk/elk.hpp>

#include "picture.hpp"

using elk::Index, elk::Tensor;
using State = std::array<float, 4>;  // position and speed of the cart, angle and angular speed of the pole

State begin(elk::Rng& rng) {
  State s;
  for (float& v : s) v = static_cast<float>(rng.uniform(-0.05, 0.05));
  return s;
}

State push(const State& s, Index right) {
  const float force = right ? 10 : -10, sine = std::sin(s[2]), cosine = std::cos(s[2]);
  const float a = (force + 0.05F * s[3] * s[3] * sine) / 1.1F;
  const float angular = (9.8F * sine - cosine * a) / (0.5F * (4 / 3.F - 0.1F * cosine * cosine / 1.1F));
  const float linear = a - 0.05F * angular * cosine / 1.1F;
  return {s[0] + 0.02F * s[1], s[1] + 0.02F * linear, s[2] + 0.02F * s[3], s[3] + 0.02F * angular};
}

bool fallen(const State& s) { return std::abs(s[0]) > 2.4F || std::abs(s[2]) > 0.2095F; }

struct Transition {
  State before;
  Index action;
  State after;
  bool end;  // the pole fell
};

int main(int argc, char**) {
  const bool smoke = argc > 1;  // --smoke
  elk::Rng rng(1);
  const auto network = [&] {
    return elk::nn::Sequential{elk::nn::Linear(4, 64, rng), elk::nn::Tanh(), elk::nn::Linear(64, 64, rng),
                               elk::nn::Tanh(), elk::nn::Linear(64, 2, rng)};
  };
  elk::nn::Sequential q = network(), target = q;  // the values of both actions; now, and some steps ago
  elk::optim::Adam adam(q, {.lr = 1e-3});

  std::vector<Transition> memory;
  std::size_t steps = 0;
  std::vector<double> lengths;  // of the episodes
  const auto mean = [&](std::size_t first, std::size_t count) {
    return std::accumulate(&lengths[first], &lengths[first] + count, 0.) / static_cast<double>(count);
  };
  while (lengths.size() < (smoke ? 80 : 400) &&
         (lengths.size() < 20 || mean(lengths.size() - 20, 20) < 475)) {
    State s = begin(rng);
    int length = 0;
    for (bool end = false; !end && length < 500; ++length, ++steps) {
      const double curious = std::max(0.02, 1 - static_cast<double>(steps) / 3000);
      const Index action =
          rng.uniform() < curious
              ? rng.integer(0, 2)
              : static_cast<Index>(elk::argmax(q(elk::from({s[0], s[1], s[2], s[3]}))).item());
      const State next = push(s, action);
      end = fallen(next);
      if (memory.size() < 20000) memory.emplace_back();
      memory[steps % 20000] = {s, action, next, end};
      s = next;
      if (memory.size() < 500) continue;

      std::vector<float> before, after, going_on;
      std::vector<Index> actions;
      for (int i = 0; i < 128; ++i) {
        const Transition& m =
            memory[static_cast<std::size_t>(rng.integer(0, static_cast<Index>(memory.size())))];
        before.insert(before.end(), m.before.begin(), m.before.end());
        after.insert(after.end(), m.after.begin(), m.after.end());
        actions.push_back(m.action);
        going_on.push_back(m.end ? 0 : 1);
      }
      // A step is worth 1, and what the best action is worth thereafter.
      const Tensor worth = 1 + 0.99 * elk::from(going_on) * elk::max(target(elk::from(after, {128, 4})), 1);
      elk::Tape tape(rng);
      const Tensor values = elk::gather(q(elk::from(before, {128, 4})), 1, elk::from(actions, {128, 1}));
      adam.step(elk::optim::clip_norm(tape.backward(elk::huber(values, elk::expand(worth, -1))), 10));
      if (steps % 300 == 0) target.load_state(q.state());
    }
    lengths.push_back(length);
  }

  picture::Series episodes{"episodes", {}, lengths, false}, means{"mean of 20", {}, {}};
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    episodes.x.push_back(static_cast<double>(i + 1));
    if (i + 1 < 20) continue;
    means.x.push_back(static_cast<double>(i + 1));
    means.y.push_back(mean(i - 19, 20));
    if ((i + 1) % 20 == 0) std::printf("episodes %3zu to %3zu  %5.1f steps\n", i - 18, i + 1, means.y.back());
  }
  std::printf("after %zu episodes, the last 20: %.1f steps\n", lengths.size(), means.y.back());
  picture::plot("dqn.svg", "episode", "steps until the pole falls", {episodes, means});
  return means.y.back() >= (smoke ? 1.5 * means.y.front() : 475) ? 0 : 1;
}
