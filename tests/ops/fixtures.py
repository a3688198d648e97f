#!/usr/bin/python3
"""Writes fixtures.json: inputs and expected results of every operation, computed by NumPy.

Formulas are the textbook ones in extended precision, independent of how elkgrad computes. Inputs are multiples
of 1/32, so that they are the same numbers in both dtypes, and keep away from kinks (they are also the points where
derivatives are checked by finite differences). A case is named "<operation>/<case>"; operations_test.cpp has a row for
each operation.

    ./fixtures.py        # rewrites fixtures.json beside it
"""
import json
import math
import os

import numpy as np

rng = np.random.RandomState(7)
cases = {}


def tensor(a):
    a = np.asarray(a)
    dtype = {"i": "i64", "u": "u8", "b": "u8", "f": "float"}[a.dtype.kind]
    values = [float(v) if dtype == "float" else int(v) for v in a.ravel()]
    return {"dtype": dtype, "shape": list(a.shape), "values": values}


def case(name, f, *inputs):
    exact = [a.astype(np.longdouble) if a.dtype.kind == "f" else a for a in map(np.asarray, inputs)]
    assert name not in cases, name
    cases[name] = {"inputs": [tensor(a) for a in inputs], "expected": tensor(f(*exact))}


def draw(*shape, low=-2.0, high=2.0):
    return np.asarray(np.round(rng.uniform(low, high, shape) * 32) / 32)


def apart(*shape):
    """Numbers of both signs, at least 0.2 from 0."""
    return draw(*shape, low=0.2, high=2.0) * np.where(rng.uniform(size=shape) < 0.5, -1, 1)


def distinct(*shape):
    """Numbers at least 1/8 from each other."""
    n = int(np.prod(shape))
    return ((rng.permutation(n) - n // 2 + 0.25) / 8).reshape(shape)


def indices(limit, *shape):
    return rng.randint(0, limit, shape).astype(np.int64)


# Operands that broadcast, both ways round.
SHAPES = {
    "same": ((3, 4), (3, 4)),
    "scalars": ((), ()),
    "scalar_right": ((3, 4), ()),
    "scalar_left": ((), (3, 4)),
    "one_right": ((3, 4), (1, 1)),
    "one_left": ((1,), (3, 4)),
    "one_of_higher_rank": ((3,), (1, 1)),
    "row_right": ((3, 4), (4,)),
    "row_left": ((4,), (3, 4)),
    "row_as_matrix": ((3, 4), (1, 4)),
    "column_right": ((3, 4), (3, 1)),
    "column_left": ((3, 1), (3, 4)),
    "both_stretch": ((3, 1), (1, 4)),
    "both_stretch_ranks": ((4,), (3, 1)),
    "rank3_same": ((2, 3, 2), (2, 3, 2)),
    "rank3_trailing": ((2, 3, 2), (3, 2)),
    "rank3_leading": ((2, 3, 2), (2, 1, 1)),
    "rank3_middle": ((2, 3, 2), (2, 1, 2)),
    "rank3_column": ((2, 3, 1), (2, 3, 2)),
    "rank4_both": ((2, 1, 3, 1), (2, 1, 2)),
    "empty": ((0, 3), (0, 3)),
    "empty_row": ((0, 3), (3,)),
    "empty_stretched": ((1, 3), (0, 1)),
    "empty_scalar": ((), (0,)),
}

# Arithmetic.
for where, (left, right) in SHAPES.items():
    case(f"add/{where}", lambda a, b: a + b, draw(*left), draw(*right))
    case(f"sub/{where}", lambda a, b: a - b, draw(*left), draw(*right))
    case(f"mul/{where}", lambda a, b: a * b, draw(*left), draw(*right))
    case(f"div/{where}", lambda a, b: a / b, draw(*left), apart(*right))
    case(f"maximum/{where}", np.maximum, *(lambda d: (d[:np.prod(left, dtype=int)].reshape(left),
                                                      d[np.prod(left, dtype=int):].reshape(right)))(
        distinct(int(np.prod(left) + np.prod(right)))))
    for name in "equal", "not_equal", "less", "less_equal", "greater", "greater_equal":
        case(f"{name}/{where}", getattr(np, name), indices(3, *left) * 0.5, indices(3, *right) * 0.5)
for name in "equal", "not_equal", "less", "less_equal", "greater", "greater_equal":
    case(f"{name}/i64", getattr(np, name), indices(3, 3, 4), indices(3, 4))
    case(f"{name}/u8", getattr(np, name), indices(3, 3, 4).astype(np.uint8), indices(3, 3, 4).astype(np.uint8))
    case(f"{name}_number/matrix", lambda a: getattr(np, name)(a, 1.5), indices(5, 3, 4) * 0.5)
case("add_number/matrix", lambda a: a + 1.5, draw(3, 4))
case("number_add/matrix", lambda a: 1.5 + a, draw(3, 4))
case("sub_number/matrix", lambda a: a - 1.5, draw(3, 4))
case("number_sub/matrix", lambda a: 1.5 - a, draw(3, 4))
case("mul_number/matrix", lambda a: a * 1.5, draw(3, 4))
case("number_mul/matrix", lambda a: 1.5 * a, draw(3, 4))
case("div_number/matrix", lambda a: a / 1.5, draw(3, 4))
case("number_div/matrix", lambda a: 1.5 / a, apart(3, 4))
case("maximum_number/matrix", lambda a: np.maximum(a, 0.5), distinct(3, 4))
case("where/same", np.where, indices(2, 3, 4).astype(np.uint8), draw(3, 4), draw(3, 4))
case("where/any_nonzero", np.where, indices(4, 3, 4).astype(np.uint8), draw(3, 4), draw(3, 4))
case("where/scalars", np.where, np.uint8(1), draw(), draw())
case("where/row_condition", np.where, indices(2, 4).astype(np.uint8), draw(3, 4), draw(3, 1))
case("where/all_stretch", np.where, indices(2, 3, 1).astype(np.uint8), draw(2, 1, 1), draw(4))
case("where/empty", np.where, np.zeros((0, 3), np.uint8), draw(0, 3), draw(3))
case("where/integers", np.where, indices(2, 3, 4).astype(np.uint8), indices(9, 3, 4), indices(9, 4))

# Functions of one tensor.
for name, f, make in (
    ("neg", lambda x: -x, draw),
    ("square", lambda x: x * x, draw),
    ("sqrt", np.sqrt, lambda *s: draw(*s, low=0.2, high=4)),
    ("exp", np.exp, draw),
    ("log", np.log, lambda *s: draw(*s, low=0.2, high=4)),
    ("abs", np.abs, apart),
    ("sign", np.sign, apart),
    ("clamp", lambda x: np.minimum(np.maximum(x, -0.5), 0.7), distinct),
    ("relu", lambda x: np.where(x > 0, x, 0), apart),
    ("leaky_relu", lambda x: np.where(x > 0, x, np.longdouble("0.01") * x), apart),
    ("leaky_relu_slope", lambda x: np.where(x > 0, x, np.longdouble(0.25) * x), apart),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), lambda *s: draw(*s, low=-6, high=6)),
    ("tanh", lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1), apart),
):
    for shape_name, shape in (("scalar", ()), ("vector", (5,)), ("matrix", (3, 4)), ("rank3", (2, 3, 2)), ("empty", (0, 3))):
        case(f"{name}/{shape_name}", f, make(*shape))


# Reductions.
def average(x, axis, keepdims=False):
    n = np.prod([x.shape[a] for a in np.atleast_1d(np.arange(x.ndim) if axis is None else axis)])
    return np.sum(x, axis, keepdims=keepdims) / n


