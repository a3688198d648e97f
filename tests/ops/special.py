#!/usr/bin/python3
"""Writes special.json: every operation at special values, with its first and second derivatives.

Special: zeros and infinities of both signs, NaN, the largest number, the smallest normal and the smallest subnormal one,
ties, and where functions begin to overflow, underflow or round to a constant; in f32 and in f64. Functions of one or two
numbers are textbook formulas in 60 digits (mpmath), rounded once. Zeros and infinities are limits: 10^-1000 and 10^1000 stand
for them, except where a formula asks for the number itself, as those of functions with kinks do. Arithmetic of two
numbers is that of NumPy's long double. Functions of whole tensors, and their derivatives, are PyTorch's.
special_test.cpp has a row for each operation, and lists where elk differs on purpose.

    ./special.py         # rewrites special.json beside it; needs python3-mpmath, python3-numpy and python3-torch
"""
import json
import os

import mpmath as mp
import numpy as np
import torch

mp.mp.dps = 60
torch.set_num_threads(1)
inf, nan = float("inf"), float("nan")
DTYPES = {"f32": np.float32, "f64": np.float64}
HUGE, TINY = mp.mpf(10) ** 1000, mp.mpf(10) ** -1000


def rounded(value, dtype):
    """An mpf as the nearest number of the dtype."""
    if mp.isnan(value):
        return nan
    if mp.isinf(value):
        return inf if value > 0 else -inf
    info = np.finfo(DTYPES[dtype])
    exponent = mp.mp.mpf(0) if value == 0 else mp.floor(mp.log(abs(value), 2))
    unit = mp.mpf(2) ** (max(int(exponent), int(info.minexp)) - info.nmant)
    steps = mp.nint(value / unit)  # to even, as IEEE
    result = steps * unit
    return float(result) if abs(result) <= mp.mpf(float(info.max)) else (inf if value > 0 else -inf)


def encoded(x):
    if x is None:
        return "none"
    x = float(x)
    return x if np.isfinite(x) else "nan" if np.isnan(x) else "inf" if x > 0 else "-inf"


def specials(dtype, short=False):
    info = np.finfo(DTYPES[dtype])
    smallest = info.smallest_subnormal
    sizes = [0.0, inf, info.max, info.smallest_normal, smallest, 1, 2.5, 0.5]
    if not short:
        sizes += [0.7, info.eps / 2, 1e-4, 0.01, 3, 6.04, 8.7, 9.5, 10, 13, 14, 16, 20, 25, 37, 38.2, 44, 60, 87.4, 88, 90, 100,
                  103.5, 105, 350, 700, 709.9, 740, 746, 1e6, 1e18, info.max / 2]
    return [nan] + [float(DTYPES[dtype](s * x)) for x in sizes for s in (1, -1)]


