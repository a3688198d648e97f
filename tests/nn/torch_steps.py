#!/usr/bin/python3
"""Trains the networks of torch_steps_test.cpp with PyTorch: reads their cases and writes what came of them.

    torch_steps.py CASES.json RESULTS.json
"""
import json
import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def module(spec):
    kind, *arguments = spec
    if kind == "Residual":
        return Residual(*map(module, arguments))
    if kind == "Linear":
        return nn.Linear(arguments[0], arguments[1], bias=arguments[2])
    return getattr(nn, kind)(*arguments)


def tensor(spec):
    kind = torch.int64 if spec["dtype"] == "i64" else torch.float64
    return torch.tensor(spec["values"], dtype=kind).reshape(spec["shape"])


LOSSES = {
    "cross_entropy": F.cross_entropy,
    "smooth_cross_entropy": lambda y, t: F.cross_entropy(y, t, label_smoothing=0.1),
    "soft_cross_entropy": F.cross_entropy,
    "nll": lambda y, t: F.nll_loss(F.log_softmax(y, -1), t),
    "mse": F.mse_loss,
    "huber": lambda y, t: F.huber_loss(y, t, delta=0.7),
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
}
OPTIMIZERS = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW}


def trained(case):
    net = nn.Sequential(*map(module, case["network"]))
    net.load_state_dict({name: tensor(value) for name, value in case["state"].items()})
    x, target = tensor(case["x"]), tensor(case["target"])
    optimizer = OPTIMIZERS[case["optimizer"]](net.parameters(), **case["options"])
    losses = []
    for _ in range(case["steps"]):
        optimizer.zero_grad()
        loss = LOSSES[case["loss"]](net(x), target)
        loss.backward()
        if case["clip"] > 0:
            nn.utils.clip_grad_value_(net.parameters(), case["clip"])
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "state": {name: value.ravel().tolist() for name, value in net.state_dict().items()}}


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        cases = json.load(file)
    with open(sys.argv[2], "w") as file:
        json.dump([trained(case) for case in cases], file)
