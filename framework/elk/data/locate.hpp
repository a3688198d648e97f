// Finding the files of a data set under the names and in the folders that users have them. Private to this
// folder.
#pragma once

#include <string>
#include <vector>

namespace elk::detail {

struct Layout {
  const char* set;  ///< "mnist", for messages and for `./elk data`
  /// Folders below the data folder, the most telling first; "" is the data folder itself.
  std::vector<std::string> folders;
  /// The files wanted: for each the names that it may have, without ".gz".
  std::vector<std::vector<std::string>> files;
};

/// The paths of the wanted files in the first folder that has them all. FileError that says where it looked
/// and how to get the set; where a folder has only some of the files, what is missing there.
std::vector<std::string> locate(const std::string& data_dir, const Layout& layout);

}  // namespace elk::detail