# Functions of one number: value, first and second derivative.
def step(x):
    return mp.mpf(1) if x > 0 else mp.mpf(0)


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def density(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def erf(x):
    return mp.erf(x) if abs(x) < 1e6 else mp.sign(x)


def below(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2 if abs(x) < 1e6 else step(x)


def log(x):
    """10^1000 is not yet large for a logarithm."""
    return mp.ninf if abs(x) <= TINY else mp.nan if x < 0 else mp.inf if x >= HUGE else mp.log(x)


def log1p(x):
    return mp.ninf if x == -1 else mp.nan if x < -1 else mp.inf if x >= HUGE else mp.log1p(x)


def inverse(x, power=1):
    return mp.inf if x == 0 else 1 / x**power


def root(x):
    """IEEE's root of -0 is -0, and that of anything else below 0 is NaN."""
    return mp.sqrt(abs(x)) if x >= -TINY else mp.nan


def trigonometric(f):
    return lambda x: mp.nan if abs(x) == HUGE else f(x)


def huber(delta):
    return (lambda x: x * x / 2 if abs(x) <= delta else delta * (abs(x) - delta / 2),
            lambda x: x if abs(x) <= delta else delta * mp.sign(x),
            lambda x: mp.mpf(1 if abs(x) <= delta else 0))


def leaky(slope):
    return lambda x: x if x > 0 else slope * x, lambda x: 1 if x > 0 else slope, lambda x: mp.mpf(0)


def exponential(alpha, scale):
    """elu's, whose second derivative at 0 is that from below."""
    return (lambda x: scale * (x if x > 0 else alpha * mp.expm1(x)), lambda x: scale * (1 if x > 0 else alpha * mp.exp(x)),
            lambda x: scale * (mp.mpf(0) if x > 0 else alpha * mp.exp(x)))


zero = lambda x: mp.mpf(0)
one = lambda x: mp.mpf(1)
# A row with kinks takes 0 and infinity as they are, and says what it gives of NaN: a gradient that meets NaN goes on.
KINKED = (nan, 1.0, 0.0)
ONE = {
    "neg": (lambda x: -x, lambda x: mp.mpf(-1), zero),
    "square": (lambda x: x * x, lambda x: 2 * x, lambda x: mp.mpf(2)),
    "sqrt": (root, lambda x: 1 / (2 * root(x)), lambda x: -1 / (4 * root(x) ** 3)),
    "exp": (mp.exp, mp.exp, mp.exp),
    "log": (log, lambda x: 1 / x, lambda x: -1 / x**2),
    "log1p": (log1p, lambda x: inverse(1 + x), lambda x: -inverse(1 + x, 2)),
    "expm1": (mp.expm1, mp.exp, mp.exp),
    "sin": tuple(map(trigonometric, (mp.sin, mp.cos, lambda x: -mp.sin(x)))),
    "cos": tuple(map(trigonometric, (mp.cos, lambda x: -mp.sin(x), lambda x: -mp.cos(x)))),
    "erf": (erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x), lambda x: -4 * x / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * sigmoid(-x), lambda x: -sigmoid(x) * sigmoid(-x) * mp.tanh(x / 2)),
    "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2, lambda x: -2 * mp.tanh(x) * mp.sech(x) ** 2),
    "softplus": (lambda x: x + mp.log1p(mp.exp(-x)) if x > 0 else mp.log1p(mp.exp(x)), sigmoid,
                 lambda x: sigmoid(x) * sigmoid(-x)),
    "gelu": (lambda x: x * below(x), lambda x: below(x) + x * density(x), lambda x: (2 - x * x) * density(x)),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),
             lambda x: sigmoid(x) * sigmoid(-x) * (2 - x * mp.tanh(x / 2))),
    "log_sigmoid": (lambda x: -softplus(-x), lambda x: sigmoid(-x), lambda x: -sigmoid(x) * sigmoid(-x)),
    "pow_number_2": (lambda x: x**2, lambda x: 2 * x, lambda x: mp.mpf(2)),
    "pow_number_3": (lambda x: x**3, lambda x: 3 * x**2, lambda x: 6 * x),
    "pow_number_half": (root, lambda x: 1 / (2 * root(x)), lambda x: -1 / (4 * root(x) ** 3)),
    "pow_number_minus_1": (lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3),
    "pow_number_0": (one, zero, zero),
    "pow_number_1": (lambda x: x, one, zero),
    "add_number": (lambda x: x + 1.5, one, zero),
    "number_sub": (lambda x: 1.5 - x, lambda x: mp.mpf(-1), zero),
    "mul_number": (lambda x: x * 1.5, lambda x: mp.mpf(1.5), zero),
    "div_number": (lambda x: x / 1.5, lambda x: 1 / mp.mpf(1.5), zero),
    "number_div": (lambda x: 1.5 / x, lambda x: -1.5 / x**2, lambda x: 3 / x**3),
    # At a kink PyTorch's subgradient.
    "abs": (abs, mp.sign, zero, (nan, nan, 0.0)),
    "sign": (mp.sign, zero, zero, (nan, 0.0, 0.0)),
    "relu": (lambda x: x * step(x) if x > 0 else mp.mpf(0), step, zero, KINKED),
    "leaky_relu": (*leaky(mp.mpf("0.01")), KINKED),
    "leaky_relu_slope": (*leaky(mp.mpf("0.25")), KINKED),
    "clamp": (lambda x: min(max(x, mp.mpf(-0.5)), mp.mpf(2.5)), lambda x: mp.mpf(1 if -0.5 <= x <= 2.5 else 0), zero, KINKED),
    "clamp_below": (lambda x: max(x, mp.mpf(-1)), lambda x: mp.mpf(1 if x >= -1 else 0), zero, KINKED),
    "maximum_number": (lambda x: max(x, mp.mpf(0.5)), lambda x: mp.mpf(1 if x > 0.5 else 0.5 if x == 0.5 else 0), zero, KINKED),
    "minimum_number": (lambda x: min(x, mp.mpf(0.5)), lambda x: mp.mpf(1 if x < 0.5 else 0.5 if x == 0.5 else 0), zero, KINKED),
    "huber": (*huber(mp.mpf(1)), (nan, nan, 1.0)),
    "huber_half": (*huber(mp.mpf(0.5)), (nan, nan, 1.0)),
    "huber_infinite": (*huber(mp.inf), (nan, nan, 1.0)),
    "mse": (lambda x: x * x, lambda x: 2 * x, lambda x: mp.mpf(2)),
    "elu": (*exponential(mp.mpf(1), mp.mpf(1)), (nan, nan, nan)),
    "elu_half": (*exponential(mp.mpf(0.5), mp.mpf(1)), (nan, nan, nan)),
    "selu": (*exponential(mp.mpf("1.6732632423543772848170429916717"), mp.mpf("1.0507009873554804934193349852946")), (nan, nan, nan)),
    "softsign": (lambda x: mp.sign(x) if mp.isinf(x) else x / (1 + abs(x)), lambda x: (1 + abs(x)) ** -2,
                 lambda x: -2 * mp.sign(x) * (1 + abs(x)) ** -3, (nan, nan, nan)),
    "hardtanh": (lambda x: min(max(x, mp.mpf(-1)), mp.mpf(1)), lambda x: mp.mpf(1 if -1 < x < 1 else 0), zero, KINKED),
    "l1": (abs, mp.sign, zero, (nan, nan, 0.0)),
    "smooth_l1": (lambda x: huber(mp.mpf(0.5))[0](x) * 2, lambda x: huber(mp.mpf(0.5))[1](x) * 2,
                  lambda x: huber(mp.mpf(0.5))[2](x) * 2, (nan, nan, 2.0)),
    "hinge": (lambda x: max(1 - x, mp.mpf(0)), lambda x: mp.mpf(-1 if x <= 1 else 0), zero, (nan, -1.0, 0.0)),
}


