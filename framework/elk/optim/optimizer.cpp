#include <algorithm>
#include <cmath>

#include <elk/base/format.hpp>
#include <elk/kernels/update.hpp>
#include <elk/nn/uses.hpp>
#include <elk/optim/check.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::optim {

Optimizer::Optimizer(const nn::Module& module, double lr, double weight_decay,
                     std::vector<const char*> moments)
    : weight_decay_(weight_decay), moment_names_(std::move(moments)) {
  set_lr(lr);
  for (nn::NamedSlot& parameter : parameters_of("optimizer", module))
    items_.push_back({.parameter = std::move(parameter)});
  uses_ = module.uses();
  uses_->listen();
}

void Optimizer::set_lr(double lr) {
  if (!std::isfinite(lr) || lr < 0)
    fail<ValueError>("[optimizer] the learning rate must be finite and not negative, got {}", lr);
  lr_ = lr;
}

void Optimizer::group(const std::function<bool(const nn::NamedSlot&)>& belongs, const Group& group) {
  if (!belongs) fail<ValueError>("[group] there is no function that says who belongs to it");
  check("group", "lr_factor", group.lr_factor, 0, INFINITY);
  if (group.weight_decay) check("group", "weight_decay", *group.weight_decay, 0, INFINITY);
  std::vector<Item*> members;
  for (Item& item : items_)
    if (belongs(item.parameter)) members.push_back(&item);
  for (Item* item : members) item->group = group;
  if (members.empty()) fail<ValueError>("[group] none of the {} parameters belongs to it", items_.size());
}

void Optimizer::check_step(const Item& item, const Gradients& gradients) const {
  const std::string& name = item.parameter.name;
  const Tensor& weight = item.parameter.slot->value();
  if (!gradients.has(weight) && item.parameter.slot.use_count() == 1)
    fail<TapeError>("[step] no module has the parameter \"{}\" any more: make a new optimizer", name);
  if (!gradients.has(weight))
    fail<TapeError>(
        "[step] no gradient for parameter \"{}\": the loss does not depend on it; freeze it if that is meant",
        name);
  const detail::Product* product = gradients.product(weight);
  const Shape shape = product ? Shape{product->a().size(1), product->b().size(1)} : gradients[weight].shape();
  const DType dtype = (product ? product->a() : gradients[weight]).dtype();
  if (shape != weight.shape())
    fail<ShapeError>("[step] parameter \"{}\" is {}, its gradient {}", name, weight.shape(), shape);
  if (dtype != weight.dtype())
    fail<DTypeError>("[step] parameter \"{}\" is {}, its gradient {}: take it after the conversion", name,
                     weight.dtype(), dtype);
  if (item.steps == 0) return;
  for (const Tensor& moment : item.moments) {
    if (moment.shape() != weight.shape())
      fail<ShapeError>("[step] parameter \"{}\" is {} now, what the optimizer keeps of it {}", name,
                       weight.shape(), moment.shape());
    if (moment.dtype() != weight.dtype())
      fail<DTypeError>(
          "[step] parameter \"{}\" is {} now, what the optimizer keeps of it {}: make a new optimizer after "
          "a "
          "conversion",
          name, weight.dtype(), moment.dtype());
  }
}

// Once, at the first step: what the module uses and does not list would stay as it is.
void Optimizer::check_listed(const Gradients& gradients) {
  if (uses_ == nullptr) return;
  std::vector<nn::NamedSlot> listed;
  for (const Item& item : items_) listed.push_back(item.parameter);
  uses_->check("step", listed, &gradients);
  std::exchange(uses_, nullptr)->stop();
}

Optimizer::Step Optimizer::next_step(const Item& item) const {
  return {lr_ * item.group.lr_factor, item.group.weight_decay.value_or(weight_decay_), item.steps + 1};
}

std::vector<Tensor> Optimizer::moments_of(const Item& item) const {
  if (item.steps > 0) return item.moments;
  const Tensor& weight = item.parameter.slot->value();
  std::vector<Tensor> moments;
  for (std::size_t i = 0; i < moment_names_.size(); ++i)
    moments.push_back(zeros(weight.shape(), weight.dtype()));
  return moments;
}