REDUCED = {
    "all": (None, False),
    "all_keep": (None, True),
    "axis0": (0, False),
    "axis1_keep": (1, True),
    "last": (-1, False),
    "axes01": ((0, 1), False),
    "axes02": ((0, 2), False),
    "axes20_keep": ((-1, 0), True),
    "axes12": ((1, 2), False),
    "none": ((), False),
}
for how, (axis, keep) in REDUCED.items():
    for name, f in ("sum", np.sum), ("mean", average), ("max", np.max):
        case(f"{name}_{how}/rank3", lambda x: f(x, axis, keepdims=keep), distinct(2, 3, 4))
        case(f"{name}_{how}/ones", lambda x: f(x, axis, keepdims=keep), distinct(2, 1, 1))
for name, f in ("sum", np.sum), ("mean", average), ("max", np.max):
    case(f"{name}_all/scalar", f if name != "mean" else lambda x: x, draw())
    case(f"{name}_all/vector", lambda x: f(x, 0), distinct(11))
    case(f"{name}_last/empty", lambda x: f(x, -1), np.zeros((0, 3, 2)))
    case(f"{name}_axis0/empty", lambda x: f(x, 0), np.zeros((2, 0)))
case("sum_all/empty", np.sum, np.zeros((0, 3)))
case("sum_axis0/no_rows", lambda x: np.sum(x, 0), np.zeros((0, 3)))
case("sum_axes02/empty", lambda x: np.sum(x, (0, 2)), np.zeros((0, 3, 2)))
case("sum_all/i64", np.sum, indices(100, 3, 4))
case("sum_axes02/u8", lambda x: np.sum(x, (0, 2), dtype=np.int64), np.full((9, 2, 5), 255, np.uint8))
case("argmax_last/rank3", lambda x: np.argmax(x, -1), distinct(2, 3, 4))
case("argmax_last/vector", lambda x: np.argmax(x, -1), distinct(7))
case("argmax_last/ties", lambda x: np.argmax(x, -1), np.array([[1, 3, 3], [2, 2, 2]]))
case("argmax_last/i64", lambda x: np.argmax(x, -1), indices(9, 4, 5))
case("argmax_last/u8", lambda x: np.argmax(x, -1), indices(9, 4, 5).astype(np.uint8))
case("argmax_last/empty", lambda x: np.argmax(x, -1), np.zeros((0, 3)))
case("argmax_axis0/rank3", lambda x: np.argmax(x, 0), distinct(2, 3, 4))
case("argmax_axis1/rank3", lambda x: np.argmax(x, 1), distinct(2, 3, 4))

# Moving, selecting and converting.
case("reshape_2_minus1/matrix", lambda x: x.reshape(2, -1), draw(3, 4))
case("reshape_2_minus1/same", lambda x: x, draw(2, 3))
case("reshape_2_minus1/vector", lambda x: x.reshape(2, -1), draw(6))
case("reshape_2_minus1/empty", lambda x: x.reshape(2, 0), draw(0, 3))
case("reshape_scalar/ones", lambda x: x.reshape(()), draw(1, 1, 1))
case("transpose/matrix", lambda x: x.T, draw(3, 4))
case("transpose/rank3", lambda x: np.swapaxes(x, -1, -2), draw(2, 3, 4))
case("transpose/rank4", lambda x: np.swapaxes(x, -1, -2), draw(2, 1, 3, 2))
case("transpose/blocks", lambda x: x.T, draw(17, 33))
case("transpose/i64", lambda x: x.T, indices(9, 2, 3))
case("transpose/empty", lambda x: x.T, draw(0, 3))
case("broadcast_to_2_3_4/row", lambda x: np.broadcast_to(x, (2, 3, 4)), draw(4))
case("broadcast_to_2_3_4/scalar", lambda x: np.broadcast_to(x, (2, 3, 4)), draw())
case("broadcast_to_2_3_4/column", lambda x: np.broadcast_to(x, (2, 3, 4)), draw(3, 1))
case("broadcast_to_2_3_4/leading", lambda x: np.broadcast_to(x, (2, 3, 4)), draw(2, 1, 1))
case("broadcast_to_2_3_4/same", lambda x: x, draw(2, 3, 4))
case("broadcast_to_0_3/row", lambda x: np.broadcast_to(x, (0, 3)), draw(3))
case("sum_to_3_1/matrix", lambda x: np.sum(x, 1, keepdims=True), draw(3, 4))
case("sum_to_3_1/rank3", lambda x: np.sum(x, (0, 2)).reshape(3, 1), draw(2, 3, 4))
case("sum_to_3_1/same", lambda x: x, draw(3, 1))
case("sum_to_3_1/empty", lambda x: np.zeros((3, 1)), draw(3, 0))
case("sum_to_scalar/rank3", np.sum, draw(2, 3, 4))
case("sum_to_scalar/ones", lambda x: x.reshape(()), draw(1, 1))
case("take_rows/vector", lambda x, r: x[r], draw(5), indices(5, 7))
case("take_rows/matrix", lambda x, r: x[r], draw(5, 3), np.array([4, 0, 0, 2]))
case("take_rows/rank3", lambda x, r: x[r], draw(3, 2, 2), np.array([2, 2, 1]))
case("take_rows/none", lambda x, r: x[r], draw(3, 2), np.zeros(0, np.int64))


def scattered(x, r):
    y = np.zeros((4,) + x.shape[1:], x.dtype)
    for i, row in enumerate(r):
        y[row] = y[row] + x[i]
    return y


case("scatter_add_4_rows/matrix", scattered, draw(5, 3), np.array([3, 0, 0, 1, 3]))
case("scatter_add_4_rows/vector", scattered, draw(3), np.array([2, 2, 2]))
case("scatter_add_4_rows/rank3", scattered, draw(2, 2, 2), np.array([0, 3]))
case("scatter_add_4_rows/empty", scattered, draw(0, 3), np.zeros(0, np.int64))
case("one_hot_3/vector", lambda r: (r[..., None] == np.arange(3)) * 1, np.array([2, 0, 1, 1]))
case("one_hot_3/matrix", lambda r: (r[..., None] == np.arange(3)) * 1, indices(3, 2, 3))
case("one_hot_3/scalar", lambda r: (r[..., None] == np.arange(3)) * 1, np.int64(1))
case("one_hot_3/empty", lambda r: np.zeros((0, 3), np.int64), np.zeros(0, np.int64))
case("cast_f64_f32_f64/matrix", lambda x: x, draw(3, 4))
case("cast_i64/float", lambda x: np.trunc(x).astype(np.int64), draw(3, 4, low=-99, high=99))
case("cast_i64/u8", lambda x: x.astype(np.int64), indices(256, 3, 4).astype(np.uint8))
case("cast_u8/i64", lambda x: x.astype(np.uint8), indices(256, 3, 4))
case("cast_u8/float", lambda x: np.trunc(x).astype(np.uint8), draw(3, 4, low=0, high=255.9))

# Matrix products.
PRODUCTS = {"square": (3, 3, 3), "oblong": (2, 5, 4), "vector": (1, 6, 1), "outer": (4, 1, 3), "no_rows": (0, 3, 2),
            "no_columns": (2, 3, 0), "no_inner": (2, 0, 3)}
for how, (m, k, n) in PRODUCTS.items():
    case(f"matmul/{how}", lambda a, b: (a[:, :, None] * b[None]).sum(1), draw(m, k), draw(k, n))
    case(f"matmul_nt/{how}", lambda a, b: (a[:, None] * b[None]).sum(2), draw(m, k), draw(n, k))
    case(f"matmul_tn/{how}", lambda a, b: (a[:, :, None] * b[:, None]).sum(0), draw(k, m), draw(k, n))
    case(f"linear/{how}", lambda x, w, b: (x[:, None] * w[None]).sum(2) + b, draw(m, k), draw(n, k), draw(n))
    case(f"linear_no_bias/{how}", lambda x, w: (x[:, None] * w[None]).sum(2), draw(m, k), draw(n, k))