def exactly(x, kinked):
    """A special value as an mpf."""
    if np.isnan(x):
        return mp.nan
    sign = -1 if np.signbit(x) else 1
    if np.isinf(x):
        return sign * (mp.inf if kinked else HUGE)
    return mp.mpf(x) if x != 0 else mp.mpf(0) if kinked else sign * TINY


def apply(f, x, dtype, at_nan):
    """f of an mpf, rounded. Of NaN comes NaN, but for constants."""
    if not mp.isnan(x):
        return encoded(rounded(mp.mpf(f(x)), dtype))
    if at_nan is not None:
        return encoded(at_nan)
    constant = len({f(mp.mpf(v)) for v in (0.3, 1.7, 2.9)}) == 1
    return encoded(rounded(mp.mpf(f(mp.mpf(1))), dtype) if constant else nan)


def of_one(name, row, dtype):
    *functions, kinked = row if len(row) == 4 else (*row, (None, None, None))
    xs = specials(dtype)
    if name == "log1p":
        xs.append(float(np.nextafter(DTYPES[dtype](-1), DTYPES[dtype](0))))
    arguments = [exactly(x, len(row) == 4) for x in xs]
    return {"x": [encoded(x) for x in xs], **{key: [apply(f, a, dtype, at_nan) for a in arguments]
                                              for key, f, at_nan in zip(("y", "d", "dd"), functions, kinked)}}


# Functions of two numbers: value, and derivatives a, b, aa, ab, bb.
def bce(z, t):
    """Of a target of exactly 0 or 1 only one of the two terms counts."""
    up, down = softplus(z), softplus(-z)
    return (0 if t == 0 else t * down) + (0 if t == 1 else (1 - t) * up)


softplus = ONE["softplus"][0]


