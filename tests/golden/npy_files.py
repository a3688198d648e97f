"""The .npy and .npz fixtures of tests/io.

    python3 npy_files.py write        makes reference.npy, reference.npz and foreign.npz beside this script
    python3 npy_files.py check FILE   whether NumPy reads from FILE (.npz) what reference.npz holds

reference.npy and the arrays in reference.npz are byte for byte what elkgrad writes for the same tensors. foreign.npz is
deflated and holds what elkgrad reads and does not write: other types, the other byte order, the other order of the
axes, later versions of the format. (NumPy 1.24 leaves room in the header for an array to grow; old versions did not.)
"""
import pathlib
import sys
import zipfile

import numpy as np

FOLDER = pathlib.Path(__file__).parent


def reference():
    return {
        "fc1.weight": np.array([[0.5, -1.25, 3e-8], [np.inf, -0.0, 1.1]], "<f4"),
        "fc1.bias": np.array([0.1, -1e300], "<f8"),
        "step": np.array(-(2**63), "<i8"),
        "empty": np.zeros((2, 0, 3), "<f4"),
        "pixels": np.array([[[0], [1]], [[254], [255]]], "u1"),
        "größe ∞": np.array([9007199254740993], "<i8"),
        "long": np.arange(100, dtype="<f4"),
    }


def foreign():
    grid = np.arange(24).reshape(2, 3, 4)
    return {
        "fortran_f4": ((1, 0), np.asfortranarray(grid.astype("<f4"))),
        "fortran_big_i2": ((1, 0), np.asfortranarray(grid.astype(">i2") - 12)),
        "big_f4": ((1, 0), np.array([1.5, -2], ">f4")),
        "big_f8": ((2, 0), np.array([1e-300, np.inf], ">f8")),
        "big_i8": ((3, 0), np.array([[-(2**63), 2**63 - 1]], ">i8")),
        "i1": ((2, 0), np.array([-128, 127], "i1")),
        "i2": ((3, 0), np.array([-32768, 32767], "<i2")),
        "i4": ((1, 0), np.array([-(2**31), 2**31 - 1], "<i4")),
        "u2": ((1, 0), np.array([0, 65535], "<u2")),
        "u4": ((1, 0), np.array([0, 2**32 - 1], "<u4")),
        "b1": ((1, 0), np.array([True, False])),
        "f2": ((1, 0), np.array([1, -1.5, 6e-8, 6.1e-5, 65504, -np.inf, np.nan, -0.0], "<f2")),
        "big_f2": ((1, 0), np.array(0.333, ">f2")),
        "fortran_empty": ((1, 0), np.zeros((0, 3), "<f8", order="F")),
    }


def write():
    arrays = reference()
    np.save(FOLDER / "reference.npy", arrays["fc1.weight"])
    np.savez(FOLDER / "reference.npz", **arrays)
    with zipfile.ZipFile(FOLDER / "foreign.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (version, array) in foreign().items():
            with archive.open(name + ".npy", "w", force_zip64=True) as file:  # as numpy.savez_compressed
                np.lib.format.write_array(file, array, version)


def check(path):
    expected, found = reference(), np.load(path)
    assert list(found) == list(expected), f"names {list(found)}"
    for name, x in expected.items():
        y = found[name]
        assert (y.dtype, y.shape, y.tobytes()) == (x.dtype, x.shape, x.tobytes()), f"{name}: {y!r}"


if sys.argv[1:] == ["write"]:
    write()
elif sys.argv[1:2] == ["check"] and len(sys.argv) == 3:
    check(sys.argv[2])
else:
    sys.exit(__doc__)
