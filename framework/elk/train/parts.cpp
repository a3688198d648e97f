#include <algorithm>
#include <cmath>
#include <utility>

#include <elk/autograd/record.hpp>
#include <elk/autograd/scope.hpp>
#include <elk/base/flops.hpp>
#include <elk/base/format.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>
#include <elk/train/parts.hpp>

namespace elk::train {

namespace {

// A run of 2^level parts from `start` on, a multiple of 2^level, as far as there are so many.
struct Place {
  Index start;
  int level;
};

// Whether b, which follows a, is the other half of the next larger run.
bool are_halves(const Place& a, const Place& b) {
  return a.level == b.level && (a.start >> a.level) % 2 == 0;
}

// Puts the next block on the stack; halves become wholes as soon as both are there.
template <class Block, class Add>
void push(std::vector<Block>& stack, Block block, const Add& add) {
  stack.push_back(std::move(block));
  while (stack.size() > 1 && are_halves(stack[stack.size() - 2].place, stack.back().place)) {
    Block right = std::move(stack.back());
    stack.pop_back();
    add(stack.back(), std::move(right));
    ++stack.back().place.level;
  }
}

// What is left when all parts are there and they are no power of two: the last ones first.
template <class Block, class Add>
void add_rest(std::vector<Block>& stack, const Add& add) {
  while (stack.size() > 1) {
    Block right = std::move(stack.back());
    stack.pop_back();
    add(stack.back(), std::move(right));
  }
}

struct Empty {
  Place place;
};

// The runs that a rank has added up when it has done parts `first` to `last`.
std::vector<Empty> places(Index first, Index last) {
  std::vector<Empty> stack;
  for (Index part = first; part < last; ++part) push(stack, Empty{{part, 0}}, [](Empty&, Empty&&) {});
  return stack;
}

Index first_of(Index count, int rank, int ranks) { return count * rank / ranks; }

// What every x is left alone by, -0 too.
template <class T>
constexpr T nothing = T(-0.0);

template <class T>
void add_to(T* sum, const T* x, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += x[i];
}

// A tensor's place in a row of numbers of its dtype.
struct Slice {
  std::size_t tensor, begin, count;
};

// Tensors of dtype T of all parts, added up in the tree.
template <class T>
class Sums {
 public:
  void make_room(std::size_t tensor, const Tensor& like) {
    const auto count = static_cast<std::size_t>(like.size());
    slices_.push_back({tensor, size_, count});
    size_ += count;
  }

  /// The part's tensors, of which undefined ones are nothing, each times its factor.
  void add(Index part, const std::vector<Tensor>& tensors, const std::vector<double>& factors) {
    Block block{{part, 0}, std::vector<T>(size_)};
    for (const Slice& slice : slices_) {
      T* to = block.numbers.data() + slice.begin;
      const Tensor& from = tensors[slice.tensor];
      const double factor = factors[slice.tensor];
      if (!from.defined())
        std::fill_n(to, slice.count, nothing<T>);
      else if (factor == 1)
        std::copy_n(detail::readable<T>(from), slice.count, to);
      else
        for (std::size_t i = 0; i < slice.count; ++i)
          to[i] = detail::readable<T>(from)[i] * static_cast<T>(factor);
    }
    push(stack_, std::move(block), add_blocks);
  }
  void add_nothing(Index part) { push(stack_, Block{{part, 0}, {}}, add_blocks); }

  /// Sets the `tensors` to the sums.
  void give(std::vector<Tensor>& tensors, const std::vector<Tensor>& like, Index parts, Team* team) {
    if (size_ == 0) return;
    if (team == nullptr || team->size() == 1) {
      add_rest(stack_, add_blocks);
    } else {
      std::vector<T> all(size_);
      // Counts of bytes fit an int.
      constexpr std::size_t most = std::size_t{1} << 27;
      for (std::size_t begin = 0; begin < size_; begin += most)
        add_ranks(all, begin, std::min(size_, begin + most), parts, *team);
      stack_.assign(1, Block{{0, 0}, std::move(all)});
    }
    for (const Slice& slice : slices_) {
      Tensor sum = empty(like[slice.tensor].shape(), like[slice.tensor].dtype());
      std::copy_n(stack_[0].numbers.data() + slice.begin, slice.count, detail::writable<T>(sum));
      tensors[slice.tensor] = sum;
    }
  }

