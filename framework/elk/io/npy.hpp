// NumPy's own files: .npy holds one array, .npz several under names (a ZIP archive of .npy files).
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
// PyTorch's .pt and pickled arrays are not read, and will not be: loading a pickle runs whatever program the
// file contains. In Python, write safetensors instead, or numpy.savez(path, **{name: tensor.numpy(), ...}).
#pragma once

#include <string>
#include <string_view>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Writes `tensor` as numpy.save does, as one file that appears whole or not at all (see AtomicFile).
/// ValueError for an undefined tensor, FileError when the file cannot be written.
void save_npy(const std::string& path, const Tensor& tensor);

/// Reads an array of at most eight axes: f4 as f32, f8 as f64, i8 as i64, u1 as u8. Types that elkgrad does
/// not have are widened: f2 to f32; i1, i2, i4, u2 and u4 to i64; booleans become the u8 0 and 1. Either byte
/// order, either order of the axes; the result is row-major. Nothing in the file is trusted: throws
/// FileError, naming the file, what was expected and what was found, for anything else.
Tensor load_npy(const std::string& path);

/// Writes `tensors` in their order as numpy.savez does: numpy.load(path)["fc1.weight"]. Throws ValueError for
/// a tensor that is undefined, a name that is empty, taken twice, not UTF-8 or holds a zero byte, and for
/// 4 GiB or more (for which there is safetensors), before anything is written; FileError when the file cannot
/// be written.
void save_npz(const std::string& path, const State& tensors);

/// Reads what numpy.savez or numpy.savez_compressed wrote, below 4 GiB, in the order of the archive.
/// FileError as load_npy, which also names the array.
State load_npz(const std::string& path);

/// The bytes of a file as save_npy writes it.
std::string format_npy(const Tensor& tensor);
/// The bytes of a file as save_npz writes it.
std::string format_npz(const State& tensors);

/// The content of a file that is already in memory; `file` names it in messages.
Tensor parse_npy(std::string_view bytes, const std::string& file = "memory");
/// Likewise, the arrays by their names.
State parse_npz(std::string_view bytes, const std::string& file = "memory");

}  // namespace elk
