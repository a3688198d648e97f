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


class Attention(nn.MultiheadAttention):
    def __init__(self, size, heads, bias, causal):
        super().__init__(size, heads, bias=bias, batch_first=True)
        self.causal = causal

    def forward(self, x):
        length = x.shape[1]
        mask = torch.ones(length, length, dtype=torch.bool).triu(1) if self.causal else None
        return super().forward(x, x, x, attn_mask=mask, need_weights=False)[0]


class Last(nn.Module):
    def forward(self, x):
        return x[:, -1]


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


def recurrent(kind):
    class Output(kind):
        def __init__(self, size, hidden, layers, bias, bidirectional):
            super().__init__(size, hidden, layers, bias=bias, batch_first=True, bidirectional=bidirectional)

        def forward(self, x):
            return super().forward(x)[0]

    return Output


OWN = {
    "RNN": recurrent(nn.RNN),
    "GRU": recurrent(nn.GRU),
    "LSTM": recurrent(nn.LSTM),
    "MultiheadAttention": Attention,
    "Last": Last,
    "Mean": Mean,
    "TransformerEncoderLayer": lambda size, heads, feedforward, gelu, norm_first: nn.TransformerEncoderLayer(
        size, heads, feedforward, 0, "gelu" if gelu else "relu", batch_first=True, norm_first=norm_first),
    "Conv2d": lambda *a: nn.Conv2d(*a[:7], bias=a[7]),
    "Linear": lambda size, out, bias: nn.Linear(size, out, bias=bias),
}


def module(spec):
    kind, *arguments = spec
    if kind == "Residual":
        return Residual(*map(module, arguments))
    return OWN.get(kind, getattr(nn, kind, None))(*arguments)


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
    "l1": F.l1_loss,
    "smooth_l1": lambda y, t: F.smooth_l1_loss(y, t, beta=0.6),
    "kl_div": lambda y, t: F.kl_div(F.log_softmax(y, -1), t, reduction="none").mean(),
    "gaussian_nll": lambda y, t: F.gaussian_nll_loss(y, t, 0.1 + y * y),
    "cosine": lambda y, t: 1 - F.cosine_similarity(y, t).mean(),
    "triplet_margin": lambda y, t: F.triplet_margin_loss(y, t, -t),
}


def trained(case):
    net = nn.Sequential(*map(module, case["network"]))
    net.load_state_dict({name: tensor(value) for name, value in case["state"].items()})
    x, target = tensor(case["x"]), tensor(case["target"])
    optimizer = getattr(torch.optim, case["optimizer"])(net.parameters(), **case["options"])
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
