#!/usr/bin/python3
"""Writes torch_optim.json: what PyTorch's optimizers and schedules make of given gradients, losses and measures.

torch_optim_test.cpp compares ours. In f64.

    ./torch_optim.py     # rewrites torch_optim.json beside it; needs python3-torch of 1.13 or later
"""
import json
import os

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(16)
start = {"a": torch.randn(2, 3, generator=generator), "b": torch.randn(3, generator=generator)}
gradients = [{name: torch.randn(value.shape, generator=generator) for name, value in start.items()} for _ in range(8)]
gradients[2]["b"].zero_()
listed = lambda x: x.detach().ravel().tolist()

optim = torch.optim


class NAdam(optim.Optimizer):
    """By the formulas of PyTorch's documentation: what PyTorch 1.13 computes has one momentum too many in it."""

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3):
        super().__init__(params, {})
        self.numbers, self.product, self.t = (lr, *betas, eps, weight_decay, momentum_decay), 1, 0

    @torch.no_grad()
    def step(self):
        lr, beta1, beta2, eps, weight_decay, momentum_decay = self.numbers
        self.t += 1
        mu, mu_next = (beta1 * (1 - 0.96 ** (t * momentum_decay) / 2) for t in (self.t, self.t + 1))
        self.product *= mu
        for p in self.param_groups[0]["params"]:
            state = self.state[p] or self.state[p].update(m=torch.zeros_like(p), v=torch.zeros_like(p)) or self.state[p]
            g = p.grad + weight_decay * p
            state["m"] = beta1 * state["m"] + (1 - beta1) * g
            state["v"] = beta2 * state["v"] + (1 - beta2) * g * g
            m = mu_next * state["m"] / (1 - self.product * mu_next) + (1 - mu) * g / (1 - self.product)
            p -= lr * m / ((state["v"] / (1 - beta2**self.t)).sqrt() + eps)


OPTIMIZERS = {  # ours by the same options
    "RMSprop": (optim.RMSprop, {}),
    "RMSprop_all": (optim.RMSprop, dict(lr=0.03, alpha=0.9, eps=1e-6, weight_decay=0.1, momentum=0.8, centered=True)),
    "RMSprop_momentum": (optim.RMSprop, dict(momentum=0.9)),
    "Adagrad": (optim.Adagrad, {}),
    "Adagrad_all": (optim.Adagrad, dict(lr=0.3, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-6)),
    "Adamax": (optim.Adamax, {}),
    "Adamax_all": (optim.Adamax, dict(lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    "NAdam": (NAdam, {}),
    "NAdam_all": (NAdam, dict(lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1, momentum_decay=0.5)),
    "AMSGrad": (optim.Adam, dict(lr=0.1, betas=(0.8, 0.7), weight_decay=0.1, amsgrad=True)),
    "AMSGradW": (optim.AdamW, dict(lr=0.1, betas=(0.8, 0.7), weight_decay=0.1, amsgrad=True)),
}


def steps(make, options):
    parameters = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimizer, after = make(list(parameters.values()), **options), []
    for one in gradients:
        for name, parameter in parameters.items():
            parameter.grad = one[name].clone()
        optimizer.step()
        after.append([*listed(parameters["a"]), *listed(parameters["b"])])
    return after


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def minimized(count, **options):
    """Losses at the beginning of every step, then where it ends."""
    x = torch.tensor([-1.2, 1.0, -0.5, 0.8], requires_grad=True)
    optimizer, losses = optim.LBFGS([x], **options), []

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(x)
        loss.backward()
        return loss

    for _ in range(count):
        losses.append(float(optimizer.step(closure)))
    return {"losses": losses, "x": listed(x)}


LBFGS = {
    "plain": minimized(6, lr=0.5, max_iter=3),
    "defaults_small": minimized(4, lr=1e-3),
    "line_search": minimized(4, max_iter=5, line_search_fn="strong_wolfe"),
    "short_history": minimized(5, max_iter=8, history_size=2, line_search_fn="strong_wolfe"),
    "to_the_end": minimized(5, max_iter=40, line_search_fn="strong_wolfe"),
}

schedulers = optim.lr_scheduler
SCHEDULES = {  # asked once a step, 5 steps an epoch
    "linear": lambda o: schedulers.LinearLR(o, total_iters=20),
    "linear_down": lambda o: schedulers.LinearLR(o, start_factor=1, end_factor=0.1, total_iters=30),
    "polynomial": lambda o: schedulers.PolynomialLR(o, total_iters=30, power=2),
    "cosine_restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, T_0=10),
    "cosine_restarts_2": lambda o: schedulers.CosineAnnealingWarmRestarts(o, T_0=5, T_mult=2, eta_min=0.01),
    "one_cycle": lambda o: schedulers.OneCycleLR(o, 0.4, epochs=8, steps_per_epoch=5),
    "one_cycle_linear": lambda o: schedulers.OneCycleLR(o, 0.4, epochs=8, steps_per_epoch=5, anneal_strategy="linear", pct_start=0.4,
                                                        div_factor=10, final_div_factor=100),
    "one_cycle_three": lambda o: schedulers.OneCycleLR(o, 0.4, epochs=8, steps_per_epoch=5, three_phase=True),
}


def rates(make):
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    schedule, list_of = make(optimizer), []
    for _ in range(40):
        list_of.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return list_of


measures = [3, 2, 2.5, 2.1, 2.0001, 1.99995, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.5, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 1.2, 1.3, 1.3, 1.3, 1.3]
PLATEAUS = {
    "min": dict(patience=2, factor=0.5),
    "max": dict(mode="max", patience=2, factor=0.5, min_lr=0.1),
    "absolute": dict(patience=1, factor=0.5, threshold=0.3, threshold_mode="abs", cooldown=2),
    "small_change": dict(patience=0, factor=0.9, eps=0.03),
}


def lowered(options):
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    plateau, list_of = schedulers.ReduceLROnPlateau(optimizer, **options), []
    for measure in measures:
        plateau.step(measure)
        list_of.append(optimizer.param_groups[0]["lr"])
    return list_of


table = {
    "start": {name: listed(value) for name, value in start.items()},
    "gradients": [{name: listed(value) for name, value in one.items()} for one in gradients],
    "optimizers": {name: steps(make, options) for name, (make, options) in OPTIMIZERS.items()},
    "lbfgs": LBFGS,
    "schedules": {name: rates(make) for name, make in SCHEDULES.items()},
    "measures": measures,
    "plateaus": {name: lowered(options) for name, options in PLATEAUS.items()},
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_optim.json")
with open(path, "w") as file:
    file.write("{" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in table.items()) + "}\n")