void Optimizer::step(const Gradients& gradients) {
  const Stage stage("update");
  std::vector<Item*> trained;
  for (Item& item : items_)
    if (!item.parameter.slot->frozen()) trained.push_back(&item);
  for (const Item* item : trained) check_step(*item, gradients);
  check_listed(gradients);
  apply(trained, gradients);
}

void Optimizer::apply(const std::vector<Item*>& trained, const Gradients& gradients) {
  const Pause pause;
  struct Next {
    Tensor weight;
    std::vector<Tensor> moments;
  };
  std::vector<Next> all;
  for (const Item* item : trained) {
    const Tensor& weight = item->parameter.slot->value();
    std::vector<Tensor> moments = moments_of(*item);
    const Tensor next = update(weight, moments, gradients[weight], next_step(*item));
    const auto check = [&](const char* what, const Tensor& x) {
      if (x.shape() != weight.shape() || x.dtype() != weight.dtype())
        fail<ShapeError>("[step] the update of parameter \"{}\" gave {} {} {}, expected {} {}",
                         item->parameter.name, what, x.dtype(), x.shape(), weight.dtype(), weight.shape());
    };
    check("a weight", next);
    if (moments.size() != moment_names_.size())
      fail<ValueError>("[step] the update of parameter \"{}\" left {} moments of {}", item->parameter.name,
                       moments.size(), moment_names_.size());
    for (Tensor& moment : moments) {
      check("a moment", moment);
      detail::make_sole_owner(moment);
      kernels::flush_subnormal(moment);
    }
    all.push_back({detail::with_id(next, weight.id(), true), std::move(moments)});
  }
  for (std::size_t i = 0; i < trained.size(); ++i) {
    detail::SlotAccess::value(*trained[i]->parameter.slot) = std::move(all[i].weight);
    trained[i]->moments = std::move(all[i].moments);
    ++trained[i]->steps;
  }
}

Tensor InPlaceOptimizer::update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                                const Step& step) {
  Tensor next = weight;
  detail::make_sole_owner(next);
  for (Tensor& moment : moments) detail::make_sole_owner(moment);
  update_in_place(next, moments, gradient, step);
  return next;
}

void InPlaceOptimizer::apply(const std::vector<Item*>& trained, const Gradients& gradients) {
  // First all that needs memory, which may be refused.
  for (Item* item : trained) {
    if (item->steps == 0) item->moments = moments_of(*item);
    for (Tensor& moment : item->moments) detail::make_sole_owner(moment);
    Tensor& weight = detail::SlotAccess::value(*item->parameter.slot);
    detail::make_sole_owner(weight);
    if (gradients.product(weight) == nullptr) (void)gradients[weight];
  }
  for (Item* item : trained) {
    Tensor& weight = detail::SlotAccess::value(*item->parameter.slot);
    const Step step = next_step(*item);
    ++item->steps;
    const detail::Product* product = gradients.product(weight);
    update_in_place(weight, item->moments,
                    product ? kernels::Gradient(product->a(), product->b(), product->precision())
                            : kernels::Gradient(gradients[weight]),
                    step);
  }
}

State Optimizer::state() const {
  State state;
  for (const Item& item : items_) {
    if (item.steps == 0) continue;
    state.push_back({item.parameter.name + ".steps", from(std::vector<std::int64_t>{item.steps}, {})});
    for (std::size_t i = 0; i < moment_names_.size(); ++i)
      state.push_back({item.parameter.name + "." + moment_names_[i], item.moments[i]});
  }
  return state;
}

