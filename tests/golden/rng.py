"""Writes rng.inc: draws of NumPy's legacy RandomState, which elk::Rng must equal bit for bit.

    python3 rng.py > rng.inc
"""
import numpy as np
from numpy.random import RandomState


def row(name, kind, values, show=str):
    print(f"const std::vector<{kind}> {name} = {{{', '.join(show(v) for v in values)}}};")


def whole(v):
    return f"{v}LL" if v != -(2**63) else "std::numeric_limits<std::int64_t>::min()"


print(f"// Made by rng.py with NumPy {np.__version__}; do not edit.\n// clang-format off")
for seed in (0, 100, 2**32 - 1):
    row(f"uniform_{seed}", "double", RandomState(seed).random_sample(8), float.hex)
    row(f"normal_{seed}", "double", RandomState(seed).standard_normal(9), float.hex)
    row(f"permutation_{seed}", "std::int64_t", RandomState(seed).permutation(40))
row("between", "double", RandomState(100).uniform(-0.3, 1.7, 8), float.hex)

for name, low, high in (
    ("small", -3, 7),
    ("power", 0, 16),
    ("one", 5, 6),
    ("words", -5, 2**32 - 5),
    ("beyond_words", 0, 2**32 + 1),
    ("wide", -(2**40), 2**41 + 3),
    ("whole", -(2**63), 2**63 - 1),
):
    row(f"integers_{name}", "std::int64_t", RandomState(100).randint(low, high, 12, dtype=np.int64), whole)

for name, key in (("one", [100]), ("two", [100, 7]), ("three", [2**32 - 1, 0, 1])):
    row(f"key_{name}", "double", RandomState(key).random_sample(4), float.hex)

# Every kind of draw in turn from one stream, among them an odd number of normals.
stream = RandomState(42)
mixed = [*stream.standard_normal(3), *stream.random_sample(2), *stream.randint(0, 1000, 3), stream.randint(5, 6), *stream.permutation(5),
         *stream.standard_normal(2), stream.randint(0, 2**40), stream.random_sample()]
row("mixed", "double", [float(v) for v in mixed], float.hex)

# The stream of the study: the weights of [784, 64, 10], then the first epoch's order.
stream = RandomState(100)
stream.standard_normal(784 * 64 + 64 * 10)
row("epoch", "std::int64_t", stream.permutation(60000)[:8])

# The 1,000,000th word of the stream.
stream = RandomState(100)
print(f"const std::uint32_t word_1000000 = {stream.randint(0, 2**32, 1000000, dtype=np.uint32)[-1]}u;")
print("// clang-format on")