def power(a, b):
    """At 0 and infinity the limits; of the second derivatives some have none, where two terms are infinite: None."""
    def term(e, k):  # a^e log(a)^k
        if TINY < a < HUGE:
            return a**e * mp.log(a) ** k
        growing = e if a >= HUGE else -e
        sign = (-1) ** k if a <= TINY else 1
        return mp.mpf(0) if growing < 0 else mp.mpf(1) if e == k == 0 else sign * mp.inf

    times = lambda c, v: mp.mpf(0) if c == 0 else c * v
    end = not TINY < a < HUGE
    return {"y": term(b, 0), "a": times(b, term(b - 1, 0)), "b": term(b, 1),
            "aa": None if end else times(b * (b - 1), term(b - 2, 0)),
            "ab": None if end else term(b - 1, 0) + times(b, term(b - 1, 1)), "bb": None if end else term(b, 2)}


KEYS = ("y", "a", "b", "aa", "ab", "bb")
L = np.longdouble
ARITHMETIC = {
    "add": (lambda a, b: a + b, lambda a, b: L(1), lambda a, b: L(1), lambda a, b: L(0), lambda a, b: L(0), lambda a, b: L(0)),
    "sub": (lambda a, b: a - b, lambda a, b: L(1), lambda a, b: L(-1), lambda a, b: L(0), lambda a, b: L(0), lambda a, b: L(0)),
    "mul": (lambda a, b: a * b, lambda a, b: b, lambda a, b: a, lambda a, b: L(0), lambda a, b: L(1), lambda a, b: L(0)),
    "div": (lambda a, b: a / b, lambda a, b: 1 / b, lambda a, b: -a / b / b, lambda a, b: L(0), lambda a, b: -1 / b / b,
            lambda a, b: 2 * (a / b) / b / b),
    "maximum": (np.maximum, lambda a, b: L(0.5 if a == b else 0 if a < b else 1), lambda a, b: L(0.5 if a == b else 0 if b < a else 1),
                lambda a, b: L(0), lambda a, b: L(0), lambda a, b: L(0)),
    "minimum": (np.minimum, lambda a, b: L(0.5 if a == b else 0 if a > b else 1), lambda a, b: L(0.5 if a == b else 0 if b > a else 1),
                lambda a, b: L(0), lambda a, b: L(0), lambda a, b: L(0)),
    "equal": (lambda a, b: L(a == b),), "not_equal": (lambda a, b: L(a != b),), "less": (lambda a, b: L(a < b),),
    "less_equal": (lambda a, b: L(a <= b),), "greater": (lambda a, b: L(a > b),), "greater_equal": (lambda a, b: L(a >= b),),
}


def of_two(dtype, pairs, results):
    table = {"a": [encoded(a) for a, _ in pairs], "b": [encoded(b) for _, b in pairs]}
    for key in results[0]:
        table["of_" + key] = [encoded(r[key]) for r in results]
    return table


def arithmetic(row, dtype):
    pairs = [(a, b) for a in specials(dtype, True) for b in specials(dtype, True)]
    with np.errstate(all="ignore"):
        results = [{key: DTYPES[dtype](f(L(a), L(b))) for key, f in zip(KEYS, row)} for a, b in pairs]
    return of_two(dtype, pairs, results)


def powers(dtype):
    bases = [x for x in specials(dtype, True) if not np.isnan(x) and x > 0 or x == 0 and not np.signbit(x)]
    exponents = [x for x in specials(dtype, True) if np.isfinite(x) and abs(x) < 1e30 and (x == 0 or abs(x) > 1e-30)]
    pairs = [(a, b) for a in bases for b in exponents if not (b == 0 and np.signbit(b))]
    results = []
    for a, b in pairs:
        exact = {key: None if v is None else rounded(v, dtype) for key, v in power(exactly(a, False), mp.mpf(b)).items()}
        if a == 0 and b >= 0:  # 0 to the power of b stays 0, or 1, with b: PyTorch's subgradient
            exact["b"] = 0.0
        results.append(exact)
    return of_two(dtype, pairs, results)


def binary_cross_entropies(dtype):
    pairs = [(z, t) for z in specials(dtype) for t in (0.0, 1.0, 0.25)]
    results = []
    for z, t in pairs:
        u = exactly(z, False)
        if mp.isnan(u):
            results.append(dict.fromkeys(KEYS, nan) | {"bb": 0.0})
            continue
        exact = (bce(u, t), (1 - t) * sigmoid(u) - t * sigmoid(-u), -u, sigmoid(u) * sigmoid(-u), mp.mpf(-1), mp.mpf(0))
        results.append({key: rounded(mp.mpf(v), dtype) for key, v in zip(KEYS, exact)})
    return of_two(dtype, pairs, results)


