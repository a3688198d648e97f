#!/usr/bin/python3
"""Writes digits_log.json: what the study's arithmetic gives on the built-in digits, by NumPy in float64.

Independent of elkgrad but for the images, which are exported first:

    cmake --build build --target export_digits
    build/tests/export_digits digits.safetensors
    ./digits_log.py digits.safetensors        # rewrites digits_log.json beside it

The study's rules: RandomState(seed) draws the weights, shape (inputs, outputs), layer by layer, then one permutation
of the examples at the start of every epoch. Gradients are summed over the batch. The backward pass ignores the clip.
The "mean" loss leaves the softmax's Jacobian out. The backward slope of the leaky ReLU is 0.005 whatever its forward
slope. The loss of an epoch is the plain mean over its batches, short ones too, of the loss before each update.

Each case gives `train`'s options and how many examples of each set it takes (0 = all).
"""
import argparse
import json
import pathlib
import shlex
import struct
import sys

import numpy as np

CASES = {
    "cross-entropy, as train runs it": ("--hidden 64 --epochs 2", 0, 0),
    "short last batch": ("--hidden 64 --epochs 3", 1010, 500),
    "batch of 64, two hidden layers": ("--hidden 32,16 --lr 0.005 --batch-size 64 --epochs 3", 1010, 500),
    "softmax regression": ("--hidden '' --init normal --epochs 3", 1000, 500),
    "leaky": ("--hidden 64 --activation leaky_relu --leaky-slope 0.2 --epochs 3", 1010, 500),
    "leaky with the study's default slope 0": ("--hidden 64 --activation leaky_relu --epochs 3", 1010, 500),
    "mean": ("--hidden 48 --activation sigmoid --init xavier --loss paper_mean --epochs 3", 1010, 500),
    "mean, relu": ("--hidden 48 --loss paper_mean --lr 0.004 --epochs 3", 1010, 500),
    "clip active": ("--hidden 64 --clip 0.75 --lr-decay 0.8 --epochs 3", 1010, 500),
    "clip active, leaky": ("--hidden 32,32 --clip 1.5 --activation leaky_relu --leaky-slope 0.1 --seed 7 --epochs 3", 1010, 500),
    "clip active, sigmoid": ("--hidden 32 --clip 0.5 --activation sigmoid --init normal --seed 4294967295 --epochs 3", 1010, 500),
    "tanh": ("--hidden 32 --activation tanh --init xavier --lr-decay 1 --epochs 3", 1010, 500),
}


def read_safetensors(path):
    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    dtypes = {"U8": "u1", "I64": "<i8"}
    data = raw[8 + size :]
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], dtypes[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in json.loads(raw[8 : 8 + size]).items()
        if name != "__metadata__"
    }


def options(text):
    p = argparse.ArgumentParser()
    p.add_argument("--hidden", default="128")
    p.add_argument("--activation", default="relu")
    p.add_argument("--leaky-slope", type=float, default=0)
    p.add_argument("--init", default="he")
    p.add_argument("--clip", type=float, default=500)
    p.add_argument("--loss", default="cross_entropy")
    p.add_argument("--lr", type=float, default=0.01)
    p.add_argument("--lr-decay", type=float, default=0.9)
    p.add_argument("--batch-size", type=int, default=50)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--seed", type=int, default=100)
    return p.parse_args(shlex.split(text))


def act(z, o):
    return {
        "relu": lambda: np.maximum(0, z),
        "leaky_relu": lambda: np.where(z > 0, z, o.leaky_slope * z),
        "sigmoid": lambda: 1 / (1 + np.exp(-z)),
        "tanh": lambda: np.tanh(z),
    }[o.activation]()


def slope(h, o):
    return {
        "relu": lambda: h > 0,
        "leaky_relu": lambda: np.where(h > 0, 1, 0.005),
        "sigmoid": lambda: h * (1 - h),
        "tanh": lambda: 1 - h**2,
    }[o.activation]()


def forward(x, params, o):
    """What enters each layer, and the probabilities."""
    hs = [x]
    for w, b in params[:-1]:
        hs.append(act(np.clip(hs[-1] @ w + b, -o.clip, o.clip), o))
    w, b = params[-1]
    e = np.exp(np.clip(hs[-1] @ w + b, -o.clip, o.clip))
    return hs, e / e.sum(axis=1, keepdims=True)


def train(o, x, y, test_x, test_y):
    stream = np.random.RandomState(o.seed)
    sizes = [x.shape[1], *(int(w) for w in o.hidden.split(",") if w), 10]
    std = {"he": lambda m: np.sqrt(2 / m), "xavier": lambda m: 1 / np.sqrt(m), "normal": lambda m: 1}[o.init]
    params = [(stream.randn(m, n) * std(m), np.zeros((1, n))) for m, n in zip(sizes, sizes[1:])]
    onehot, lr, losses, accuracies = np.eye(10)[y], o.lr, [], []
    for _ in range(o.epochs):
        order = stream.permutation(len(x))
        batch_losses = []
        for i in range(0, len(x), o.batch_size):
            xb, yb = x[order[i : i + o.batch_size]], onehot[order[i : i + o.batch_size]]
            hs, p = forward(xb, params, o)
            if o.loss == "paper_mean":
                batch_losses.append(np.mean((p - yb) ** 2))
                error = 2 * (p - yb)
            else:
                batch_losses.append(-np.sum(yb * np.log(p)) / len(xb))
                error = p - yb
            errors = [error]
            for (w, _), h in zip(params[:0:-1], hs[:0:-1]):
                errors.insert(0, (errors[0] @ w.T) * slope(h, o))
            for (w, b), h, e in zip(params, hs, errors):
                w -= lr * (h.T @ e)
                b -= lr * e.sum(axis=0, keepdims=True)
        lr *= o.lr_decay
        losses.append(f"{np.mean(batch_losses):.10f}")
        accuracies.append(f"{np.mean(forward(test_x, params, o)[1].argmax(axis=1) == test_y):.4f}")
    clipped = np.mean(np.abs(x @ params[0][0] + params[0][1]) > o.clip)
    return losses, accuracies, clipped


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = read_safetensors(sys.argv[1])
    log = {}
    for name, (text, n_train, n_test) in CASES.items():
        count = {"train": n_train or len(data["train.labels"]), "test": n_test or len(data["test.labels"])}
        images = {s: data[f"{s}.images"][:n].reshape(n, -1) for s, n in count.items()}
        labels = {s: data[f"{s}.labels"][:n] for s, n in count.items()}
        x = {s: images[s] / 255.0 for s in images}
        losses, accuracies, clipped = train(options(text), x["train"], labels["train"], x["test"], labels["test"])
        log[name] = {
            "options": shlex.split(text),
            "train": count["train"],
            "test": count["test"],
            # So that a change of the digits is told from one of the arithmetic.
            "pixel_sum": int(images["train"].sum(dtype=np.int64) + images["test"].sum(dtype=np.int64)),
            "loss": losses,
            "accuracy": accuracies,
        }
        print(f"{name}: {losses} {accuracies}, {clipped:.0%} of the first layer clipped")
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(log, indent=1) + "\n")


main()