# Softmax and losses.
for name, axis in ("last", -1), ("axis0", 0), ("axis1", 1):
    shapes = {"matrix": (3, 4), "rank3": (2, 3, 4), "ones": (1, 1), "empty": (0, 3)}
    for how, shape in (shapes if name == "axis1" else {**shapes, "vector": (5,)}).items():
        case(f"softmax_{name}/{how}", lambda x: np.exp(x) / np.exp(x).sum(axis, keepdims=True), draw(*shape))
        case(f"log_softmax_{name}/{how}", lambda x: np.log(np.exp(x) / np.exp(x).sum(axis, keepdims=True)),
             draw(*shape))


def cross_entropy(z, labels):
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return np.mean([-np.log(p[i, label]) for i, label in enumerate(labels)])


case("cross_entropy/matrix", cross_entropy, draw(4, 3), np.array([2, 0, 1, 1]))
case("cross_entropy/one_row", cross_entropy, draw(1, 5), np.array([4]))
case("cross_entropy/one_class", lambda z, r: np.float64(0), draw(3, 1), np.array([0, 0, 0]))
case("mse/matrix", lambda a, b: ((a - b) ** 2).sum() / a.size, draw(3, 4), draw(3, 4))
case("mse/scalar", lambda a, b: (a - b) ** 2, draw(), draw())

for where, (left, right) in SHAPES.items():
    case(f"pow/{where}", lambda a, b: a**b, draw(*left, low=0.2, high=2), draw(*right))
    case(f"minimum/{where}", np.minimum, *(lambda d: (d[:np.prod(left, dtype=int)].reshape(left),
                                                      d[np.prod(left, dtype=int):].reshape(right)))(
        distinct(int(np.prod(left) + np.prod(right)))))
case("minimum_number/matrix", lambda a: np.minimum(a, 0.5), distinct(3, 4))
case("pow_number_3/matrix", lambda a: a * a * a, apart(3, 4))
case("pow_number_half/matrix", np.sqrt, draw(3, 4, low=0.2, high=2))

for name, f, make in (
    ("log1p", lambda x: np.log(1 + x), lambda *s: draw(*s, low=-0.7, high=4)),
    ("expm1", lambda x: np.exp(x) - 1, draw),
    ("sin", np.sin, draw),
    ("cos", np.cos, draw),
    ("erf", lambda x: np.vectorize(math.erf, otypes=[float])(np.asarray(x, float)), draw),
    ("softplus", lambda x: np.log(1 + np.exp(x)), draw),
    ("gelu", lambda x: np.asarray(x, float) / 2 * (1 + np.vectorize(math.erf, otypes=[float])(np.asarray(x, float) / math.sqrt(2))),
     draw),
):
    for shape_name, shape in (("scalar", ()), ("vector", (5,)), ("matrix", (3, 4)), ("rank3", (2, 3, 2)), ("empty", (0, 3))):
        case(f"{name}/{shape_name}", f, make(*shape))

for how in "all", "axis1_keep", "axes02":
    axis, keep = REDUCED[how]
    case(f"min_{how}/rank3", lambda x: np.min(x, axis, keepdims=keep), distinct(2, 3, 4))
    case(f"var_{how}/rank3", lambda x: average((x - average(x, axis, True)) ** 2, axis, keep), draw(2, 3, 4))
    case(f"logsumexp_{how}/rank3", lambda x: np.log(np.sum(np.exp(x), axis, keepdims=keep)), draw(2, 3, 4))
case("var_sample/matrix", lambda x: ((x - x.mean(0)) ** 2).sum(0) / 3, draw(4, 3))

case("permute_201/rank3", lambda x: x.transpose(2, 0, 1), draw(2, 3, 4))
case("permute_201/i64", lambda x: x.transpose(2, 0, 1), indices(9, 2, 3, 4))
case("permute_201/empty", lambda x: x.transpose(2, 0, 1), draw(2, 0, 4))
case("squeeze_1/rank3", lambda x: x[:, 0], draw(2, 1, 4))
case("squeeze/rank4", lambda x: x.reshape(2, 3), draw(1, 2, 1, 3))
case("expand_1/matrix", lambda x: x[:, None], draw(2, 3))
case("expand_last/vector", lambda x: x[:, None], draw(3))
case("slice_1_4/matrix", lambda x: x[:, 1:4], draw(3, 6))
case("slice_1_4/short", lambda x: x[:, 1:4], draw(3, 2))
case("slice_1_4/none", lambda x: x[:, 1:4], draw(3, 1))
case("slice_1_4/rank3", lambda x: x[:, 1:4], draw(2, 5, 3))
case("slice_backwards/matrix", lambda x: x[-2::-2], draw(6, 2))
case("slice_backwards/i64", lambda x: x[-2::-2], indices(9, 5, 2))
case("concat_1/matrix", lambda a, b: np.concatenate([a, b, a], 1), draw(2, 3), draw(2, 1))
case("concat_1/empty", lambda a, b: np.concatenate([a, b, a], 1), draw(2, 0), draw(2, 1))
case("concat_1/i64", lambda a, b: np.concatenate([a, b, a], 1), indices(9, 2, 3), indices(9, 2, 1))
case("stack_last/matrix", lambda a, b: np.stack([a, b], -1), draw(2, 3), draw(2, 3))
case("stack_last/scalar", lambda a, b: np.stack([a, b], -1), draw(), draw())
case("gather_1/matrix", lambda x, i: np.take_along_axis(x, i, 1), draw(3, 4), indices(4, 3, 5))
case("gather_1/rank3", lambda x, i: np.take_along_axis(x, i, 1), draw(2, 3, 2), indices(3, 2, 2, 2))


def scattered_along(x, index):
    y = np.zeros((x.shape[0], 4), x.dtype)
    for i, row in enumerate(index):
        for k, column in enumerate(row):
            y[i, column] = y[i, column] + x[i, k]
    return y


case("scatter_add_1/matrix", scattered_along, draw(3, 5), indices(4, 3, 5))

for how, left, right in (("stacks", (2, 3, 4), (2, 4, 2)), ("one_matrix", (2, 3, 4), (4, 2)), ("both_stretch", (2, 1, 3, 4), (3, 4, 2)),
                         ("no_stack", (0, 3, 4), (4, 2))):
    swap = lambda shape: shape[:-2] + (shape[-1], shape[-2])
    multiply = lambda a, b: (a[..., :, :, None] * b[..., None, :, :]).sum(-2)
    case(f"matmul/{how}", multiply, draw(*left), draw(*right))
    case(f"matmul_nt/{how}", lambda a, b: multiply(a, np.swapaxes(b, -1, -2)), draw(*left), draw(*swap(right)))
    case(f"matmul_tn/{how}", lambda a, b: multiply(np.swapaxes(a, -1, -2), b), draw(*swap(left)), draw(*right))
case("linear/vector_in", lambda x, w, b: (w * x).sum(1) + b, draw(3), draw(2, 3), draw(2))
case("linear/rank3", lambda x, w, b: (x[:, :, None] * w).sum(3) + b, draw(2, 2, 3), draw(4, 3), draw(4))


def layer_norm(x, w, b):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + np.longdouble("1e-5")) * w + b


case("layer_norm/matrix", layer_norm, draw(3, 4), draw(4), draw(4))
case("layer_norm/rank3", layer_norm, draw(2, 3, 4), draw(4), draw(4))
case("layer_norm/vector", layer_norm, draw(4), draw(4), draw(4))

log_softmax = lambda z: z - np.log(np.exp(z).sum(1, keepdims=True))
case("smooth_cross_entropy/matrix", lambda z, r: -np.mean(
    ((np.longdouble("0.9") * (r[:, None] == np.arange(3)) + np.longdouble("0.1") / 3) * log_softmax(z)).sum(1)), draw(4, 3),
     np.array([2, 0, 1, 1]))