 private:
  struct Block {
    Place place;
    std::vector<T> numbers;  // none: nothing
  };
  static void add_blocks(Block& sum, Block&& x) {
    if (sum.numbers.empty())
      sum.numbers = std::move(x.numbers);
    else if (!x.numbers.empty())
      add_to(sum.numbers.data(), x.numbers.data(), sum.numbers.size());
  }

  // Of the numbers from `begin` to `end` every rank adds up its share, and gives it to all.
  void add_ranks(std::vector<T>& all, std::size_t begin, std::size_t end, Index parts, Team& team) {
    const int ranks = team.size();
    std::vector<std::size_t> cuts;  // in bytes
    for (int r = 0; r <= ranks; ++r)
      cuts.push_back((end - begin) * static_cast<std::size_t>(r) / static_cast<std::size_t>(ranks) *
                     sizeof(T));
    const auto rank = static_cast<std::size_t>(team.rank());
    const std::size_t own = (cuts[rank + 1] - cuts[rank]) / sizeof(T);

    std::vector<std::vector<Empty>> blocks;  // of each rank
    std::size_t rounds = 0;
    for (int r = 0; r < ranks; ++r) {
      blocks.push_back(places(first_of(parts, r, ranks), first_of(parts, r + 1, ranks)));
      rounds = std::max(rounds, blocks.back().size());
    }
    // A round for the first block of every rank, one for the second, and so on; mostly there is but one.
    std::vector<std::vector<T>> received(rounds);
    std::vector<std::vector<std::size_t>> at(rounds, std::vector<std::size_t>(blocks.size()));
    for (std::size_t round = 0; round < rounds; ++round) {
      std::vector<int> senders;
      for (int r = 0; r < ranks; ++r) {
        if (blocks[static_cast<std::size_t>(r)].size() <= round) continue;
        at[round][static_cast<std::size_t>(r)] = senders.size() * own;
        senders.push_back(r);
      }
      received[round].resize(senders.size() * own);
      std::span<const T> mine;
      if (round < stack_.size()) {
        if (stack_[round].numbers.empty()) stack_[round].numbers.assign(size_, nothing<T>);
        mine = std::span<const T>(stack_[round].numbers).subspan(begin, end - begin);
      }
      team.exchange(std::as_bytes(mine), cuts, senders,
                    std::as_writable_bytes(std::span<T>(received[round])));
    }
    struct Share {
      Place place;
      T* numbers;
    };
    const auto add = [own](Share& sum, Share&& x) { add_to(sum.numbers, x.numbers, own); };
    std::vector<Share> stack;
    for (std::size_t r = 0; r < blocks.size(); ++r)
      for (std::size_t round = 0; round < blocks[r].size(); ++round)
        push(stack, Share{blocks[r][round].place, received[round].data() + at[round][r]}, add);
    add_rest(stack, add);
    std::copy_n(stack[0].numbers, own, all.data() + begin + cuts[rank] / sizeof(T));
    team.share(std::as_writable_bytes(std::span<T>(all).subspan(begin, end - begin)), cuts);
  }

  std::vector<Slice> slices_;
  std::size_t size_ = 0;
  std::vector<Block> stack_;
};

// Tensors of all parts, whose sums are `like` them in shape and dtype.
class TensorSums {
 public:
  explicit TensorSums(std::vector<Tensor> like) : like_(std::move(like)) {
    for (std::size_t i = 0; i < like_.size(); ++i) {
      if (like_[i].dtype() == f32) f32_.make_room(i, like_[i]);
      if (like_[i].dtype() == f64) f64_.make_room(i, like_[i]);
    }
  }
  void add(Index part, const std::vector<Tensor>& tensors, const std::vector<double>& factors) {
    f32_.add(part, tensors, factors);
    f64_.add(part, tensors, factors);
  }
  void add_nothing(Index part) {
    f32_.add_nothing(part);
    f64_.add_nothing(part);
  }
  /// Undefined where there are no floats.
  std::vector<Tensor> sums(Index parts, Team* team) {
    std::vector<Tensor> tensors(like_.size());
    f32_.give(tensors, like_, parts, team);
    f64_.give(tensors, like_, parts, team);
    return tensors;
  }

