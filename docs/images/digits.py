#!/usr/bin/python3
"""Draws digits.png, the first images of the built-in data set:

    cmake --build --preset release --target export_digits
    build/release/tests/export_digits digits.safetensors
    docs/images/digits.py digits.safetensors
"""
import json
import pathlib
import struct
import sys
import zlib

COLUMNS, ROWS, SIDE = 16, 6, 28

with open(sys.argv[1], "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    begin, _ = header["train.images"]["data_offsets"]
    file.seek(begin, 1)
    images = file.read(COLUMNS * ROWS * SIDE * SIDE)


def gray(x, y):  # 4 bits, 15 = white paper
    image = y // SIDE * COLUMNS + x // SIDE
    return 15 - images[(image * SIDE + y % SIDE) * SIDE + x % SIDE] // 16


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


width, height = COLUMNS * SIDE, ROWS * SIDE
lines = b"".join(
    b"\0" + bytes(gray(x, y) << 4 | gray(x + 1, y) for x in range(0, width, 2)) for y in range(height)
)
pathlib.Path(__file__).with_name("digits.png").write_bytes(
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(lines, 9))
    + chunk(b"IEND", b"")
)
