// What a file is that a reader of tensors was given by mistake.
#pragma once

#include <string_view>

namespace elk::detail {

/// "a file of torch.save, ..." when `bytes` begin as such a file or a pickle, an archive, an array or an HDF5
/// file does; empty otherwise.
std::string_view other_file(std::string_view bytes);

}  // namespace elk::detail
