#!/usr/bin/env python3
"""Writes the inputs that the fuzz targets begin with, beside those in tests/golden/."""
import gzip
import hashlib
import io
import json
import pathlib
import struct
import zipfile
import zlib

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

table = '\ufeffname, "a ""b"", c"\r\n1,x\r\n\r\n"2\n3", NA \r\n-4e5,y'
write("csv/table.csv", table)
write("csv/semicolons.csv", "1;2\n3;4\n")
write("csv/open.csv", table[:-20])

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



def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(colour, depth, rows, interlaced=0, before=b""):
    head = struct.pack(">IIBBBBB", 2, 2, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND"))


table = chunk(b"PLTE", bytes(range(6)))
gamma = chunk(b"gAMA", struct.pack(">I", 100000))
write("image/grey_1.png", png(0, 1, b"\0\x40\0\x80"))
write("image/grey_16_interlaced.png", png(0, 16, b"\0ab\0cd\0efgh", 1, gamma))
write("image/palette.png", png(3, 4, b"\1\x01\2\x01", 0, table + chunk(b"tRNS", b"\x80")))
write("image/rgb_alpha.png", png(6, 8, b"\3abcdefgh\4ijklmnop", 0, chunk(b"bKGD", bytes(6)) + chunk(b"sBIT", b"\5\5\5\5")))
write("image/rgb_alpha_interlaced.png", png(6, 16, b"\0abcdefgh\0ijklmnop\0abcdefghijklmnop", 1))
write("image/grey_transparent.png", png(0, 8, b"\0ab\0cd", 0, chunk(b"tRNS", b"\0a") + chunk(b"pHYs", bytes(9))))
write("image/p5.pgm", b"P5\n# by hand\n2 3\n255\nabcdef")
write("image/p5_wide.pgm", b"P5 1 2 65535\nabcd")
write("image/p2.pgm", b"P2 2 2 255 10 20 # 30\n30 40\n")

write("http/page", "GET / HTTP/1.1\r\nHost: localhost:8080\r\nConnection: keep-alive, close\r\n\r\n")
write("http/post", "POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nOrigin: http://localhost:8080\r\n"
                   "Expect: 100-continue\r\nContent-Length: 12\r\n\r\n")
write("http/absolute", "GET http://localhost:8080/api/gallery?offset=1&label=%34+ HTTP/1.0\nHost: localhost:8080\n\n")
drawing = {"image": [0] * 5 + [255] * 3 + [9], "width": 3, "height": 3}
write("request/predict", "POST /api/predict\n" + json.dumps(drawing))
write("request/explain", "POST /api/explain\n" + json.dumps({**drawing, "class": 3, "target": 4}))
write("request/pixels", "POST /api/predict\n" + json.dumps({"pixels": [1, 0.5] * 392}, separators=(",", ":")))
write("request/train", "POST /api/train\n" + json.dumps({
    "dataset": "digits", "hidden": "64,32", "activation": "tanh", "epochs": 3, "lr": 0.01, "augment": "shift:2", "seed": 5}))
write("request/gallery", "GET /api/gallery?offset=1&count=3&label=4&predicted=9\n")
write("request/model", "GET /api/model\n")
write("request/page", "GET /\n")

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



def sealed(row):
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"))
    return json.dumps({**row, "digest": hashlib.sha256(canonical.encode()).hexdigest()}, separators=(",", ":")) + "\n"


# As short as they can be: what is short is tried more often in the same time.
def summary(key, **others):
    row = {"key": key * 64, "format": "elkgrad-run/1", "status": "done", "config": {"hidden": "8"}, "best_epoch": 1,
           "epochs": 1, "steps": 4, "parameters": 9, "flops": 12, "seconds": 1.5, "data": "", "date": "", "version": "",
           "commit": "", "processor": ""}
    return {**row, **others}


def curve(key, epochs=(1,)):
    return [{"key": key * 64, "epoch": epoch, "step": epoch, "lr": 0.1, "flops": 6, "seconds": 0.5} for epoch in epochs]


def plain(rows):
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def store(name, runs, epochs, line=lambda row: plain([row])):
    write("store/" + name, "".join(map(line, runs)) + "\0" + "".join(map(line, epochs)))


failed = summary("c", status="failed", error="no memory", epochs=0, best_epoch=0)
store("done", [summary("a", test_loss=0.5, test_accuracy=0.75, metrics={"m": 2}, blas="")], curve("a"))
store("two", [summary("a"), summary("b", status="diverged", test_loss=None)],
      curve("a") + [{**curve("b")[0], "train_loss": None, "status": "diverged"}])
store("failed", [failed, summary("c", metrics={"m": None})], [])
store("sealed", [summary("a")], curve("a"), sealed)
store("sealed_failed", [failed], [], sealed)
write("store/torn", plain([summary("a")]) + "\0" + plain(curve("a") + curve("b"))[:-40])
store("orphans", [], curve("a", [1, 2]) + curve("d"))
store("out_of_order", [summary("b", epochs=2)], curve("b", [2, 1, 2]) + [{}])
write("where/status", "status=done\nhidden=64")
write("where/none", "lr=0.001\nactivation=\n=\nhidden")

# results.json, whose "config" is a string of JSON; without what files of 0.1.0 lack, and with it.
estimate = {"mean": 0.5, "low": 0.25, "high": None, "values": [0.25, 0.75]}
point = {"series": "a", "label": "8", "x": 8, "measured": {"test_accuracy": estimate}, "reported": None, "agrees": "",
         "parameters": 9, "flops": 12, "seconds": 1.5, "diverged": 0, "failed": 1, "config": '{"hidden":"8"}'}
texts = ("program", "title", "question", "protocol", "dataset", "status", "compared", "machine", "version", "commit",
         "command", "date")
results = {"format": "elkgrad-results/1", **{name: name for name in texts}, "configuration": [["lr", "0.1"]],
           "points": [point], "tables": [{"title": "t", "columns": ["x", "y"], "rows": [["1", "2"]], "note": ""}],
           "pictures": [{"title": "p", "file": "plot-1"}], "verdicts": ["v."], "warnings": [], "failures": [],
           "numbers": {"best": 8}, "cost": {"runs": 2, "seconds": 3.0, "flops": 24}}
write("results/of_0.1.0.json", json.dumps(results))
full = {**results, "points": [{**point, "images": 100, "examples": 90, "curves": {"test_loss": [[0.5, 0.25]]}}], "checklist": [["tuned", "lr"]]}
write("results/whole.json", sealed(full))

write("augment/all", "shift:2,rotate:10,scale:0.1,shear:5,elastic:1.4,elastic_sigma:4,flip,crop:4,cutout:8,noise:0.1,"
                     "mixup:0.4")
write("augment/flip", "flip:0.25")

write("http/get", "GET /api/gallery?count=5&la%62el=a+b HTTP/1.1\r\nHost: localhost:8080\r\nConnection: x, close\r\n\r\n")
