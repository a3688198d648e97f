"""The safetensors fixtures of tests/io, written from the format's description with NumPy alone.

    python3 safetensors_files.py write       makes reference.safetensors and foreign.safetensors beside this script
    python3 safetensors_files.py read FILE   prints what FILE holds

reference.safetensors is byte for byte what elkgrad writes for the same tensors. foreign.safetensors uses what the format
allows and elkgrad does not: spaces and line breaks in the header, fields in another order, data in another order than
the names, no padding, `__metadata__` at the end.
"""
import json
import pathlib
import struct
import sys

import numpy as np

FOLDER = pathlib.Path(__file__).parent
NAMES = {"<f4": "F32", "<f8": "F64", "<i8": "I64", "|u1": "U8"}
DTYPES = {name: dtype for dtype, name in NAMES.items()}


def tensors():
    return {
        "fc1.weight": np.array([[0.5, -1.25, 3e-8], [np.inf, -0.0, 1.1]], "<f4"),
        "fc1.bias": np.array([0.1, -1e300], "<f8"),
        "step": np.array(-(2**63), "<i8"),
        "empty": np.zeros((2, 0, 3), "<f4"),
        "pixels": np.array([0, 1, 255], "u1"),
        'Gewicht "é"\n∞': np.array([9007199254740993], "<i8"),
    }


def write(path, header, data):
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def write_reference():
    header, data = {"__metadata__": {"format": "elkgrad/1", "note": "\tünï\\"}}, b""
    for name, x in tensors().items():
        end = len(data) + x.nbytes
        header[name] = {"dtype": NAMES[x.dtype.str], "shape": list(x.shape), "data_offsets": [len(data), end]}
        data += x.tobytes()
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    write(FOLDER / "reference.safetensors", text + b" " * (-len(text) % 8), data)


def write_foreign():
    header = {
        "last": {"shape": [2], "data_offsets": [5, 21], "dtype": "F64"},
        "first": {"data_offsets": [0, 1], "dtype": "U8", "shape": []},
        "middle": {"dtype": "F32", "data_offsets": [1, 5], "shape": [1, 1]},
        "none": {"dtype": "I64", "data_offsets": [1, 1], "shape": [0]},
        "__metadata__": {"tool": "numpy \u00e9"},
    }
    data = np.array(7, "u1").tobytes() + np.array(2.5, "<f4").tobytes() + np.array([1.5, -4], "<f8").tobytes()
    write(FOLDER / "foreign.safetensors", json.dumps(header, indent=1).encode(), data)


def read(path):
    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    print("metadata", json.dumps(header.pop("__metadata__", {})))
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        x = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        print(json.dumps(name), entry["dtype"], x.shape, [v.item() for v in x.ravel()])


if sys.argv[1:] == ["write"]:
    write_reference()
    write_foreign()
elif sys.argv[1:2] == ["read"] and len(sys.argv) == 3:
    read(sys.argv[2])
else:
    sys.exit(__doc__)
