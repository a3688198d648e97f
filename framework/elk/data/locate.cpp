#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <elk/base/format.hpp>
#include <elk/data/locate.hpp>

namespace elk::detail {

namespace fs = std::filesystem;

namespace {

// The file in `folder` under one of its names, packed or not; empty when there is none. A folder of that name
// (some archives unpack so) is only given when nothing else is there, for the reader's message. `blocked`
// tells what could not be looked at, and why, where it does not yet.
std::string find(const fs::path& folder, const std::vector<std::string>& names, std::string& blocked) {
  std::string other;
  for (const auto& name : names)
    for (const char* suffix : {"", ".gz"}) {
      const fs::path path = folder / (name + suffix);
      std::error_code error;
      const fs::file_status status = fs::status(path, error);
      if (fs::is_regular_file(status)) return path.string();
      if (fs::exists(status) && other.empty()) other = path.string();
      if (error && status.type() == fs::file_type::none && blocked.empty())
        blocked = fmt::format("{} cannot be read: {}", folder.string(), error.message());
    }
  return other;
}

}  // namespace

std::vector<std::string> locate(const std::string& data_dir, const Layout& layout) {
  const char* const launcher = std::getenv("ELK_LAUNCHER");  // of ./elk and its like: how it was called
  const std::string advice =
      fmt::format("get it with `{} data {}`, or say where it is with --data-dir or ELK_DATA_DIR",
                  launcher != nullptr && *launcher != '\0' ? launcher : "./elk", layout.set);
  if (data_dir.empty()) fail<FileError>("[{}] no data folder was given; {}", layout.set, advice);

  std::string looked, partly, blocked;
  for (const auto& name : layout.folders) {
    const fs::path folder = name.empty() ? fs::path(data_dir) : fs::path(data_dir) / name;
    std::vector<std::string> found, missing;
    for (const auto& names : layout.files) {
      if (auto path = find(folder, names, blocked); !path.empty())
        found.push_back(std::move(path));
      else
        missing.push_back(names.front());
    }
    if (missing.empty()) return found;
    if (!found.empty() && partly.empty())
      partly = fmt::format("{} lacks {} (or the same with .gz)", folder.string(), fmt::join(missing, ", "));
    looked += "\n  " + folder.string();
  }
  if (!partly.empty()) fail<FileError>("[{}] {}; {}", layout.set, partly, advice);
  if (!blocked.empty()) fail<FileError>("[{}] {}", layout.set, blocked);
  fail<FileError>("[{}] not found; {}. Looked in:{}", layout.set, advice, looked);
}

}  // namespace elk::detail