# Functions of whole tensors, by PyTorch: y, dx of the sum of w y, and the derivative of the sum of u dx.
def rows(dtype):
    """Rows of three in which something is special."""
    info = np.finfo(DTYPES[dtype])
    big, tiny = float(info.max), float(info.smallest_normal)
    return [[nan, 1, -2], [inf, 1, -2], [-inf, 1, -2], [inf, inf, 0], [-inf, -inf, 0], [inf, -inf, 0], [-inf] * 3, [inf] * 3,
            [big, 1, -2], [-big, 1, -2], [big, big, 1], [big, -big, 0], [tiny, 0, -tiny], [3, 3, 1], [3, 3, 3], [0.0, -0.0, 0.0],
            [100, 0, 0], [-100, 0, 1], [800, 0, -800], [30, 0, 0.5], [1, nan, inf]]


def functional(name):
    return getattr(torch.nn.functional, name)


WHOLE = {  # name: function of torch tensors, and further inputs beside the rows
    "sum": (lambda x: x.sum(), []),
    "sum_last": (lambda x: x.sum(-1), []),
    "mean": (lambda x: x.mean(), []),
    "max": (lambda x: x.amax(-1), []),
    "min": (lambda x: x.amin(-1), []),
    "var": (lambda x: ((x - x.mean(-1, keepdim=True)) ** 2).mean(-1), []),
    "logsumexp": (lambda x: torch.logsumexp(x, -1), []),
    "softmax": (lambda x: torch.softmax(x, -1), []),
    "log_softmax": (lambda x: torch.log_softmax(x, -1), []),
    "cross_entropy_0": (lambda x: functional("cross_entropy")(x, torch.tensor([0])), []),
    "cross_entropy_1": (lambda x: functional("cross_entropy")(x, torch.tensor([1])), []),
    "smooth_cross_entropy": (lambda x: functional("cross_entropy")(x, torch.tensor([1]), label_smoothing=0.25), []),
    "nll": (lambda x: functional("nll_loss")(x, torch.tensor([1])), []),
    "soft_cross_entropy": (lambda x, t: functional("cross_entropy")(x, t), [[[0.0, 0.25, 0.75]]]),
    "layer_norm": (lambda x, w, b: functional("layer_norm")(x, (3,), w, b), [[1.0, 2.0, 0.5], [0.5, 0.0, 1.0]]),
    "matmul": (lambda x, w: x @ w, [[[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]]]),
    "matmul_nt": (lambda x, w: x @ w.T, [[[1.0, 0.5, 0.0], [2.0, -1.0, 1.0]]]),
    "matmul_tn": (lambda x, w: x.T @ w, [[[1.0, 2.0]]]),
    "linear": (lambda x, w, b: functional("linear")(x, w, b), [[[1.0, 0.5, 0.0], [2.0, -1.0, 1.0]], [1.0, 2.0]]),
    "transpose": (lambda x: x.T, []),
    "reshape": (lambda x: x.reshape(3), []),
    "permute": (lambda x: x.permute(1, 0), []),
    "squeeze": (lambda x: x.squeeze(0), []),
    "expand": (lambda x: x.unsqueeze(1), []),
    "slice": (lambda x: x[:, 1:], []),
    "concat": (lambda x: torch.cat([x, x[:, :1]], 1), []),
    "stack": (lambda x: torch.stack([x, x]), []),
    "gather": (lambda x: x.gather(1, torch.tensor([[1, 0, 0]])), []),
    "scatter_add": (lambda x: torch.zeros(1, 2, dtype=x.dtype).scatter_add(1, torch.tensor([[1, 0, 0]]), x), []),
    "take_rows": (lambda x: x[torch.tensor([0, 0])], []),
    "scatter_add_rows": (lambda x: torch.zeros(2, 3, dtype=x.dtype).index_add(0, torch.tensor([1]), x), []),
    "broadcast_to": (lambda x: x.expand(2, 3), []),
    "sum_to": (lambda x: x.sum(-1, keepdim=True), []),
    "where": (lambda x: torch.where(torch.tensor([[True, False, True]]), x, torch.zeros((), dtype=x.dtype)), []),
    "cast_f32": (lambda x: x.to(torch.float32), []),
    "detach_mul": (lambda x: x * x.detach(), []),
    "cross_entropy_options": (lambda x: functional("cross_entropy")(
        x, torch.tensor([2]), weight=torch.tensor([0.5, 2, 1.25], dtype=x.dtype), label_smoothing=0.25, ignore_index=-100), []),
    "cross_entropy_ignored": (lambda x: functional("cross_entropy")(
        torch.cat([x, x / 2]), torch.tensor([2, -100]), reduction="sum"), []),
    "kl_div": (lambda x: functional("kl_div")(x, torch.tensor([[0.25, 0.0, 0.75]], dtype=x.dtype), reduction="none"), []),
    "gaussian_nll": (lambda x, t, v: functional("gaussian_nll_loss")(x, t, v, reduction="none"), [[[0.5, 1.0, -2.0]], [[1.0, 0.5, 2.0]]]),
    "triplet_margin": (lambda x, p, n: functional("triplet_margin_loss")(x, p, n), [[[0.5, 1.0, -2.0]], [[1.0, 0.5, 2.0]]]),
    "cosine_similarity": (lambda x, y: functional("cosine_similarity")(x, y), [[[0.5, 1.0, -2.0]]]),
    "bmm": (lambda x, w: torch.bmm(x[None], w[None]), [[[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]]]),
    "outer": (lambda x, w: torch.outer(x[0], w), [[1.0, 2.0]]),
    "einsum": (lambda x, w: torch.einsum("ij,jk->k", x, w), [[[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]]]),
    "cdist": (lambda x, y: (x[:, None] - y[None]).square().sum(-1).sqrt(), [[[0.5, 1.0, -2.0], [1.0, 0.5, 2.0]]]),
    "clip_by_norm": (lambda x: torch.where(x.square().sum() > 4, x * (2 / x.square().sum().clamp(min=4).sqrt()), x), []),
    "index": (lambda x: x[0, :2], []),
    "index_put": (lambda x: x.index_put((torch.tensor([0]), torch.tensor([1])), torch.full((), 0.5, dtype=x.dtype)), []),
    "index_select": (lambda x: x.index_select(1, torch.tensor([1, 1, 0])), []),
    "masked": (lambda x: x[torch.tensor([[True, False, True]])], []),
    "masked_fill": (lambda x: x.masked_fill(torch.tensor([[True, False, True]]), -1), []),
    "tril": (lambda x: x.tril(), []),
    "triu": (lambda x: x.triu(), []),
    "split": (lambda x: x.split([1, 2], 1)[1], []),
    "chunk": (lambda x: x.chunk(2, 1)[0], []),
    "flip": (lambda x: x.flip(1), []),
    "roll": (lambda x: x.roll(1, 1), []),
    "pad": (lambda x: functional("pad")(x, (1, 0)), []),
    "sort": (lambda x: x.sort(dim=-1, stable=True)[0], []),
    "topk": (lambda x: x.sort(dim=-1, descending=True, stable=True)[0][:, :2], []),
    "cumsum": (lambda x: x.cumsum(1), []),
    "prod": (lambda x: x[:, 0] * x[:, 1] * x[:, 2], []),
    "stddev": (lambda x: x.std(1, unbiased=False), []),
    "conv1d": (lambda x, w: functional("conv1d")(x[None], w), [[[[1.0, -0.5]]]]),
    "conv2d": (lambda x, w, b: functional("conv2d")(x[None, None], w, b, padding=(0, 1)), [[[[[1.0, -0.5]]]], [0.25]]),
    "conv_transpose2d": (lambda x, w: functional("conv_transpose2d")(x[None, None], w), [[[[[1.0, -0.5]]]]]),
    "max_pool1d": (lambda x: functional("max_pool1d")(x[None], 2, stride=1), []),
    "max_pool2d": (lambda x: functional("max_pool2d")(x[None, None], (1, 2), stride=1), []),
    "avg_pool1d": (lambda x: functional("avg_pool1d")(x[None], 2, stride=1), []),
    "avg_pool2d": (lambda x: functional("avg_pool2d")(x[None, None], (1, 3), stride=1, padding=(0, 1)), []),
    "adaptive_avg_pool1d": (lambda x: functional("adaptive_avg_pool1d")(x[None], 2), []),
    "adaptive_avg_pool2d": (lambda x: functional("adaptive_avg_pool2d")(x[None, None], (1, 2)), []),
    "interpolate": (lambda x: functional("interpolate")(x[None, None], (1, 5)), []),
    "interpolate_bilinear": (lambda x: functional("interpolate")(x[None, None], (1, 6), mode="bilinear"), []),
    "interpolate_align_corners": (lambda x: functional("interpolate")(
        x[None, None], (1, 5), mode="bilinear", align_corners=True), []),
    "channel_mean": (lambda x: x.T.mean(0), []),
    "channel_variance": (lambda x: ((x.T - x.T.mean(0)) ** 2).mean(0), []),
    "batch_norm": (lambda x, w, b: functional("batch_norm")(x.T, None, None, w, b, training=True), [[2.0], [0.5]]),
    "group_norm": (lambda x, w, b: functional("group_norm")(x, 1, w, b), [[1.0, 2.0, 0.5], [0.5, 0.0, 1.0]]),
    "rms_norm": (lambda x, w: x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * w, [[1.0, 2.0, 0.5]]),
    "attention": (lambda x, k, v: torch.softmax(x.T @ k.T, -1) @ v, [[[1.0], [-0.5]], [[2.0], [0.5]]]),
}


