#!/usr/bin/python3
"""Writes torch_layers.json: layers of PyTorch's in f64, what they compute, and what three steps of training make of them.

Of each case: the initial state by name, inputs, the output, the gradients of mean((y - target)^2) of the inputs and of the
parameters, and state and output after three steps of SGD (lr 0.1, momentum 0.9), the latter in evaluation.
torch_layers_test.cpp builds the same layers.

    ./torch_layers.py        # rewrites torch_layers.json beside it; needs python3-torch
"""
import json
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
cases = {}


def encoded(x):
    dtype = {torch.float64: "f64", torch.int64: "i64", torch.bool: "u8"}[x.dtype]
    return {"dtype": dtype, "shape": list(x.shape), "values": [float(f"{v:.17g}") if dtype == "f64" else int(v) for v in x.ravel().tolist()]}


def states(module):
    return {name: encoded(value.detach()) for name, value in module.state_dict().items()}


def shaken(module):
    """Parameters and buffers unlike the zeros and ones that a layer begins with, which hide mistakes."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.dtype == torch.float64:
                value += 0.2 * torch.rand_like(value) if name.endswith("running_var") else 0.2 * torch.randn_like(value)
    return module


def case(name, module, *inputs, call=lambda module, *inputs: module(*inputs)):
    module = shaken(module)
    fixture = {"state": states(module), "inputs": [encoded(x) for x in inputs]}
    inputs = [x.requires_grad_() if x.dtype == torch.float64 else x for x in inputs]
    optimizer = torch.optim.SGD(list(module.parameters()) or [torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    for step in range(3):
        optimizer.zero_grad()
        y = call(module, *inputs)
        if step == 0:
            target = torch.randn_like(y)
            fixture |= {"target": encoded(target), "y": encoded(y)}
        F.mse_loss(y, target).backward()
        if step == 0:
            fixture["input_gradients"] = [encoded(x.grad) for x in inputs if x.dtype == torch.float64 and x.grad is not None]
            fixture["gradients"] = {key: encoded(p.grad) for key, p in module.named_parameters()}
        optimizer.step()
    fixture["state_after"] = states(module)
    module.eval()
    fixture["y_after"] = encoded(call(module, *inputs))
    cases[name] = fixture


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-6) * self.weight


torch.manual_seed(100)
randn = torch.randn
case("conv1d", nn.Conv1d(3, 4, 3), randn(2, 3, 7))
case("conv1d_all", nn.Conv1d(4, 6, 3, stride=2, padding=3, dilation=2, groups=2, bias=False), randn(2, 4, 9))
case("conv2d", nn.Conv2d(3, 4, 3), randn(2, 3, 6, 5))
case("conv2d_all", nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 3), groups=2), randn(3, 4, 7, 6))
case("conv2d_depthwise", nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), randn(2, 4, 5, 5))
case("conv2d_pointwise", nn.Conv2d(4, 3, 1), randn(2, 4, 9, 9))
case("conv2d_pointwise_small", nn.Conv2d(4, 3, 1), randn(3, 4, 2, 2))
case("conv2d_large_stride", nn.Conv2d(2, 3, 2, stride=3), randn(2, 2, 8, 7))
case("conv2d_wide", nn.Conv2d(1, 1, 5, padding=2), randn(1, 1, 18, 40))
case("conv_transpose2d", nn.ConvTranspose2d(3, 4, 3), randn(2, 3, 4, 5))
case("conv_transpose2d_all", nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2,
                                               dilation=(2, 1)), randn(2, 4, 3, 4))
case("lenet", nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3), nn.Tanh(), nn.MaxPool2d(2),
                            nn.Flatten(), nn.Linear(24, 5)), randn(3, 1, 12, 12))
case("max_pool2d", nn.MaxPool2d(2), randn(2, 3, 6, 5))
case("max_pool2d_all", nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 1), dilation=(1, 2)), randn(2, 3, 7, 6))
case("max_pool1d", nn.MaxPool1d(3, stride=2, padding=1), randn(2, 3, 8))
case("avg_pool2d", nn.AvgPool2d(2), randn(2, 3, 6, 5))
case("avg_pool2d_all", nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 1)), randn(2, 3, 7, 6))
case("avg_pool2d_unpadded", nn.AvgPool2d((3, 2), stride=(2, 3), padding=(1, 1), count_include_pad=False), randn(2, 3, 7, 6))
case("avg_pool1d", nn.AvgPool1d(3, stride=2, padding=1), randn(2, 3, 8))
case("adaptive_avg_pool2d", nn.AdaptiveAvgPool2d((3, 2)), randn(2, 3, 7, 5))
case("adaptive_avg_pool1d", nn.AdaptiveAvgPool1d(3), randn(2, 3, 8))
case("upsample_nearest", nn.Upsample(scale_factor=(2, 3)), randn(2, 3, 3, 4))
case("upsample_bilinear", nn.Upsample(scale_factor=(2, 3), mode="bilinear"), randn(2, 3, 3, 4))
case("upsample_corners", nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), randn(2, 3, 3, 4))
case("batch_norm1d", nn.BatchNorm1d(4), randn(5, 4))
case("batch_norm1d_sequence", nn.BatchNorm1d(4, eps=1e-3, momentum=0.3), randn(3, 4, 5))
case("batch_norm2d", nn.BatchNorm2d(3), 2 + 3 * randn(4, 3, 2, 5))
case("conv_batch_norm", nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()), randn(3, 2, 5, 5))
case("group_norm", nn.GroupNorm(2, 6), randn(3, 6, 2, 3))
case("group_norm_rows", nn.GroupNorm(3, 6), randn(3, 6))
case("rms_norm", RMSNorm(5), randn(2, 3, 5))
case("embedding", nn.Embedding(7, 3), torch.tensor([[1, 6, 1], [0, 2, 6]]))
case("embedding_padding", nn.Embedding(7, 3, padding_idx=2), torch.tensor([1, 6, 2, 0, 2]))


def recurrent(module, x, h=None, c=None):
    y, last = module(x) if h is None else module(x, h) if c is None else module(x, (h, c))
    return torch.cat([y.ravel()] + [s.ravel() for s in (last if isinstance(last, tuple) else (last,))])


case("rnn", nn.RNN(3, 4, batch_first=True), randn(2, 5, 3), call=recurrent)
case("gru", nn.GRU(3, 4, num_layers=2, batch_first=True), randn(2, 5, 3), randn(2, 2, 4), call=recurrent)
case("gru_without_bias", nn.GRU(3, 4, bias=False, batch_first=True), randn(2, 1, 3), call=recurrent)
case("lstm", nn.LSTM(3, 4, batch_first=True), randn(2, 6, 3), call=recurrent)
case("lstm_all", nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True), randn(2, 5, 3), randn(4, 2, 4), randn(4, 2, 4),
     call=recurrent)


def attention(causal=False):
    def call(module, q, k=None, v=None, mask=None, padding=None):
        k, v = (q, q) if k is None else (k, v)
        if causal:
            mask = torch.triu(torch.ones(q.shape[1], k.shape[1], dtype=torch.bool), 1)
        return module(q, k, v, attn_mask=mask, key_padding_mask=padding, need_weights=False)[0]

    return call


case("attention", nn.MultiheadAttention(6, 2, batch_first=True), randn(2, 4, 6), call=attention())
case("attention_causal", nn.MultiheadAttention(6, 3, bias=False, batch_first=True), randn(2, 4, 6), call=attention(causal=True))
case("attention_cross", nn.MultiheadAttention(6, 2, batch_first=True), randn(2, 4, 6), randn(2, 3, 6), randn(2, 3, 6),
     torch.tensor([[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 1, 1]], dtype=torch.bool),
     torch.tensor([[0, 0, 0], [0, 0, 1]], dtype=torch.bool), call=attention())
case("attention_masks_of_heads", nn.MultiheadAttention(4, 2, batch_first=True), randn(2, 3, 4), randn(2, 3, 4), randn(2, 3, 4),
     randn(4, 3, 3), call=attention())
case("encoder", nn.TransformerEncoderLayer(6, 2, dim_feedforward=8, dropout=0, batch_first=True), randn(2, 4, 6))
case("encoder_norm_first", nn.TransformerEncoderLayer(6, 3, dim_feedforward=8, dropout=0, activation="gelu", norm_first=True, batch_first=True),
     randn(2, 4, 6), call=lambda module, x: module(x, src_mask=torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)))


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


case("linear", nn.Linear(5, 3), randn(2, 4, 5))
case("linear_without_bias", nn.Linear(5, 3, bias=False), randn(4, 5))
case("layer_norm", nn.LayerNorm(5), randn(2, 3, 5))
case("flatten", nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), randn(2, 3, 4))
case("dropout", nn.Sequential(nn.Linear(5, 4), nn.Dropout(0), nn.Linear(4, 3)), randn(4, 5))  # what it draws is its own
case("residual", Residual(nn.LayerNorm(5), nn.Linear(5, 5), nn.Tanh()), randn(4, 5))
# Activations: alone, far to both sides; and between layers, which learn.
for name, module in {
    "relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(), "leaky_relu_slope": nn.LeakyReLU(0.2), "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(),
    "gelu": nn.GELU(), "silu": nn.SiLU(), "elu": nn.ELU(), "elu_alpha": nn.ELU(1.7), "selu": nn.SELU(), "softsign": nn.Softsign(),
    "hardtanh": nn.Hardtanh(), "hardtanh_limits": nn.Hardtanh(-0.5, 1.5), "log_sigmoid": nn.LogSigmoid(), "softmax": nn.Softmax(-1),
}.items():
    case(name, module, 3 * randn(4, 5))
    case(name + "_between", nn.Sequential(nn.Linear(5, 6), module, nn.Linear(6, 3)), randn(4, 5))

lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in cases.items())
pathlib.Path(__file__).with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