 private:
  std::vector<Tensor> like_;
  Sums<float> f32_;
  Sums<double> f64_;
};

// Gradients of given values: those of a sum whose rules return them.
Gradients gradients_of(const std::vector<std::pair<Tensor, Tensor>>& values) {
  const Pause pause;
  Tape tape;
  std::vector<Wrt<Rule>> inputs;
  for (const auto& item : values) {
    tape.watch(item.first);
    inputs.push_back({item.first, [gradient = item.second](const Tensor&) { return gradient; }});
  }
  if (inputs.empty()) return {};
  return tape.backward(record("parts", scalar(0, f64), std::move(inputs)));
}

std::vector<Tensor> trained(const nn::Module& net) {
  std::vector<Tensor> list;
  for (const nn::NamedSlot& parameter : net.parameters())
    if (!parameter.slot->frozen()) list.push_back(parameter.slot->value());
  return list;
}

std::vector<Tensor> values(const std::vector<Tensor*>& buffers) {
  std::vector<Tensor> list;
  for (const Tensor* buffer : buffers) list.push_back(*buffer);
  return list;
}

void set(const std::vector<Tensor*>& buffers, const std::vector<Tensor>& values) {
  for (std::size_t i = 0; i < buffers.size(); ++i) *buffers[i] = values[i];
}

double total(const std::vector<double>& losses) {
  struct Loss {
    Place place;
    double value;
  };
  const auto add = [](Loss& sum, Loss&& x) { sum.value += x.value; };
  std::vector<Loss> stack;
  for (std::size_t part = 0; part < losses.size(); ++part)
    push(stack, Loss{{static_cast<Index>(part), 0}, losses[part]}, add);
  add_rest(stack, add);
  return stack[0].value;
}

}  // namespace

Parts::Parts(Index count, Team* team) : count_(count), team_(team) {
  const int ranks = team != nullptr ? team->size() : 1, rank = team != nullptr ? team->rank() : 0;
  if (count < 1) fail<ValueError>("[parts] expected 1 part or more, got {}", count);
  if (count < ranks) fail<ValueError>("[parts] {} ranks cannot share {} parts: each needs one", ranks, count);
  first_ = first_of(count, rank, ranks);
  last_ = first_of(count, rank + 1, ranks);
}

Rng Parts::stream(Rng before, Index part) {
  const std::uint32_t a = before.bits(), b = before.bits();
  return Rng::keyed({a, b, static_cast<std::uint32_t>(part)});
}

Parts::Step Parts::backward(const nn::Module& net, Rng& rng, const Batches::Iterator& batch,
                            const std::function<Tensor(const Batch& part)>& loss,
                            const Options& options) const {
  const Rng before = rng;
  for (int i = 0; i < 2; ++i) rng.bits();  // of stream()
  const std::vector<Tensor*> buffers = detail::buffers(net);
  const std::vector<Tensor> parameters = trained(net), kept = values(buffers);
  std::vector<Tensor> like = parameters;
  like.insert(like.end(), kept.begin(), kept.end());
  TensorSums sums(like);

  // What goes round in front of the sums, every number from one rank or 0: the losses of the parts, what they
  // have of each tensor, integer buffers of the first part, FLOPs, and whether to stop.
  std::vector<double> losses(static_cast<std::size_t>(count_)), there(like.size()), integers, rest(3);
  std::size_t integer_count = 0;
  for (const Tensor& buffer : kept)
    if (!is_float(buffer.dtype())) integer_count += static_cast<std::size_t>(buffer.size());
  struct AtEnd {
    const std::vector<Tensor*>& buffers;
    std::vector<Tensor> values;
    ~AtEnd() { set(buffers, values); }
  } at_end{buffers, kept};
  for (Index part = first_; part < last_; ++part) {
    const auto examples = static_cast<double>(batch.part_rows(part, count_).second);
    if (examples == 0) {
      sums.add_nothing(part);
      continue;
    }
    const double share = examples / static_cast<double>(batch.size());
    const std::uint64_t flops_before = flops();
    const Batch rows = [&] {
      const Stage stage("batch");
      return batch.part(part, count_);
    }();
    Rng own = stream(before, part);
    std::vector<Tensor> found(like.size());
    std::vector<double> factors(like.size(), 1);
    {
      Tape tape(own);
      const Tensor y = loss(rows);
      const double value = y.item();
      losses[static_cast<std::size_t>(part)] = share * value;
      if (std::isfinite(value)) {
        const Gradients gradients = tape.backward(y, full(y.shape(), share, y.dtype()));
        if (options.check) options.check(gradients);
        for (std::size_t i = 0; i < parameters.size(); ++i)
          if (gradients.has(parameters[i])) found[i] = gradients[parameters[i]];
      }
    }
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      if (buffers[i]->id() == kept[i].id()) continue;
      found[parameters.size() + i] = *buffers[i];
      factors[parameters.size() + i] = share;
    }
    if (part == 0)
      for (const Tensor* buffer : buffers)
        if (!is_float(buffer->dtype()))
          for (Index i = 0; i < buffer->size(); ++i) integers.push_back(buffer->at(i));
    set(buffers, kept);
    for (std::size_t i = 0; i < found.size(); ++i) there[i] += found[i].defined() ? 1 : 0;
    sums.add(part, found, factors);
    rest[0] += static_cast<double>(flops() - flops_before);
    ++rest[2];
  }
  rest[1] = options.stop ? 1 : 0;
  integers.resize(integer_count);
  if (team_ != nullptr) {
    std::vector<double> all;
    for (const auto* piece : {&losses, &there, &integers, &rest})
      all.insert(all.end(), piece->begin(), piece->end());
    team_->sum(all);
    auto from = all.begin();
    for (auto* piece : {&losses, &there, &integers, &rest})
      for (double& number : *piece) number = *from++;
  }

