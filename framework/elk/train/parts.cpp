#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include <elk/autograd/record.hpp>
#include <elk/autograd/scope.hpp>
#include <elk/base/flops.hpp>
#include <elk/base/format.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/shape.hpp>
#include <elk/train/parts.hpp>
#include <elk/train/sums.hpp>
#include <elk/train/tree.hpp>

namespace elk::train {

namespace {

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
    tree::Run run;
    double value;
  };
  const auto add = [](Loss& sum, Loss&& x) { sum.value += x.value; };
  std::vector<Loss> stack;
  for (std::size_t part = 0; part < losses.size(); ++part)
    tree::push(stack, Loss{{static_cast<Index>(part), 0}, losses[part]}, add);
  tree::add_rest(stack, add);
  return stack[0].value;
}

}  // namespace

Parts::Parts(Index count, Team* team, Precision wire) : count_(count), team_(team), wire_(wire) {
  const int ranks = team != nullptr ? team->size() : 1, rank = team != nullptr ? team->rank() : 0;
  if (count < 1) fail<ValueError>("[parts] expected 1 part or more, got {}", count);
  if (count < ranks) fail<ValueError>("[parts] {} ranks cannot share {} parts: each needs one", ranks, count);
  first_ = first_part(count, rank, ranks);
  last_ = first_part(count, rank + 1, ranks);
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
  const std::size_t count = parameters.size() + kept.size();
  Sums sums(parameters, kept, {count_, first_, last_, team_, wire_});
  std::unordered_map<std::uint64_t, std::size_t> place_of;
  for (std::size_t i = 0; i < parameters.size(); ++i) place_of.emplace(parameters[i].id(), i);

  // What goes round in front of the sums, every number from one rank or 0: the losses of the parts, what they
  // have of each tensor, integer buffers of the first part, FLOPs, and whether to stop.
  std::vector<double> losses(static_cast<std::size_t>(count_)), there(count), integers, rest(3);
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
      sums.end_part();
      continue;
    }
    const double share = examples / static_cast<double>(batch.size());
    const std::uint64_t flops_before = flops();
    const Batch rows = [&] {
      const Stage stage("batch");
      return batch.part(part, count_);
    }();
    Rng own = stream(before, part);
    const auto add = [&](std::size_t i, const Tensor& x, double factor) {
      ++there[i];
      sums.add(i, x, factor);
    };
    {
      Tape tape(own);
      // A gradient that is complete can go while backward computes the others.
      std::vector<bool> added(parameters.size());
      if (part + 1 == last_ && team_ != nullptr && team_->size() > 1)
        tape.observe(nullptr, [&](const Tape::Flow& flow) {
          if (const auto at = place_of.find(flow.tensor); at != place_of.end() && flow.dx == nullptr) {
            added[at->second] = true;
            add(at->second, flow.dy, 1);
          }
          sums.help();
        });
      const Tensor y = loss(rows);
      const double value = y.item();
      losses[static_cast<std::size_t>(part)] = share * value;
      if (std::isfinite(value)) {
        const Gradients gradients = tape.backward(y, full(y.shape(), share, y.dtype()));
        if (options.check) options.check(gradients);
        for (std::size_t i = 0; i < parameters.size(); ++i)
          if (!added[i] && gradients.has(parameters[i])) add(i, gradients[parameters[i]], 1);
      }
    }
    for (std::size_t i = 0; i < buffers.size(); ++i)
      if (buffers[i]->id() != kept[i].id()) add(parameters.size() + i, *buffers[i], share);
    if (part == 0)
      for (const Tensor* buffer : buffers)
        if (!is_float(buffer->dtype()))
          for (Index i = 0; i < buffer->size(); ++i) integers.push_back(buffer->at(i));
    set(buffers, kept);
    sums.end_part();
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
  const std::vector<Tensor> all = sums.finish();
  if (!std::isfinite(step.loss)) return step;
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
  Sums sums(parameters, {}, {team.size(), team.rank(), team.rank() + 1, &team, Precision::full});
  std::vector<double> there(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!gradients.has(parameters[i])) continue;
    sums.add(i, gradients[parameters[i]]);
    there[i] = 1;
  }
  sums.end_part();
  team.sum(there);
  const std::vector<Tensor> all = sums.finish();
  std::vector<std::pair<Tensor, Tensor>> list;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (there[i] > 0) list.emplace_back(parameters[i], all[i]);
  return gradients_of(list);
}

}  // namespace elk::train
