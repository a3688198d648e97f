"""The same MLP in PyTorch: eager or compiled, optionally with bfloat16 autocast: a peer to time against."""
import argparse
import contextlib
import gzip
import os
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def idx(path):
    raw = open(path, "rb").read() if os.path.exists(path) else gzip.open(path + ".gz").read()
    dims = np.frombuffer(raw, ">u4", count=raw[3], offset=4).astype(int)
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims).copy())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data", nargs="?")
    p.add_argument("--version", action="store_true")
    p.add_argument("--layers", default="784,925,10")
    p.add_argument("--epochs", type=int, default=1)
    p.add_argument("--batch", type=int, default=50)
    p.add_argument("--lr", type=float, default=0.5, help="for gradients averaged over the batch")
    p.add_argument("--decay", type=float, default=0.9)
    p.add_argument("--seed", type=int, default=100)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--compile", action="store_true", help="the network and its loss, by torch.compile")
    a = p.parse_args()
    if a.compile and not hasattr(torch, "compile"):
        p.error(f"--compile needs PyTorch 2, this is {torch.__version__}")
    if a.version:
        return print(torch.__version__)
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)

    x = idx(f"{a.data}/train-images-idx3-ubyte").flatten(1).float() / 255
    y = idx(f"{a.data}/train-labels-idx1-ubyte").long()
    tx = idx(f"{a.data}/t10k-images-idx3-ubyte").flatten(1).float() / 255
    ty = idx(f"{a.data}/t10k-labels-idx1-ubyte").long()

    sizes, layers = [int(s) for s in a.layers.split(",")], []
    for m, n in zip(sizes, sizes[1:]):
        layers += [nn.Linear(m, n), nn.ReLU()]
        nn.init.normal_(layers[-2].weight, std=(2 / m) ** 0.5)
        nn.init.zeros_(layers[-2].bias)
    model = nn.Sequential(*layers[:-1])

    def loss_of(images, labels):
        cast = torch.autocast("cpu", dtype=torch.bfloat16) if a.bf16 else contextlib.nullcontext()
        with cast:
            logits = model(images)
        return F.cross_entropy(logits.float(), labels)

    if a.compile:
        loss_of = torch.compile(loss_of)
    sgd = torch.optim.SGD(model.parameters(), lr=a.lr)
    decay = torch.optim.lr_scheduler.ExponentialLR(sgd, a.decay)
    for epoch in range(a.epochs):
        start, total = time.perf_counter(), 0.0
        order = torch.randperm(len(x))
        xs, ys = x[order], y[order]
        for i in range(0, len(xs), a.batch):
            loss = loss_of(xs[i : i + a.batch], ys[i : i + a.batch])
            sgd.zero_grad(set_to_none=True)
            loss.backward()
            sgd.step()
            total += loss.item() * len(ys[i : i + a.batch])
        decay.step()
        seconds = time.perf_counter() - start
        with torch.no_grad():
            acc = (model(tx).argmax(1) == ty).float().mean().item()
        print(f"epoch {epoch + 1} sec {seconds:.3f} loss {total / len(x):.4f} acc {acc:.4f}", flush=True)


main()
