"""The study's MLP in NumPy float64 (ReLU hidden layers, softmax output): a peer to time against, and a golden log."""
import argparse
import gzip
import os
import time

import numpy as np


def idx(path):
    raw = open(path, "rb").read() if os.path.exists(path) else gzip.open(path + ".gz").read()
    dims = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims)


def softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


def forward(x, params, clip):
    acts = [x]
    for w, b in params[:-1]:
        acts.append(np.maximum(0, np.clip(acts[-1] @ w + b, -clip, clip)))
    w, b = params[-1]
    return acts, softmax(np.clip(acts[-1] @ w + b, -clip, clip))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data")
    p.add_argument("--version", action="version", version=np.__version__)
    p.add_argument("--layers", default="784,925,10")
    p.add_argument("--epochs", type=int, default=1)
    p.add_argument("--batch", type=int, default=50)
    p.add_argument("--lr", type=float, default=0.01, help="for gradients summed over the batch")
    p.add_argument("--decay", type=float, default=0.9)
    p.add_argument("--seed", type=int, default=100)
    p.add_argument("--clip", type=float, default=500)
    a = p.parse_args()

    x, y = idx(f"{a.data}/train-images-idx3-ubyte"), idx(f"{a.data}/train-labels-idx1-ubyte")
    tx, ty = idx(f"{a.data}/t10k-images-idx3-ubyte"), idx(f"{a.data}/t10k-labels-idx1-ubyte")
    x, tx = x.reshape(len(x), -1) / 255.0, tx.reshape(len(tx), -1) / 255.0
    onehot = np.eye(10)[y]

    np.random.seed(a.seed)
    sizes = [int(s) for s in a.layers.split(",")]
    params = [[np.random.randn(m, n) * np.sqrt(2 / m), np.zeros((1, n))] for m, n in zip(sizes, sizes[1:])]
    lr = a.lr
    for epoch in range(a.epochs):
        start, losses = time.perf_counter(), []
        order = np.random.permutation(len(x))
        xs, ys = x[order], onehot[order]
        for i in range(0, len(xs), a.batch):
            xb, yb = xs[i : i + a.batch], ys[i : i + a.batch]
            acts, prob = forward(xb, params, a.clip)
            losses.append(-np.sum(yb * np.log(prob)) / len(xb))
            errors = [prob - yb]
            for layer in range(len(params) - 1, 0, -1):
                errors.insert(0, (errors[0] @ params[layer][0].T) * (acts[layer] > 0))
            for (w, b), h, e in zip(params, acts, errors):
                w -= lr * (h.T @ e)
                b -= lr * e.sum(axis=0, keepdims=True)
        lr *= a.decay
        seconds = time.perf_counter() - start
        acc = np.mean(forward(tx, params, a.clip)[1].argmax(1) == ty)
        print(f"epoch {epoch + 1} sec {seconds:.3f} loss {np.mean(losses):.10f} acc {acc:.4f}", flush=True)


main()