def weights(n, dtype, signs):
    return torch.tensor([(i + 1) * (-1) ** (i * signs) / 2 for i in range(n)], dtype=dtype)


# Of these elk sums in f64, whatever the numbers are; so does the reference, and rounds in the end.
WIDE = {"avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "batch_norm", "group_norm", "layer_norm", "rms_norm"}


def of_tensors(name, f, others, dtype):
    narrow = {"f32": torch.float32, "f64": torch.float64}[dtype]
    kind = torch.float64 if name in WIDE else narrow
    cases = []
    for row in rows(dtype):
        inputs = [torch.tensor(x, dtype=kind, requires_grad=True) for x in [[row], *others]]
        y = f(*inputs)
        w = weights(y.numel(), y.dtype, 0).reshape(y.shape)
        first = torch.autograd.grad((w * y).sum(), inputs, create_graph=True, allow_unused=True)
        first = [torch.zeros_like(x) if d is None else d for d, x in zip(first, inputs)]
        total = sum((weights(d.numel(), kind, 1).reshape(d.shape) * d).sum() for d in first) + 0 * sum(x.sum() for x in inputs)
        second = torch.autograd.grad(total, inputs, allow_unused=True)
        second = [torch.zeros_like(x) if d is None else d for d, x in zip(second, inputs)]
        listed = lambda x: [encoded(v) for v in (x.detach().to(narrow) if name in WIDE else x.detach()).to(torch.float64).ravel().tolist()]
        cases.append({"inputs": [{"shape": list(x.shape), "values": listed(x)} for x in inputs], "y": listed(y),
                      "d": [listed(d) for d in first], "dd": [listed(d) for d in second]})
    return cases


table = {"one": {}, "two": {}, "whole": {}}
for dtype in DTYPES:
    for name, row in ONE.items():
        table["one"][f"{name}/{dtype}"] = of_one(name, row, dtype)
    for name, row in ARITHMETIC.items():
        table["two"][f"{name}/{dtype}"] = arithmetic(row, dtype)
    table["two"][f"pow/{dtype}"] = powers(dtype)
    table["two"][f"binary_cross_entropy/{dtype}"] = binary_cross_entropies(dtype)
    for name, (f, others) in WHOLE.items():
        table["whole"][f"{name}/{dtype}"] = of_tensors(name, f, others, dtype)

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "special.json")
with open(path, "w") as file:
    file.write("{" + ",\n".join(
        f'"{kind}": {{' + ",\n".join(json.dumps(name) + ": " + json.dumps(value, separators=(",", ":"))
                                     for name, value in group.items()) + "}" for kind, group in table.items()) + "}\n")
