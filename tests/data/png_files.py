#!/usr/bin/env python3
"""Writes png.npz: PNG files of every kind that Willem van Schaik's PngSuite has, each beside the image it must be read
as. Encoder and expectation are written from the standard (https://www.w3.org/TR/png/) and share nothing with libpng;
only Python's library is needed.

Of each file: NAME, its bytes; NAME.image, the expected (3, H, W) by the rules of framework/elk/data/image_file.hpp; files
whose name begins with "bad" must be refused and have no image. Names are kind-colour-depth-interlacing; with a gamma
the image may differ by 2, as libpng computes with tables.
"""
import io
import pathlib
import random
import struct
import zipfile
import zlib

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
NAMES = {GREY: "grey", RGB: "rgb", PALETTE: "palette", GREY_ALPHA: "grey_alpha", RGB_ALPHA: "rgb_alpha"}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
draw = random.Random(16)


def chunk(name, data=b""):
    body = name + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def packed(samples, depth):
    """A row of samples as bytes."""
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    out, per = bytearray(), 8 // depth
    for i in range(0, len(samples), per):
        group = samples[i:i + per] + [0] * (per - len(samples[i:i + per]))
        value = 0
        for s in group:
            value = value << depth | s
        out.append(value)
    return bytes(out)


def filtered(kind, row, above, step):
    """Section 9 of the standard: the difference from a prediction by neighbours, `step` bytes to the left."""
    out = bytearray([kind])
    for i, x in enumerate(row):
        a = row[i - step] if i >= step else 0
        b = above[i]
        c = above[i - step] if i >= step else 0
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        out.append(x - (0, a, b, (a + b) // 2, paeth)[kind] & 255)
    return bytes(out)


def scanlines(pixels, depth, channels, filters):
    """pixels: rows of pixels, which are lists of samples."""
    step = max(1, depth * channels // 8)
    out, above = b"", None
    for y, row in enumerate(pixels):
        line = packed([s for pixel in row for s in pixel], depth)
        out += filtered(filters[y % len(filters)], line, above or bytes(len(line)), step)
        above = line
    return out


def png(pixels, colour, depth, interlaced, before=b"", between=b"", after=b"", filters=(0, 1, 2, 3, 4), level=6,
        pieces=1, palette=None):
    height, width = len(pixels), len(pixels[0])
    channels = CHANNELS[colour]
    if interlaced:
        data = b""
        for x, y, dx, dy in ADAM7:
            rows = [row[x::dx] for row in pixels[y::dy]]
            if rows and rows[0]:
                data += scanlines(rows, depth, channels, filters)
    else:
        data = scanlines(pixels, depth, channels, filters)
    data = zlib.compress(data, level)
    size = -(-len(data) // pieces)
    idat = b"".join(chunk(b"IDAT", data[i:i + size]) for i in range(0, len(data), size))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    if palette:
        before += chunk(b"PLTE", bytes(c for entry in palette for c in entry))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + between + idat + after + chunk(b"IEND")


def to8(value, most, gamma):
    """A sample as one of 8 bits for a display of gamma 2.2; without a gamma it is for that already."""
    share = value / most
    if gamma and abs(gamma * 2.2 - 1) > 0.05:
        share **= 1 / (gamma * 2.2)
    return int(share * 255 + 0.5)


def expected(pixels, colour, depth, palette=None, transparent=None, gamma=None):
    """transparent: the samples of the transparent pixel, or the alphas of the palette's first entries."""
    rgba, most = [], (1 << depth) - 1
    for pixel in (pixel for row in pixels for pixel in row):
        alpha = 255
        if colour == PALETTE:
            rgb = [to8(c, 255, gamma) for c in palette[pixel[0]]]
            if transparent and pixel[0] < len(transparent):
                alpha = transparent[pixel[0]]
        else:
            rgb = [to8(s, most, gamma) for s in (pixel[:3] if colour in (RGB, RGB_ALPHA) else pixel[:1] * 3)]
            if colour in (GREY_ALPHA, RGB_ALPHA):
                alpha = to8(pixel[-1], most, None)
            elif transparent and pixel == transparent:
                alpha = 0
        rgba.append((*rgb, alpha))
    # Black behind what is light, white behind what is dark.
    light = sum((299 * r + 587 * g + 114 * b + 500) // 1000 * a for r, g, b, a in rgba)
    background = 0 if light > 127 * sum(a for *_, a in rgba) else 255
    planes = bytes((p[c] * p[3] + background * (255 - p[3]) + 127) // 255 for c in range(3) for p in rgba)
    return planes, len(pixels), len(pixels[0])


def random_pixels(width, height, colour, depth, entries=None):
    """A slope with noise, so that every filter has something to predict, and every value may come up."""
    most = entries - 1 if entries else (1 << depth) - 1

    def sample(x, y, c):
        slope = (x + 2 * y + 5 * c) / (width + 2 * height + 10)
        return min(most, max(0, round(most * slope + draw.gauss(0, most / 8 + 0.5))))
    return [[[sample(x, y, c) for c in range(CHANNELS[colour])] for x in range(width)] for y in range(height)]


def random_palette(depth):
    return [[draw.randrange(256) for _ in range(3)] for _ in range(min(1 << depth, 200))]


files = {}


def add(name, content, image=None):
    assert name not in files
    files[name] = ((len(content),), content)
    if image:
        planes, height, width = image
        files[name + ".image"] = ((3, height, width), planes)


def add_kind(name, colour, depth, width=13, height=11, transparency=False, gamma=None, **options):
    for interlaced in (0, 1):
        palette = random_palette(depth) if colour == PALETTE else None
        pixels = random_pixels(width, height, colour, depth, len(palette) if palette else None)
        transparent, before, between = None, options.get("before", b""), options.get("between", b"")
        if transparency and colour == PALETTE:
            transparent = [draw.randrange(256) for _ in range(max(1, len(palette) // 2))]
            between = chunk(b"tRNS", bytes(transparent)) + between
        elif transparency:
            transparent = list(pixels[height // 2][width // 2])
            pixels[0][0] = list(transparent)
            between = chunk(b"tRNS", b"".join(struct.pack(">H", s) for s in transparent)) + between
        if gamma:
            before = chunk(b"gAMA", struct.pack(">I", round(gamma * 100000))) + before
        others = {k: v for k, v in options.items() if k not in ("before", "between")}
        add(f"{name}-{NAMES[colour]}-{depth}-{'interlaced' if interlaced else 'plain'}",
            png(pixels, colour, depth, interlaced, before, between, palette=palette, **others),
            expected(pixels, colour, depth, palette, transparent, gamma))


# Every colour type and depth; with transparency; and with gamma, whose values are PngSuite's.
for colour, depths in DEPTHS.items():
    for depth in depths:
        add_kind("basic", colour, depth, width=17)
        if colour in (GREY, RGB, PALETTE):
            add_kind("transparent", colour, depth, transparency=True)
        add_kind("gamma100", colour, depth, gamma=1.0)
        if depth in (8, 16):
            for gamma in (0.35, 0.45, 0.55, 0.7, 2.5):
                add_kind(f"gamma{round(gamma * 100)}", colour, depth, gamma=gamma, width=5, height=5)
# Odd sizes: passes of no rows or no columns.
for size in (*range(1, 10), 32, 33):
    add_kind(f"size{size}", PALETTE, 4, width=size, height=size)
    add_kind(f"wide{size}", GREY, 16, width=size, height=1)
    add_kind(f"high{size}", RGB_ALPHA, 8, width=1, height=size)
# Each filter alone, degrees of compression, data in many pieces.
for kind in range(5):
    add_kind(f"filter{kind}", RGB, 16, width=5, height=7, filters=(kind,))
for level in (0, 1, 9):
    add_kind(f"level{level}", GREY, 8, level=level)
add_kind("pieces", RGB, 8, pieces=10**6)
# Chunks that say something else about the image.
srgb = b"".join(struct.pack(">I", n) for n in (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
add_kind("chromaticities", RGB, 8, before=chunk(b"cHRM", srgb))
add_kind("significant", RGB, 16, before=chunk(b"sBIT", bytes([13, 13, 13])))
add_kind("pixel_size", GREY, 8, between=chunk(b"pHYs", struct.pack(">IIB", 1, 4, 0)))
add_kind("text", GREY, 8, between=chunk(b"tEXt", b"Title\0PngSuite") + chunk(b"zTXt", b"Note\0\0" + zlib.compress(b"text")))
add_kind("time", RGB, 8, between=chunk(b"tIME", struct.pack(">HBBBBB", 2000, 1, 1, 12, 34, 56)))
add_kind("background", GREY, 16, between=chunk(b"bKGD", struct.pack(">H", 40000)))
add_kind("background", RGB_ALPHA, 8, between=chunk(b"bKGD", struct.pack(">3H", 255, 255, 0)))
add_kind("suggested", RGB, 16, between=chunk(b"sPLT", b"six\0\x08" + bytes(range(60))))
add_kind("suggested", RGB_ALPHA, 8, before=chunk(b"PLTE", bytes(range(96))))

# Damage.
good = png(random_pixels(4, 4, GREY, 8), GREY, 8, 0)
for name, old, new in (("crc", b"IDAT", b"IDAU"), ("signature", b"\x89PNG", b"\x8aPNG"), ("line_ends", b"\r\n", b"\n"),
                       ("no_data", good[33:-12], b"")):
    assert old in good
    add("bad_" + name, good.replace(old, new, 1))
for name, colour, depth in (("colour_1", 1, 8), ("colour_5", 5, 8), ("colour_9", 9, 8), ("depth_0", GREY, 0),
                            ("depth_3", RGB, 3), ("depth_99", GREY, 99), ("palette_16", PALETTE, 16)):
    head = struct.pack(">IIBBBBB", 4, 4, depth, colour, 0, 0, 0)
    add("bad_" + name, good[:8] + chunk(b"IHDR", head) + good[33:])
add("bad_checksum_of_zlib", good[:33] + chunk(b"IDAT", b"\x78\x9c\x63\0\0\0\0\0") + chunk(b"IEND"))
add("bad_no_palette", png(random_pixels(4, 4, PALETTE, 8, 4), PALETTE, 8, 0))


def npy(shape, data):
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    text += " " * (-(10 + len(text) + 1) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + data


archive = io.BytesIO()
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
    for name, (shape, data) in files.items():
        out.writestr(zipfile.ZipInfo(name + ".npy"), npy(shape, data), zipfile.ZIP_DEFLATED)
pathlib.Path(__file__).with_name("png.npz").write_bytes(archive.getvalue())
print(len([n for n in files if not n.endswith(".image")]), "files,", len(archive.getvalue()), "bytes")
