// Steps whose batch is cut into a fixed number of parts, done by one process or shared by the processes of a
// team, with the same bits.
//
//   elk::train::Parts parts(4);  // or parts(4, &session), by as many as four ranks of MPI
//   const elk::Batches batches(train, 512, rng);
//   for (auto batch = batches.begin(); batch != batches.end(); ++batch)
//     adam.step(parts.backward(net, rng, batch, [&](const elk::Batch& part) {
//       return elk::cross_entropy(net(part.x), part.labels);
//     }).gradients);
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <elk/autograd/tape.hpp>
#include <elk/base/error.hpp>
#include <elk/base/precision.hpp>
#include <elk/data/batches.hpp>
#include <elk/nn/module.hpp>
#include <elk/train/team.hpp>

namespace elk::train {

/// A step in parts. Its result depends on the number of parts, but not on the number of threads or ranks.
///
/// A batch of n examples is cut into `count` contiguous ranges of rows. The first n mod count of them have
/// one more row than the others. Each part has its own tape, and its own random stream for dropout, keyed by
/// two draws from the step's Rng and the part's number. Its loss is a mean over its examples, weighted by its
/// share of the batch. The gradients are added in a fixed tree: neighbours 0 and 1, 2 and 3, and so on, then
/// pairs of these. A part without examples, which a short last batch can have, adds nothing.
///
/// A BatchNorm normalizes each part by the part's own statistics. Its running statistics start from the same
/// values in every part, and become the mean of the parts' new values, weighted like the losses. The same
/// holds for any floating-point buffer that a part changes; an integer buffer takes the value of the first
/// part.
class Parts {
 public:
  /// By this process alone, or shared by `team`, which must outlive this: rank r of R does parts r count / R
  /// to (r + 1) count / R, without the last. ValueError unless there is a part for every rank.
  ///
  /// With `wire` bf16 ranks send gradients as bfloat16 (8 significant bits), half the bytes of f32. So that
  /// ranks still make no difference, each part's gradient and each sum of the tree is rounded to it, here
  /// too.
  explicit Parts(Index count, Team* team = nullptr, Precision wire = Precision::full);

  Index count() const { return count_; }
  /// The parts that this process does: from first() up to but not including last().
  Index first() const { return first_; }
  Index last() const { return last_; }

  /// The result of a step.
  struct Step {
    double loss = 0;           ///< of the batch, on all ranks
    Gradients gradients = {};  ///< of the batch, on all ranks; none when the loss is not finite
    std::uint64_t flops = 0;   ///< of all parts
    bool stop = false;         ///< whether any rank asked for it
    Index bad_part = -1;       ///< the first whose loss is not finite, or -1
  };
  /// Options of a step.
  struct Options {
    bool stop = false;  ///< passed to all ranks, for example when a signal asks for the end
    /// Called with the gradients of each part that is done here, before they are weighted.
    std::function<void(const Gradients&)> check = {};
  };

  /// Loss and gradients of the given batch, for the parameters of `net` that are not frozen. `rng` must be in
  /// the same position on all ranks, and is so afterwards. `loss` is called once for each part of this
  /// process, on a training tape. If it throws, the network is unchanged; the other ranks wait for this
  /// process, which has to end. Error for a buffer that some parts of the batch change and others do not.
  Step backward(const nn::Module& net, Rng& rng, const Batches::Iterator& batch,
                const std::function<Tensor(const Batch& part)>& loss, const Options& options) const;
  Step backward(const nn::Module& net, Rng& rng, const Batches::Iterator& batch,
                const std::function<Tensor(const Batch& part)>& loss) const {
    return backward(net, rng, batch, loss, Options());
  }  ///< the same

  /// The random stream of a part in a step whose Rng was at `before`.
  static Rng stream(Rng before, Index part);

 private:
  Index count_, first_, last_;
  Team* team_;
  Precision wire_;
};

/// Thrown by agree() on all ranks, with the same text.
class Disagreement : public Error {
 public:
  using Error::Error;
};

/// Throws Disagreement unless all ranks have the same `value`; the message names the first rank with a
/// different one, and both values: "[team] rank 2 has data and options "...", rank 0 has "..."".
void agree(Team& team, const std::string& what, const std::string& value);

/// Sets the state of `module` on all ranks to that of rank `root`. The modules must have the same names and
/// shapes (ValueError, ShapeError).
void broadcast(Team& team, nn::Module& module, int root = 0);

/// The sums over the ranks of the gradients of `module`'s parameters, returned on all ranks and added in a
/// tree over the ranks, as Parts does. A parameter without a gradient on some rank has the sum of the others.
Gradients all_reduce(Team& team, const nn::Module& module, const Gradients& gradients);

}  // namespace elk::train
