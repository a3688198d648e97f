#!/usr/bin/python3
"""Writes torch_init.json: what PyTorch's initial weights are where no more than their place is random.

Of eye_ and dirac_ the values; of sparse_, which draws, how many zeros each column has. initializers_test.cpp compares ours.

    ./torch_init.py        # rewrites torch_init.json beside it; needs python3-torch
"""
import json
import pathlib

import torch
from torch.nn import init

torch.manual_seed(100)
cases = []
for shape in ((3, 3), (2, 4), (4, 2), (1, 5)):
    cases.append({"name": "eye_", "shape": shape, "values": init.eye_(torch.full(shape, 7.0)).ravel().tolist()})
for shape, groups in (((3, 3, 3), 1), ((2, 4, 4), 1), ((4, 2, 1), 1), ((6, 2, 3), 3), ((4, 3, 2, 5), 1), ((4, 3, 3, 3), 2), ((3, 2, 2, 3, 4), 1),
                      ((4, 1, 3, 1, 2), 4)):
    cases.append({"name": "dirac_", "shape": shape, "groups": groups, "values": init.dirac_(torch.full(shape, 7.0), groups).ravel().tolist()})
for shape, sparsity in (((10, 3), 0.25), ((7, 4), 0.5), ((30, 2), 0.1), ((3, 2), 0.1), ((10, 2), 0.7), ((4, 5), 0.0), ((4, 5), 1.0)):
    zeros = (init.sparse_(torch.full(shape, 7.0), sparsity) == 0).sum(0)
    cases.append({"name": "sparse_", "shape": shape, "sparsity": sparsity, "zeros": zeros.tolist()})

pathlib.Path(__file__).with_suffix(".json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")
