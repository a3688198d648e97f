"""A network of PyTorch's, to compare with elkgrad's of the same modules.

    python3 torch_weights.py write        makes torch_weights.safetensors beside this script
    python3 torch_weights.py check FILE   whether PyTorch computes from the weights in FILE what FILE says

A file holds the state of the network as "net.0.weight", ..., an input "x" (5, 6) and the network's output "y" (5, 4);
the one that is written also labels "labels" (5) and the gradients of the cross-entropy as "grad.0.weight", ... The
format is https://github.com/huggingface/safetensors#format, for whose package these few lines stand in.
"""
import json
import pathlib
import struct
import sys

import torch
from torch import nn

DTYPES = {"F32": torch.float32, "I64": torch.int64}


def network():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.LayerNorm(7), nn.GELU(), nn.Linear(7, 4))


def save(path, tensors):
    header, data = {}, b""
    for name, x in tensors.items():
        raw = x.detach().contiguous().numpy().tobytes()
        dtype = next(text for text, dtype in DTYPES.items() if dtype == x.dtype)
        header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        x = torch.frombuffer(bytearray(data[begin:end]), dtype=DTYPES[entry["dtype"]])
        tensors[name] = x.reshape(entry["shape"])
    return tensors


def under(prefix, tensors):
    return {name[len(prefix) :]: x for name, x in tensors.items() if name.startswith(prefix)}


def write(path):
    torch.manual_seed(100)
    net, x, labels = network(), torch.randn(5, 6), torch.tensor([0, 3, 1, 2, 3])
    with torch.no_grad():  # a new LayerNorm has ones and zeros, which hide mistakes
        net[3].weight.uniform_(0.5, 1.5)
        net[3].bias.uniform_(-0.5, 0.5)
    y = net(x)
    nn.functional.cross_entropy(y, labels).backward()
    tensors = {"net." + name: value for name, value in net.state_dict().items()}
    tensors |= {"grad." + name: parameter.grad for name, parameter in net.named_parameters()}
    save(path, tensors | {"x": x, "labels": labels, "y": y})


def check(path):
    tensors, net = load(path), network()
    net.load_state_dict(under("net.", tensors), strict=True)
    torch.testing.assert_close(net(tensors["x"]), tensors["y"], rtol=1e-6, atol=1e-6)


if sys.argv[1:] == ["write"]:
    write(pathlib.Path(__file__).with_name("torch_weights.safetensors"))
elif sys.argv[1:2] == ["check"] and len(sys.argv) == 3:
    check(sys.argv[2])
else:
    sys.exit(__doc__)