case("soft_cross_entropy/matrix", lambda z, t: -np.mean((t * log_softmax(z)).sum(1)), draw(4, 3), draw(4, 3, low=0, high=1))
case("nll/matrix", lambda z, r: -np.mean(z[np.arange(4), r]), draw(4, 3), np.array([2, 0, 1, 1]))
case("binary_cross_entropy/matrix", lambda z, t: np.mean(-t * np.log(1 / (1 + np.exp(-z))) - (1 - t) * np.log(1 - 1 / (1 + np.exp(-z)))),
     draw(3, 4), draw(3, 4, low=0, high=1))
case("huber_half/matrix", lambda a, b: np.mean(np.where(abs(a - b) <= 0.5, (a - b) ** 2 / 2, (abs(a - b) - 0.25) / 2)),
     np.array([[0.1, 1.5, -2.0, 0.3]]), np.array([[0.0, 0.25, 0.5, 0.0]]))

rng = np.random.RandomState(16)  # so that what is above may grow

SELU_ALPHA, SELU_SCALE = np.longdouble("1.6732632423543772848170429916717"), np.longdouble("1.0507009873554804934193349852946")
elu = lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))
for name, f, make in (
    ("silu", lambda x: x / (1 + np.exp(-x)), lambda *s: draw(*s, low=-6, high=6)),
    ("elu", lambda x: elu(x, 1), apart),
    ("elu_half", lambda x: elu(x, 0.5), apart),
    ("selu", lambda x: SELU_SCALE * elu(x, SELU_ALPHA), apart),
    ("softsign", lambda x: x / (1 + abs(x)), apart),
    ("hardtanh", lambda x: np.minimum(np.maximum(x, -1), 1), distinct),
    ("hardtanh_0_6", lambda x: np.minimum(np.maximum(x, 0), np.longdouble(0.6)), distinct),
    ("log_sigmoid", lambda x: -np.log(1 + np.exp(-x)), draw),
):
    for shape_name, shape in (("scalar", ()), ("vector", (5,)), ("matrix", (3, 4)), ("rank3", (2, 3, 2)), ("empty", (0, 3))):
        case(f"{name}/{shape_name}", f, make(*shape))


def reductions(name, f, *inputs):
    """A loss of each element: its mean, its sum and as it is."""
    case(f"{name}/matrix", lambda *x: f(*x).sum() / f(*x).size, *inputs)
    case(f"{name}_sum/matrix", lambda *x: f(*x).sum(), *inputs)
    case(f"{name}_none/matrix", f, *inputs)


CLASS_WEIGHTS = np.longdouble([0.5, 2, 1.25])


def cross_entropies(z, labels, ignored=None, weights=None, smoothing=0):
    """Of every row, and what the mean divides by; formulas of PyTorch's documentation."""
    rows, log_p = z.reshape(-1, z.shape[-1]), log_softmax(z.reshape(-1, z.shape[-1]))
    weights = np.ones(z.shape[-1], np.longdouble) if weights is None else weights
    losses, total = np.zeros(len(rows), np.longdouble), np.longdouble(0)
    for i, label in enumerate(labels.ravel()):
        if label == ignored:
            continue
        losses[i] = -(1 - smoothing) * weights[label] * log_p[i, label] - smoothing / z.shape[-1] * (weights * log_p[i]).sum()
        total += weights[label]
    return losses.reshape(labels.shape), total


def mean_cross_entropy(*args, **options):
    losses, total = cross_entropies(*args, **options)
    return losses.sum() / total


smoothing = np.longdouble("0.1")
z, labels = draw(4, 3), np.array([2, 0, 1, 1])
padded = np.array([2, -100, 1, -100])
case("cross_entropy/rank3", mean_cross_entropy, draw(2, 3, 4), indices(4, 2, 3))
case("cross_entropy/rank4", mean_cross_entropy, draw(2, 1, 2, 3), indices(3, 2, 1, 2))
case("cross_entropy_sum/matrix", lambda z, r: cross_entropies(z, r)[0].sum(), z, labels)
case("cross_entropy_none/matrix", lambda z, r: cross_entropies(z, r)[0], z, labels)
case("cross_entropy_none/rank3", lambda z, r: cross_entropies(z, r)[0], draw(2, 3, 4), indices(4, 2, 3))
case("cross_entropy_ignore/matrix", lambda z, r: mean_cross_entropy(z, r, -100), z, padded)
case("cross_entropy_ignore/rank3", lambda z, r: mean_cross_entropy(z, r, -100), draw(2, 2, 3), padded.reshape(2, 2))
case("cross_entropy_ignore_none/matrix", lambda z, r: cross_entropies(z, r, -100)[0], z, padded)
case("cross_entropy_ignore_none/all", lambda z, r: cross_entropies(z, r, -100)[0], z, np.full(4, -100))
case("cross_entropy_weight/matrix", lambda z, r: mean_cross_entropy(z, r, None, CLASS_WEIGHTS), z, labels)
case("cross_entropy_smooth/matrix", lambda z, r: mean_cross_entropy(z, r, None, None, smoothing), z, labels)
case("cross_entropy_all/matrix", lambda z, r: mean_cross_entropy(z, r, -100, CLASS_WEIGHTS, smoothing), z, padded)
case("cross_entropy_all/rank3", lambda z, r: mean_cross_entropy(z, r, -100, CLASS_WEIGHTS, smoothing), draw(2, 2, 3),
     padded.reshape(2, 2))
case("cross_entropy_soft/matrix", lambda z, t: -(CLASS_WEIGHTS * (t * (1 - smoothing) + smoothing / 3) * log_softmax(z)).sum() / 4, z,
     draw(4, 3, low=0, high=1))
reductions("l1", lambda a, b: abs(a - b), apart(3, 4), np.zeros((3, 4)))
reductions("smooth_l1", lambda e, b: np.where(abs(e - b) < 0.5, (e - b) ** 2, abs(e - b) - 0.25),
           np.array([[0.1, 1.5, -2.0, 0.3]]), np.zeros((1, 4)))
case("smooth_l1_beta_0/matrix", lambda a, b: abs(a - b).sum() / 12, apart(3, 4), np.zeros((3, 4)))
reductions("kl_div", lambda x, t: t * (np.log(t) - x), draw(3, 4), draw(3, 4, low=0.2, high=1))
reductions("hinge", lambda x, t: np.maximum(1 - t * x, 0), draw(3, 4) + 1 / 64, np.where(indices(2, 3, 4) == 0, -1.0, 1.0))
reductions("gaussian_nll", lambda x, t, v: (np.log(v) + (x - t) ** 2 / v) / 2, draw(3, 4), draw(3, 4), draw(3, 4, low=0.2, high=2))
case("gaussian_nll/row", lambda x, t, v: ((np.log(v) + (x - t) ** 2 / v) / 2).sum() / 12, draw(3, 4), draw(3, 4), draw(4, low=0.2, high=2))
case("gaussian_nll_full/matrix", lambda x, t, v: ((np.log(v) + (x - t) ** 2 / v + np.log(2 * np.longdouble(np.pi))) / 2).sum() / 12,
     draw(3, 4), draw(3, 4), draw(3, 4, low=0.2, high=2))
norm_of = lambda e, p: (abs(e) ** p).sum(-1) ** (1 / np.longdouble(p))
epsilon = np.longdouble("1e-6")
triplet = lambda p: lambda a, b, c: np.maximum(1 + norm_of(a - b + epsilon, p) - norm_of(a - c + epsilon, p), 0)
corners = draw(3, 4), draw(3, 4), draw(3, 4)
reductions("triplet_margin", triplet(2), *corners)
case("triplet_margin_1/matrix", lambda *x: triplet(1)(*x).sum() / 3, *corners)
case("triplet_margin_3/matrix", lambda *x: triplet(3)(*x).sum() / 3, *corners)
case("triplet_margin_swap/matrix", lambda a, b, c: np.maximum(1 + norm_of(a - b + epsilon, 2) - np.minimum(
    norm_of(a - c + epsilon, 2), norm_of(b - c + epsilon, 2)), 0).sum() / 3, *corners)
