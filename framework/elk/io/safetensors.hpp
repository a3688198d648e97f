// Reading and writing named tensors in the safetensors format, which other tools read too:
// 8 bytes, little-endian: the size of the header; the header, JSON; the elements, little-endian, row-major.
// https://github.com/huggingface/safetensors#format
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Text entries of a file beside its tensors, by name.
using Metadata = std::map<std::string, std::string>;

/// The content of a safetensors file.
struct SafetensorsFile {
  State tensors;  ///< in the order of the header, which is the order in which they were saved
  Metadata metadata;
};

/// Writes `tensors` in their order, and `metadata` unless it is empty, as one file that appears whole or not
/// at all (see AtomicFile). Throws ValueError for a tensor that is undefined, or a name that is empty, taken
/// twice, not UTF-8 or `__metadata__`, before anything is written; FileError when the file cannot be written.
void save_safetensors(const std::string& path, const State& tensors, const Metadata& metadata = {});

/// Reads a file of F32, F64, I64 and U8 tensors of at most eight axes. Nothing in the file is trusted: throws
/// FileError, naming the file, the tensor, what was expected and what was found, for anything that the format
/// does not allow.
SafetensorsFile load_safetensors(const std::string& path);

/// The bytes of a file as save_safetensors writes it.
std::string format_safetensors(const State& tensors, const Metadata& metadata = {});

/// The content of a file that is already in memory; `file` names it in messages.
SafetensorsFile parse_safetensors(std::string_view bytes, const std::string& file = "memory");

}  // namespace elk
