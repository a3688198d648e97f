#include <cstddef>

#include <elk/io/other_files.hpp>

namespace elk::detail {

namespace {

using namespace std::string_view_literals;

// Of the first entry of a ZIP archive.
std::string_view first_name(std::string_view archive) {
  constexpr std::size_t at = 26, header = 30;
  if (archive.size() < header) return {};
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(archive[i]));
  };
  return archive.substr(header, byte(at) | byte(at + 1) << 8);
}

}  // namespace

std::string_view other_file(std::string_view bytes) {
  constexpr auto torch =
      "a file of torch.save, which would have to be unpickled: write its tensors with "
      "safetensors.torch.save_file "
      "or numpy.savez"sv;
  if (bytes.starts_with("PK\3\4"sv))
    return first_name(bytes).ends_with(".pkl") ? torch : "a ZIP archive, such as load_npz reads"sv;
  if (bytes.starts_with("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46"sv)) return torch;  // before PyTorch 1.6
  if (bytes.size() > 1 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5)
    return "a Python pickle, which is not safe to read: write its tensors with numpy.savez"sv;
  if (bytes.starts_with("\x93NUMPY"sv)) return "a NumPy array, as load_npy reads it"sv;
  if (bytes.starts_with("\x89HDF\r\n"sv)) return "an HDF5 file"sv;
  return {};
}

}  // namespace elk::detail
