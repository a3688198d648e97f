# The built-in digits for the twins, in [0, 1]; the file digits.safetensors is written by
#   cmake --build build/release --target export_digits && build/release/tests/export_digits digits.safetensors
import json

import numpy as np
import torch

with open("digits.safetensors", "rb") as file:
    header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    data = file.read()


def images(part, count):
    begin, end = header[part + ".images"]["data_offsets"]
    return torch.tensor(np.frombuffer(data[begin:end], np.uint8).reshape(-1, 784)[:count] / np.float32(255))
