#!/usr/bin/env python3
"""Writes the inputs that the fuzz targets begin with, beside those in tests/golden/."""
import gzip
import io
import json
import pathlib
import struct
import zipfile

corpus = pathlib.Path(__file__).parent / "corpus"


def write(name, content):
    path = corpus / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def packed(content):
    return gzip.compress(content, mtime=0)


def idx(*numbers, payload):
    return struct.pack(f">{len(numbers)}I", *numbers) + bytes(payload)


images = idx(2051, 2, 1, 3, payload=[1, 2, 3, 250, 251, 255])
labels = idx(2049, 3, payload=[9, 0, 4])
write("idx/images", images)
write("idx/images.gz", packed(images))
write("idx/labels", labels)
write("idx/labels.gz", packed(labels[:9]) + packed(labels[9:]))

record = bytes([7]) + bytes(3072)
write("cifar/record.bin", record)
write("cifar/record.bin.gz", packed(record))
write("cifar/short.bin", record[:1500])


def npy(descr, shape, elements, fortran=False, version=1):
    header = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + elements


write("npy/fortran.npy", npy("<f4", (2, 3), struct.pack("<6f", 0, 1, 2, 3, 4, 5), fortran=True))
write("npy/swapped.npy", npy(">i2", (3,), struct.pack(">3h", 1, -2, 300), version=2))
write("npy/half.npy", npy("<f2", (), struct.pack("<e", 0.1), version=3))
write("npy/bool.npy", npy("|b1", (1, 2), bytes([0, 1])))

archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as file:
    for name, method in (("a", zipfile.ZIP_STORED), ("ä", zipfile.ZIP_DEFLATED)):
        entry = zipfile.ZipInfo(name + ".npy")
        entry.compress_type = method
        file.writestr(entry, npy("|u1", (2,), bytes([1, 2])))
write("npz/two.npz", archive.getvalue())


def safetensors(tensors, metadata):
    """tensors: name -> (dtype, shape, elements)."""
    header, data = {"__metadata__": metadata}, b""
    for name, (dtype, shape, elements) in tensors.items():
        code = {"F32": "f", "F64": "d", "I64": "q"}[dtype]
        begin = len(data)
        data += struct.pack(f"<{len(elements)}{code}", *elements)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def model(kind, sizes, tensors, **architecture):
    architecture = {"kind": kind, "sizes": sizes, "activation": "relu", "leaky_slope": 0.25, "clip": 0,
                    "normalize": "none", "dtype": "f32", **architecture}
    return safetensors(tensors, {
        "format": "elkgrad/1",
        "architecture": json.dumps(architecture),
        "dataset": "tiny",
        "classes": json.dumps([str(i) for i in range(sizes[-1])]),
        "input_shape": json.dumps([sizes[0]]),
        "probe_input": json.dumps([0] * sizes[0]),
        "probe_output": json.dumps([0.5] * sizes[-1]),
        "probe_tolerance": "1e-4",
    })


write("model/mlp.safetensors", model("mlp", [2, 1, 2], {
    "input.0.mean": ("F32", [2], [0, 0]), "input.0.scale": ("F32", [2], [1, 2]),
    "fc1.weight": ("F32", [1, 2], [1, -1]), "fc1.bias": ("F32", [1], [0]),
    "fc2.weight": ("F32", [2, 1], [1, -1]), "fc2.bias": ("F32", [2], [0.5, 0.5]),
}, activation="leaky_relu", clip=2.5, normalize="standard"))
write("model/residual_mlp.safetensors", model("residual_mlp", [1, 1, 1], {
    "embed.weight": ("F64", [1, 1], [1]), "embed.bias": ("F64", [1], [0]),
    "block1.norm.weight": ("F64", [1], [1]), "block1.norm.bias": ("F64", [1], [0]),
    "block1.expand.weight": ("F64", [4, 1], [0] * 4), "block1.expand.bias": ("F64", [4], [0] * 4),
    "block1.contract.weight": ("F64", [1, 4], [0] * 4), "block1.contract.bias": ("F64", [1], [0]),
    "head.weight": ("F64", [1, 1], [1]), "head.bias": ("F64", [1], [0.5]),
}, activation="gelu", dtype="f64"))