  Step step{.loss = total(losses), .flops = static_cast<std::uint64_t>(rest[0]), .stop = rest[1] > 0};
  for (std::size_t part = 0; part < losses.size() && step.bad_part < 0; ++part)
    if (!std::isfinite(losses[part])) step.bad_part = static_cast<Index>(part);
  if (!std::isfinite(step.loss)) return step;
  const std::vector<Tensor> all = sums.sums(count_, team_);
  std::vector<std::pair<Tensor, Tensor>> gradients;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (there[i] > 0) gradients.emplace_back(parameters[i], all[i]);
  step.gradients = gradients_of(gradients);
  std::vector<Tensor> after = kept;
  auto integer = integers.begin();
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const bool whole = !is_float(kept[i].dtype());
    std::vector<double> numbers;
    if (whole) numbers.assign(integer, integer + kept[i].size());
    if (whole) integer += kept[i].size();
    const double parts = there[parameters.size() + i];
    if (parts == 0) continue;
    if (parts != rest[2])
      fail<Error>("[parts] buffer {} of the network changed in {} of {} parts", i, parts, rest[2]);
    after[i] =
        whole ? cast(reshape(from(numbers), kept[i].shape()), kept[i].dtype()) : all[parameters.size() + i];
  }
  at_end.values = after;
  return step;
}

void agree(Team& team, const std::string& what, const std::string& value) {
  std::string first = value;
  team.broadcast(first);
  std::vector<double> differ(static_cast<std::size_t>(team.size()));
  differ[static_cast<std::size_t>(team.rank())] = first != value ? 1 : 0;
  team.sum(differ);
  const auto at = std::find(differ.begin(), differ.end(), 1.0) - differ.begin();
  if (at == team.size()) return;
  std::string other = value;
  team.broadcast(other, static_cast<int>(at));
  fail<Disagreement>("[team] rank {} has {} {}, rank 0 has {}", at, what, shown(other, 200),
                     shown(first, 200));
}

void broadcast(Team& team, nn::Module& module, int root) {
  std::string bytes;
  if (team.rank() == root) bytes = format_safetensors(module.state());
  team.broadcast(bytes, root);
  if (team.rank() != root) module.load_state(parse_safetensors(bytes).tensors);
}

Gradients all_reduce(Team& team, const nn::Module& module, const Gradients& gradients) {
  const std::vector<Tensor> parameters = trained(module);
  std::vector<Tensor> found(parameters.size());
  std::vector<double> there(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!gradients.has(parameters[i])) continue;
    found[i] = gradients[parameters[i]];
    there[i] = 1;
  }
  TensorSums sums(parameters);
  sums.add(team.rank(), found, std::vector<double>(parameters.size(), 1));
  team.sum(there);
  const std::vector<Tensor> all = sums.sums(team.size(), &team);
  std::vector<std::pair<Tensor, Tensor>> list;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (there[i] > 0) list.emplace_back(parameters[i], all[i]);
  return gradients_of(list);
}

}  // namespace elk::train