case("mse_sum/matrix", lambda a, b: ((a - b) ** 2).sum(), draw(3, 4), draw(3, 4))
case("mse_none/matrix", lambda a, b: (a - b) ** 2, draw(3, 4), draw(3, 4))
case("nll_none/matrix", lambda z, r: -z[np.arange(4), r], draw(4, 3), np.array([2, 0, 1, 1]))
case("soft_cross_entropy_none/matrix", lambda z, t: -(t * log_softmax(z)).sum(1), draw(4, 3), draw(4, 3, low=0, high=1))


def cosine(axis):
    length = lambda x: np.sqrt((x * x).sum(axis))
    return lambda a, b: (a * b).sum(axis) / (length(a) * length(b))


case("cosine_similarity_1/matrix", cosine(1), apart(3, 4), apart(3, 4))
case("cosine_similarity_1/rank3", cosine(1), apart(2, 3, 4), apart(2, 3, 4))
case("cosine_similarity_last/rank3", cosine(-1), apart(2, 3, 4), apart(3, 4))

# Products, distances and equations.
case("bmm/rank3", np.matmul, draw(2, 3, 4), draw(2, 4, 2))
case("bmm/empty", np.matmul, draw(0, 3, 4), draw(0, 4, 2))
case("outer/vectors", np.multiply.outer, draw(3), draw(4))
case("outer/empty", np.multiply.outer, draw(0), draw(4))
EINSUMS = {
    "matmul": ("ij,jk->ik", (2, 3), (3, 4)), "implicit": ("ij,jk", (2, 3), (3, 4)), "inner": ("i,i->", (4,), (4,)),
    "outer": ("i,j->ij", (2,), (3,)), "batch": ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)), "transposed": ("bij,bkj->bki", (2, 3, 4), (2, 5, 4)),
    "sum": ("ij->", (2, 3)), "column": ("ij->j", (2, 3)), "turn": ("ijk->kij", (2, 3, 4)), "trace": ("ii->", (3, 3)), "diagonal": ("ii->i", (3, 3)),
    "middle_diagonal": ("iji->ij", (3, 2, 3)), "three": ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), "bilinear": ("bi,ijk,bk->bj", (2, 3), (3, 2, 4), (2, 4)),
    "ellipsis": ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), "ellipsis_implicit": ("...ij,jk", (2, 3, 4), (4, 2)), "one": ("ij,ij->ij", (1, 3), (2, 3)),
    "attention": ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)), "alone": ("ij,k->i", (2, 3), (4,)), "empty": ("ij,jk->ik", (2, 0), (0, 3)),
    "scalar": (",ij->ji", (), (2, 3)),
}
for how, (equation, *shapes) in EINSUMS.items():
    case(f"einsum_{how}/case", lambda *x: np.einsum(equation, *x), *(draw(*shape) for shape in shapes))
pairwise = lambda p: lambda a, b: norm_of(a[..., :, None, :] - b[..., None, :, :], p)
case("cdist/matrix", pairwise(2), draw(3, 4), draw(2, 4))
case("cdist/stacks", pairwise(2), draw(2, 3, 4), draw(2, 2, 4))
case("cdist/both_stretch", pairwise(2), draw(2, 1, 3, 2), draw(3, 2, 2))
case("cdist/empty", lambda a, b: np.zeros((0, 2)), draw(0, 4), draw(2, 4))
case("cdist_1/matrix", pairwise(1), distinct(3, 4), distinct(2, 4) + 1 / 16)
case("cdist_3/matrix", pairwise(3), distinct(3, 4), distinct(2, 4) + 1 / 16)
clipped = lambda x, axis: x * np.minimum(1, np.longdouble(2) / np.sqrt((x * x).sum(axis, keepdims=True)))
case("clip_by_norm_2/long", lambda x: clipped(x, None), apart(3, 4) * 2)
case("clip_by_norm_2/short", lambda x: x, draw(3, 4) / 16)
case("clip_by_norm_2/zero", lambda x: x, np.zeros((2, 2)))
case("clip_by_norm_2/empty", lambda x: x, draw(0, 3))
case("clip_by_norm_rows/matrix", lambda x: clipped(x, 1), np.concatenate([apart(2, 4) * 2, apart(2, 4) / 8]))


def solved(a, b):
    """Gauss's elimination in long doubles."""
    a, b = a.copy(), b.copy()
    for i in range(len(a)):
        p = i + np.argmax(abs(a[i:, i]))
        a[[i, p]], b[[i, p]] = a[[p, i]], b[[p, i]]
        for k in range(len(a)):
            if k != i:
                factor = a[k, i] / a[i, i]
                a[k], b[k] = a[k] - factor * a[i], b[k] - factor * b[i]
    return b / np.diag(a).reshape((-1,) + (1,) * (b.ndim - 1))


def rooted(a):
    l = np.zeros_like(a)
    for i in range(len(a)):
        for j in range(i + 1):
            rest = a[i, j] - (l[i, :j] * l[j, :j]).sum()
            l[i, j] = np.sqrt(rest) if i == j else rest / l[j, j]
    return l


stacked = lambda f: lambda *x: np.stack([f(*one) for one in zip(*x)])
regular = lambda *shape: draw(*shape) + 4 * np.eye(shape[-1])
gram = lambda x: (x[:, :, None] * x.T[None]).sum(1) + np.eye(len(x))
case("solve/matrix", solved, regular(3, 3), draw(3, 2))
case("solve/vector", solved, regular(3, 3), draw(3))
case("solve/one", solved, regular(1, 1), draw(1, 2))
case("solve/stacks", stacked(solved), regular(2, 3, 3), draw(2, 3, 2))
case("solve/one_matrix", lambda a, b: np.stack([solved(a, one) for one in b]), regular(3, 3), draw(2, 3, 2))
case("solve/empty", lambda a, b: b, draw(0, 0), draw(0, 2))
case("inverse/matrix", lambda a: solved(a, np.eye(3, dtype=np.longdouble)), regular(3, 3))
case("inverse/stacks", stacked(lambda a: solved(a, np.eye(2, dtype=np.longdouble))), regular(2, 2, 2))
case("inverse/empty", lambda a: a, draw(0, 2, 2))
case("cholesky/matrix", lambda x: rooted(gram(x)), draw(3, 3))
case("cholesky/stacks", stacked(lambda x: rooted(gram(x))), draw(2, 2, 2))
# Convolution and pooling, normalization and attention. Draws of their own, so that cases above do not move these.
rng.seed(16)