rows = [
    {"epoch": 1, "step": 2, "train_loss": 0.5, "val_loss": 0.25, "val_accuracy": 0.75, "lr": 0.1, "flops": 12,
     "seconds": 1.5},
    {"epoch": 2, "step": 4, "train_loss": None, "test_loss": 3e-300, "test_accuracy": 1.0, "lr": 0.1,
     "flops": 18446744073709551615, "seconds": 0.0, "status": "diverged"},
]
history = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
write("history/history.jsonl", history)

# In the middle of the second epoch of the run that checkpoint_fuzzer.cpp makes.
write("checkpoint/run.safetensors", safetensors({
    "model.weight": ("F32", [2, 1], [0.5, -0.5]), "model.bias": ("F32", [2], [0, 0]),
    "optimizer.weight.steps": ("I64", [], [3]), "optimizer.weight.velocity": ("F32", [2, 1], [0, 0]),
    "optimizer.bias.steps": ("I64", [], [3]), "optimizer.bias.velocity": ("F32", [2], [0, 0]),
    "callback0.waited": ("I64", [1], [1]), "callback0.best_loss": ("F64", [1], [0.25]),
    "callback0.best.weight": ("F32", [2, 1], [0.5, -0.5]), "callback0.best.bias": ("F32", [2], [0, 0]),
    "rng.key": ("I64", [624], [(i * 2654435761) % 2**32 for i in range(1, 625)]),
    "rng.position": ("I64", [2], [624, 0]), "rng.gauss": ("F64", [1], [0]),
    "order": ("I64", [3], [2, 0, 1]), "position": ("I64", [6], [1, 1, 3, 12, 0, 2]),
    "sums": ("F64", [2], [0.5, 1]),
}, {"format": "elkgrad-checkpoint/1", "history": history[:history.index("\n") + 1]}))

write("config/sound.json", json.dumps({
    "protocol": "sound", "dataset": "digits", "normalize": "pixel", "augment": "shift:2,flip:0.5", "model": "mlp",
    "hidden": "128,64", "activation": "relu", "leaky-slope": 0.01, "init": "he", "clip": 0, "dropout": 0.5,
    "loss": "cross_entropy", "optimizer": "sgd",
    "momentum": 0.9, "nesterov": True, "lr": 0.001, "schedule": "step:2:0.5", "weight-decay": 1e-4, "batch-size": 50,
    "epochs": 10, "validation": 1000, "early-stop": 2, "dtype": "f32", "seed": 100}))
write("config/paper.json", json.dumps({
    "protocol": "paper", "hidden": 925, "lr-decay": "0.9", "dtype": "f64", "dataset": "cifar-10",
    "loss": "paper_mean"}))
write("config/residual.json", json.dumps({
    "model": "residual_mlp", "activation": "gelu", "optimizer": "adamw", "schedule": "cosine"}))
write("config/no_such_schedule.json", json.dumps({"schedule": "gosine"}))  # was once undefined behaviour

write("augment/all", "shift:2,rotate:10,scale:0.1,shear:5,elastic:1.4,elastic_sigma:4,flip,crop:4,cutout:8,noise:0.1,"
                     "mixup:0.4")
write("augment/flip", "flip:0.25")

write("http/get", "GET /api/gallery?count=5&la%62el=a+b HTTP/1.1\r\nHost: localhost:8080\r\nConnection: x, close\r\n\r\n")
write("http/post", "POST /api/train HTTP/1.0\nHost:127.0.0.1\nContent-Length: 2\nExpect: 100-continue\n\n")