void Optimizer::load_state(const State& state) {
  std::size_t used = 0;
  const auto take = [&](const std::string& name, const Shape& shape, DType dtype) {
    const auto at =
        std::find_if(state.begin(), state.end(), [&](const NamedTensor& item) { return item.name == name; });
    if (at == state.end()) return Tensor();
    check_loaded("optimizer", name, at->value, shape, dtype);
    ++used;
    return at->value;
  };
  std::vector<Item> items;
  for (const Item& item : items_) {
    items.push_back({item.parameter, item.group});
    const std::string& name = item.parameter.name;
    const Tensor steps = take(name + ".steps", {}, i64);
    if (!steps.defined()) continue;  // never stepped
    items.back().steps = steps.data<std::int64_t>()[0];
    if (items.back().steps < 1 || items.back().steps > std::int64_t{1} << 62)  // they are counted up
      fail<ValueError>("[optimizer] \"{}.steps\" must be from 1 to 2^62, got {}", name, items.back().steps);
    for (const char* moment : moment_names_) {
      const Tensor& weight = item.parameter.slot->value();
      items.back().moments.push_back(take(name + "." + moment, weight.shape(), weight.dtype()));
      if (!items.back().moments.back().defined())
        fail<ValueError>("[optimizer] the state lacks \"{}.{}\"", name, moment);
    }
  }
  if (used != state.size()) fail<ValueError>("[optimizer] the state is of another optimizer or network");
  items_ = std::move(items);
}

SGD::SGD(const nn::Module& module, const Options& options)
    : InPlaceOptimizer(
          module, options.lr, options.weight_decay,
          options.momentum > 0 ? std::vector<const char*>{"velocity"} : std::vector<const char*>{}),
      options_(options) {
  check("sgd", "momentum", options.momentum, 0, 1);
  check("sgd", "weight_decay", options.weight_decay, 0, INFINITY);
  if (options.nesterov && options.momentum == 0) fail<ValueError>("[sgd] nesterov needs a momentum above 0");
}

void SGD::update_in_place(Tensor& weight, std::vector<Tensor>& moments, const kernels::Gradient& gradient,
                          const Step& step) {
  Tensor none;
  kernels::sgd_update(weight, moments.empty() ? none : moments[0], gradient, step.lr, options_.momentum,
                      options_.nesterov, step.weight_decay);
}

Adam::Adam(const nn::Module& module, const Options& options) : Adam(module, options, false) {}

Adam::Adam(const nn::Module& module, const Options& options, bool decoupled)
    : InPlaceOptimizer(module, options.lr, options.weight_decay,
                       options.amsgrad ? std::vector<const char*>{"mean", "square", "max_square"}
                                       : std::vector<const char*>{"mean", "square"}),
      options_(options),
      decoupled_(decoupled) {
  check("adam", "beta1", options.beta1, 0, 1);
  check("adam", "beta2", options.beta2, 0, 1);
  check("adam", "epsilon", options.epsilon, 0, INFINITY);
  check("adam", "weight_decay", options.weight_decay, 0, INFINITY);
}

void Adam::update_in_place(Tensor& weight, std::vector<Tensor>& moments, const kernels::Gradient& gradient,
                           const Step& step) {
  const double beta1 = options_.beta1, beta2 = options_.beta2, epsilon = options_.epsilon;
  if (options_.amsgrad)
    kernels::amsgrad_update(weight, moments[0], moments[1], moments[2], gradient, step.lr, beta1, beta2,
                            epsilon, step.weight_decay, decoupled_, step.number);
  else
    kernels::adam_update(weight, moments[0], moments[1], gradient, step.lr, beta1, beta2, epsilon,
                         step.weight_decay, decoupled_, step.number);
}

AdamW::AdamW(const nn::Module& module, const Options& options)
    : Adam(module,
           {.lr = options.lr,
            .beta1 = options.beta1,
            .beta2 = options.beta2,
            .epsilon = options.epsilon,
            .weight_decay = options.weight_decay,
            .amsgrad = options.amsgrad},
           true) {}

Lion::Lion(const nn::Module& module, const Options& options)
    : InPlaceOptimizer(module, options.lr, options.weight_decay, {"mean"}), options_(options) {
  check("lion", "beta1", options.beta1, 0, 1);
  check("lion", "beta2", options.beta2, 0, 1);
  check("lion", "weight_decay", options.weight_decay, 0, INFINITY);
}

void Lion::update_in_place(Tensor& weight, std::vector<Tensor>& moments, const kernels::Gradient& gradient,
                           const Step& step) {
  kernels::lion_update(weight, moments[0], gradient, step.lr, options_.beta1, options_.beta2,
                       step.weight_decay);
}

}  // namespace elk::optim