def conv(x, w, b=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    reach = [(w.shape[2 + i] - 1) * dilation[i] + 1 for i in (0, 1)]
    out = [(x.shape[2 + i] - reach[i]) // stride[i] + 1 for i in (0, 1)]
    y = np.zeros((x.shape[0], w.shape[0], *out), x.dtype)
    inner, outer = w.shape[1], w.shape[0] // groups
    for o in range(w.shape[0]):
        part = x[:, o // outer * inner:(o // outer + 1) * inner]
        for i in range(out[0]):
            for j in range(out[1]):
                top, left = i * stride[0], j * stride[1]
                window = part[:, :, top:top + reach[0]:dilation[0], left:left + reach[1]:dilation[1]]
                y[:, o, i, j] = (window * w[o]).sum((1, 2, 3))
    return y if b is None else y + b[:, None, None]


def conv_transpose(x, w, b, stride, padding, output_padding, dilation, groups):
    reach = [(w.shape[2 + i] - 1) * dilation[i] + 1 for i in (0, 1)]
    full = [(x.shape[2 + i] - 1) * stride[i] + reach[i] + output_padding[i] for i in (0, 1)]
    outer, inner = w.shape[1], w.shape[0] // groups
    y = np.zeros((x.shape[0], outer * groups, *full), x.dtype)
    for c in range(w.shape[0]):
        for o in range(outer):
            for i in range(x.shape[2]):
                for j in range(x.shape[3]):
                    top, left = i * stride[0], j * stride[1]
                    y[:, c // inner * outer + o, top:top + reach[0]:dilation[0], left:left + reach[1]:dilation[1]] += (
                        x[:, c, i, j][:, None, None] * w[c, o])
    y = y[:, :, padding[0]:full[0] - padding[0], padding[1]:full[1] - padding[1]]
    return y + b[:, None, None]


every = dict(stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)
for how, x, w in (("plain", (2, 3, 5, 4), (2, 3, 3, 2)), ("whole_image", (2, 2, 3, 3), (2, 2, 3, 3)), ("pixels", (2, 3, 2, 4), (2, 3, 1, 1)),
                  ("empty", (0, 3, 5, 4), (2, 3, 3, 2))):
    case(f"conv2d/{how}", conv, draw(*x), draw(*w), draw(w[0]))
    case(f"conv2d_without_bias/{how}", conv, draw(*x), draw(*w))
case("conv2d_all/plain", lambda x, w, b: conv(x, w, b, **every), draw(2, 4, 5, 4), draw(6, 2, 3, 2), draw(6))
case("conv2d_all/empty", lambda x, w, b: conv(x, w, b, **every), draw(0, 4, 5, 4), draw(6, 2, 3, 2), draw(6))
case("conv1d_all/plain", lambda x, w, b: conv(x[:, :, None], w[:, :, None], b, (1, 2), (0, 1), (1, 2), 2)[:, :, 0], draw(2, 4, 8),
     draw(2, 2, 3), draw(2))
case("conv_transpose2d_all/plain", lambda x, w, b: conv_transpose(x, w, b, (2, 3), (1, 0), (1, 2), (2, 1), 2), draw(2, 4, 3, 2),
     draw(4, 3, 3, 2), draw(6))
case("conv_transpose2d_all/empty", lambda x, w, b: conv_transpose(x, w, b, (2, 3), (1, 0), (1, 2), (2, 1), 2), draw(0, 4, 3, 2),
     draw(4, 3, 3, 2), draw(6))


def windows(x, f, kernel, stride, padding, fill, dilation=(1, 1)):
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2), constant_values=fill)
    reach = [(kernel[i] - 1) * dilation[i] + 1 for i in (0, 1)]
    out = [(x.shape[2 + i] - reach[i]) // stride[i] + 1 for i in (0, 1)]
    y = np.zeros((*x.shape[:2], *out), x.dtype)
    for i in range(out[0]):
        for j in range(out[1]):
            top, left = i * stride[0], j * stride[1]
            y[:, :, i, j] = f(x[:, :, top:top + reach[0]:dilation[0], left:left + reach[1]:dilation[1]], (2, 3))
    return y


for how, batch in (("plain", 2), ("empty", 0)):
    case(f"max_pool2d/{how}", lambda x: windows(x, np.max, (3, 2), (2, 1), (1, 1), -np.inf, (1, 2)), distinct(batch, 2, 5, 4))
    case(f"max_pool1d/{how}", lambda x: windows(x[:, :, None], np.max, (1, 3), (1, 3), (0, 0), 0)[:, :, 0], distinct(batch, 2, 7))
    case(f"avg_pool2d/{how}", lambda x: windows(x, np.mean, (3, 2), (2, 1), (1, 1), 0), draw(batch, 2, 5, 4))
    case(f"avg_pool2d_unpadded/{how}", lambda x: windows(x, np.nanmean, (3, 2), (2, 1), (1, 1), np.nan), draw(batch, 2, 5, 4))
    case(f"avg_pool1d/{how}", lambda x: windows(x[:, :, None], np.mean, (1, 3), (1, 3), (0, 0), 0)[:, :, 0], draw(batch, 2, 7))


def adaptive(x, rows, columns):
    bounds = lambda i, size, out: slice(i * size // out, -(-(i + 1) * size // out))
    return np.stack([np.stack([x[:, :, bounds(i, x.shape[2], rows), bounds(j, x.shape[3], columns)].mean((2, 3)) for j in range(columns)], -1)
                     for i in range(rows)], -2)


case("adaptive_avg_pool2d/smaller", lambda x: adaptive(x, 3, 2), draw(2, 2, 7, 5))
case("adaptive_avg_pool2d/larger", lambda x: adaptive(x, 3, 2), draw(2, 2, 2, 1))
case("adaptive_avg_pool1d/smaller", lambda x: adaptive(x[:, :, None], 1, 3)[:, :, 0], draw(2, 2, 8))


def between(size, out, corners):
    """The matrix that interpolates along an axis."""
    matrix = np.zeros((out, size), np.longdouble)
    for i in range(out):
        place = np.longdouble(i) * (size - 1) / (out - 1) if corners else max((np.longdouble(i) + 0.5) * size / out - 0.5, 0)
        low = min(int(place), size - 1)
        matrix[i, low] += 1 - (place - low)
        matrix[i, min(low + 1, size - 1)] += place - low
    return matrix


case("interpolate_nearest/plain", lambda x: x[:, :, [0, 0, 1, 1, 2]][..., [0, 0, 1]], draw(2, 2, 3, 2))
for corners in False, True:
    case(f"interpolate_{'corners' if corners else 'bilinear'}/plain", lambda x: np.einsum(
        "ih,jw,nchw->ncij", between(3, 5, corners), between(2, 3, corners), x), draw(2, 2, 3, 2))

per_channel = lambda v, x: v.reshape((-1,) + (1,) * (x.ndim - 2))
over = lambda x: (0, *range(2, x.ndim))
for how, shape in (("matrix", (3, 4)), ("sequences", (2, 4, 3)), ("images", (2, 4, 2, 3))):
    case(f"channel_mean/{how}", lambda x: x.mean(over(x)), draw(*shape))
    case(f"channel_variance/{how}", lambda x: x.var(over(x)), draw(*shape))
    case(f"batch_norm/{how}", lambda x, m, v, w, b: (x - per_channel(m, x)) / np.sqrt(per_channel(v, x) + np.longdouble("1e-5"))
         * per_channel(w, x) + per_channel(b, x), draw(*shape), draw(4), draw(4, low=0.2), draw(4), draw(4))

    def group_norm(x, w, b):
        grouped = x.reshape(x.shape[0], 2, -1)
        grouped = (grouped - grouped.mean(2, keepdims=True)) / np.sqrt(grouped.var(2, keepdims=True) + np.longdouble("1e-5"))
        return grouped.reshape(x.shape) * per_channel(w, x) + per_channel(b, x)

    case(f"group_norm/{how}", group_norm, draw(*shape), draw(4), draw(4))
case("batch_norm/empty", lambda x, *rest: x, draw(0, 4, 3), draw(4), draw(4, low=0.2), draw(4), draw(4))
case("group_norm/empty", lambda x, *rest: x, draw(0, 4, 3), draw(4), draw(4))
case("rms_norm/rank3", lambda x, w: x / np.sqrt((x**2).mean(-1, keepdims=True) + np.longdouble("1e-6")) * w, draw(2, 3, 4), draw(4))
case("rms_norm/empty", lambda x, w: x, draw(0, 4), draw(4))


def attention(q, k, v, mask):
    scores = np.einsum("...te,...se->...ts", q, k) / np.sqrt(np.longdouble(q.shape[-1]))
    scores = np.where(mask, scores, -np.inf) if mask.dtype == np.uint8 else scores + mask
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("...ts,...sv->...tv", p / p.sum(-1, keepdims=True), v)


case("attention/marks", attention, draw(2, 3, 4), draw(2, 2, 4), draw(2, 2, 5), np.array([[1, 0], [1, 1], [0, 1]], np.uint8))
case("attention/sums", attention, draw(2, 2, 3, 4), draw(2, 1, 2, 4), draw(2, 1, 2, 3), draw(2, 1, 3, 2))
case("attention_causal/plain", lambda q, k, v: attention(q, k, v, np.tri(3, 4, dtype=np.uint8)), draw(2, 3, 4), draw(2, 4, 4), draw(2, 4, 5))

# Operators, numbers on either side, integers. With draws of its own, as each section from here on.
rng = np.random.RandomState(8)
mask = lambda *shape: indices(2, *shape).astype(np.uint8)
bytes_of = lambda *shape: indices(100, *shape).astype(np.uint8)
for how, left, right in ("same", (3, 4), (3, 4)), ("row", (3, 4), (4,)):
    case(f"add_assigned/{how}", lambda a, b: a + b + 1.5, draw(*left), draw(*right))
    case(f"sub_assigned/{how}", lambda a, b: a - b - 1.5, draw(*left), draw(*right))
    case(f"mul_assigned/{how}", lambda a, b: a * b * 1.5, draw(*left), draw(*right))
    case(f"div_assigned/{how}", lambda a, b: a / b / 1.5, draw(*left), apart(*right))
case("number_maximum/matrix", lambda a: np.maximum(0.5, a), distinct(3, 4))
case("number_minimum/matrix", lambda a: np.minimum(0.5, a), distinct(3, 4))
case("number_pow/matrix", lambda a: np.exp(np.log(np.longdouble(2)) * a), draw(3, 4))
case("where_number/matrix", lambda c, a: np.where(c, a, 0.5), mask(3, 4), draw(3, 4))
case("number_where/row", lambda c, a: np.where(c, 0.5, a), mask(4), draw(3, 4))
case("number_where_number/matrix", lambda c: np.where(c, 1, -1), mask(3, 4))
for name in "less", "less_equal", "greater", "greater_equal":
    f = getattr(np, name)
    case(f"{name}_sign/row", lambda a, b: (f(a, b) + 2 * f(a, 0.5) + 4 * f(0.5, a)).astype(np.uint8), indices(3, 3, 4) * 0.5,
         indices(3, 4) * 0.5)
for name in "logical_and", "logical_or":
    case(f"{name}/masks", getattr(np, name), mask(3, 4), mask(3, 4))
    case(f"{name}/row_of_floats", getattr(np, name), mask(3, 4), indices(2, 4) * 0.5)
    case(f"{name}/empty", getattr(np, name), np.zeros((0, 3), np.uint8), mask(3))
case("logical_not/mask", np.logical_not, mask(3, 4))
case("logical_not/i64", np.logical_not, indices(2, 5))
case("logical_not/float", np.logical_not, indices(2, 5) * 0.5)
case("number_sub_integers/mask", lambda a: (1 - a).astype(np.uint8), mask(3, 4))
case("number_sub_integers/i64", lambda a: 1 - a, indices(9, 3, 4))
for how, left, right in ("same", (3, 4), (3, 4)), ("row", (3, 4), (4,)), ("both", (3, 1), (4,)), ("empty", (0, 3), (3,)):
    for name, f in ("add", np.add), ("mul", np.multiply), ("maximum", np.maximum), ("minimum", np.minimum):
        case(f"{name}_integers/{how}", f, indices(99, *left) - 50, indices(99, *right) - 50)
        case(f"{name}_integers/{how}_u8", f, indices(16, *left).astype(np.uint8), indices(16, *right).astype(np.uint8))
    case(f"sub_integers/{how}", np.subtract, indices(99, *left) - 50, indices(99, *right) - 50)
case("neg_integers/matrix", np.negative, indices(99, 3, 4) - 50)
for name, f in ("max", np.max), ("min", np.min):
    case(f"{name}_integers/matrix", lambda a: f(a, 1), indices(99, 3, 4) - 50)
    case(f"{name}_integers/ends", lambda a: f(a, 1), np.array([[-2**53, 2**53, 0]]))
    case(f"{name}_integers/u8", lambda a: f(a, 1), np.array([[0, 255, 7], [1, 2, 3]], np.uint8))
case("max_integers_all/rank3", lambda a: np.max(a, (0, 2)), indices(99, 2, 3, 4) - 50)
case("max_integers_all/u8", lambda a: np.max(a, (0, 2)), bytes_of(2, 3, 4))
for name, f in ("add", np.add), ("sub", np.subtract), ("mul", np.multiply):
    case(f"{name}_mixed/mask_right", lambda a, b: f(a, b.astype(np.longdouble)), draw(3, 4), mask(3, 4))
    case(f"{name}_mixed/mask_left", lambda a, b: f(a.astype(np.longdouble), b), mask(3, 1), draw(3, 4))
    case(f"{name}_mixed/i64", lambda a, b: f(a, b.astype(np.longdouble)), draw(3, 4), indices(9, 4))
case("div_mixed/i64", lambda a, b: a / b.astype(np.longdouble), draw(3, 4), indices(9, 3, 4) + 1)
case("div_mixed/by_float", lambda a, b: a.astype(np.longdouble) / b, indices(9, 3, 4), apart(4))
case("pow_mixed/i64", lambda a, b: a ** b.astype(np.longdouble), apart(3, 4), indices(4, 4))
case("maximum_mixed/i64", lambda a, b: np.maximum(a, b.astype(np.longdouble)), distinct(3, 4), indices(4, 3, 4))
case("where_mixed/i64", lambda c, a, b: np.where(c, a.astype(np.longdouble), b), mask(3, 4), indices(9, 3, 4), draw(4))
case("greater_mixed/i64", lambda a, b: a > b, indices(4, 3, 4) * 0.5, indices(3, 4))
case("greater_mixed/u8_i64", lambda a, b: a > b, bytes_of(3, 4), indices(99, 3, 4))
case("add_mixed_integers/u8_right", lambda a, b: a + b.astype(np.int64), indices(99, 3, 4), bytes_of(3, 4))
case("add_mixed_integers/u8_left", lambda a, b: a.astype(np.int64) + b, bytes_of(4), indices(99, 3, 4))

# Indexing.
rng = np.random.RandomState(9)
INDEXED = {
    "index_row_1": lambda x: x[1],
    "index_row_minus_1": lambda x: x[-1],
    "index_rows_1_3": lambda x: x[1:3],
    "index_element_1_minus_2": lambda x: x[1, -2],
    "index_columns_by_2": lambda x: x[:, 0:4:2],
    "index_columns_back": lambda x: x[:, ::-1],
    "index_columns_open": lambda x: x[:, 1:],
    "index_columns_first_2": lambda x: x[..., :2],
    "index_newaxis": lambda x: x[None, 0, ..., None, -2:],
    "index_range_by_0": lambda x: x[0:2],
    "index_ellipses": lambda x: x,
    "index_put_number": lambda x: np.concatenate([x[:, :-1], np.full_like(x[:, -1:], 7)], 1),
    "tril": np.tril,
    "tril_1": lambda x: np.tril(x, 1),
    "triu_minus_1": lambda x: np.triu(x, -1),
    "flip_0": lambda x: x[::-1],
    "flip_all": np.flip,
    "roll_2": lambda x: np.roll(x, 2, -1),
    "roll_minus_4": lambda x: np.roll(x, -4, 0),
    "pad_1_2": lambda x: np.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 2)]),
    "pad_1_0_0_2": lambda x: np.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, 2), (1, 0)], constant_values=5),
    "split_2": lambda x: np.concatenate([x[:, 2:4], x[:, :2]], 1),
    "split_1_3": lambda x: x[..., 1:],
    "chunk_3": lambda x: x[-(-x.shape[0] // 3):2 * -(-x.shape[0] // 3)],
}
for name, f in INDEXED.items():
    case(f"{name}/matrix", f, draw(3, 4))
    case(f"{name}/rank3", f, draw(5, 4, 2) if name != "split_1_3" else draw(2, 3, 4))
    case(f"{name}/i64", f, indices(9, 3, 4))
for name in "index_columns_by_2", "index_columns_back", "flip_0", "flip_all", "roll_2", "roll_minus_4", "tril", "pad_1_2", "index_columns_first_2":
    case(f"{name}/empty", INDEXED[name], draw(0, 3))
    case(f"{name}/no_columns", INDEXED[name], draw(3, 0))
for name in "index_row_1", "index_rows_1_3", "index_columns_first_2", "flip_0", "roll_2", "pad_1_2":
    case(f"{name}/vector", INDEXED[name], draw(4))
case("index_mask/rows", lambda x, m: x[m != 0], draw(5, 3), np.array([0, 1, 1, 0, 7], np.uint8))
case("index_mask/elements", lambda x, m: x[m != 0], draw(3, 4), mask(3, 4))
case("index_mask/two_of_three", lambda x, m: x[m != 0], draw(2, 3, 2), mask(2, 3))
case("index_mask/none", lambda x, m: x[m != 0], draw(3, 2), np.zeros(3, np.uint8))
case("index_mask/all", lambda x, m: x[m != 0], draw(3, 2), np.ones((3, 2), np.uint8))
case("index_mask/empty", lambda x, m: x[m != 0], draw(0, 2), np.zeros(0, np.uint8))
case("index_mask/scalar", lambda x, m: x[m != 0], draw(), np.uint8(1))
case("index_positions/vector", lambda x, r: x[r], draw(5, 3), indices(5, 4))
case("index_positions/matrix", lambda x, r: x[r], draw(5, 3), indices(5, 2, 4))
case("index_positions/rank3", lambda x, r: x[r], draw(5), indices(5, 2, 2, 2))
case("index_positions/scalar", lambda x, r: x[r], draw(5, 3), np.int64(2))
case("index_positions/of_vector_by_scalar", lambda x, r: x[r], draw(5), np.int64(4))
case("index_positions/empty", lambda x, r: x[r], draw(5, 3), np.zeros((0, 2), np.int64))
case("take_rows/rank2_of_rows", lambda x, r: x[r], draw(4, 2, 2), indices(4, 3, 2))


def put(x, y):
    z = np.array(x)
    z[1, 0:3:2] = y
    return z


case("index_put/vector", put, draw(2, 3), draw(2))
case("index_put/scalar", put, draw(3, 4), draw())
case("index_put/rank3", put, draw(2, 3, 2), draw(2, 1))
case("index_put/i64", put, indices(9, 2, 3), indices(9, 2))
case("index_select_1/matrix", lambda x, i: np.take(x, i, 1), draw(3, 4), indices(4, 6))
case("index_select_1/rank3", lambda x, i: np.take(x, i, 1), draw(2, 3, 2), indices(3, 2, 2))
case("index_select_1/scalar", lambda x, i: np.take(x, i, 1), draw(2, 3, 2), np.int64(2))
case("index_select_1/none", lambda x, i: np.take(x, i, 1), draw(2, 3), np.zeros(0, np.int64))
case("index_select_1/no_columns", lambda x, i: x, draw(2, 0), np.zeros(0, np.int64))
case("masked_fill/matrix", lambda x, m: np.where(m, -1.5, x), draw(3, 4), mask(3, 4))
case("masked_fill/row", lambda x, m: np.where(m, -1.5, x), draw(3, 4), mask(4))


def added(x, index, source):
    y = np.array(x)
    for i, row in enumerate(index):
        for k, column in enumerate(row):
            y[i, column] = y[i, column] + source[i, k]
    return y


case("scatter_add_onto/matrix", added, draw(3, 4), indices(4, 3, 5), draw(3, 5))

# Sorting, accumulating.
rng = np.random.RandomState(10)
ordered = lambda x, axis, kind=1: np.argsort(kind * x, axis, kind="stable")
for name, f in {
    "sort": lambda x: np.sort(x, -1),
    "sort_descending_0": lambda x: -np.sort(-x, 0),
    "argsort": lambda x: ordered(x, -1),
    "argsort_descending_0": lambda x: ordered(x, 0, -1),
    "topk_2": lambda x: -np.sort(-x, -1)[..., :2],
    "topk_smallest": lambda x: np.sort(x, 0)[:2],
    "topk_indices": lambda x: ordered(x, -1, -1)[..., :2],
}.items():
    case(f"{name}/matrix", f, distinct(3, 4))
    case(f"{name}/rank3", f, distinct(2, 3, 4))
    case(f"{name}/vector", f, distinct(7))
    case(f"{name}/i64", f, indices(4, 3, 9))
case("sort/u8", lambda x: np.sort(x, -1), bytes_of(3, 9))
case("sort/empty", lambda x: x, np.zeros((0, 3)))
case("sort/no_columns", lambda x: x, np.zeros((3, 0)))
case("argmin_last/rank3", lambda x: np.argmin(x, -1), distinct(2, 3, 4))
case("argmin_last/ties", lambda x: np.argmin(x, -1), np.array([[3, 1, 1], [2, 2, 2]]))
case("argmin_last/u8", lambda x: np.argmin(x, -1), bytes_of(4, 5))
case("argmin_last/empty", lambda x: np.argmin(x, -1), np.zeros((0, 3)))
for how, axis in ("last", -1), ("axis0", 0):
    for shape_name, shape in ("vector", (5,)), ("matrix", (3, 4)), ("rank3", (2, 3, 4)), ("empty", (0, 3)):
        case(f"cumsum_{how}/{shape_name}", lambda x: np.cumsum(x, axis), draw(*shape))
    case(f"cumsum_{how}/i64", lambda x: np.cumsum(x, axis), indices(9, 3, 4))
    case(f"cumsum_{how}/u8", lambda x: np.cumsum(x, axis, dtype=np.int64), np.full((3, 4), 255, np.uint8))
for how in "all", "axis1_keep", "axes02":
    axis, keep = REDUCED[how]
    case(f"prod_{how}/rank3", lambda x: np.prod(x, axis, keepdims=keep), apart(2, 3, 2))
    case(f"prod_{how}/one_zero", lambda x: np.prod(x, axis, keepdims=keep), apart(2, 3, 2) * (np.arange(12) != 7).reshape(2, 3, 2))
    case(f"prod_{how}/empty", lambda x: np.prod(x, axis, keepdims=keep), np.zeros((0, 3, 2)))
    case(f"prod_{how}/i64", lambda x: np.prod(x, axis, keepdims=keep), indices(4, 2, 3, 2) + 1)
case("prod_all/scalar", lambda x: x, draw())
case("prod_all/vector", np.prod, apart(7))
case("prod_axis1_keep/two_zeros", lambda x: np.prod(x, 1, keepdims=True), np.array([[0.0, 0.0, 2.0, 0.5], [1.5, 0.0, 2.0, 0.0]]))
for how, axis, keep, correction in ("all", None, False, 0), ("axis1_keep", 1, True, 0), ("sample", (0, 2), False, 1):
    case(f"stddev_{how}/rank3", lambda x: np.std(x, axis, keepdims=keep, ddof=correction), draw(2, 3, 4))
case("sum_vector_of_axes/rank3", lambda x: np.sum(x, (0, 2)), draw(2, 3, 4))
case("isnan/matrix", np.isnan, draw(3, 4))
case("isnan/i64", lambda x: np.zeros(x.shape, np.uint8), indices(9, 4))
case("isfinite/matrix", np.isfinite, draw(3, 4))
case("isfinite/u8", lambda x: np.ones(x.shape, np.uint8), bytes_of(4))

if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures.json"), "w") as file:
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in cases.items())
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
