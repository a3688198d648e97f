// ZIP archives, as far as .npz files need them. Private: for the readers and writers of this folder.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace elk::detail {

/// Puts an archive together in memory. Entries are stored as they are, and dated 1980-01-01, so that the same
/// entries give the same bytes. ValueError for what only ZIP64 could hold: 4 GiB, 65535 entries, or a name of
/// 65536 bytes.
class ZipWriter {
 public:
  /// `name` is UTF-8.
  void add(std::string_view name, std::string_view content);
  /// The archive. The writer is empty afterwards.
  std::string finish();

 private:
  std::string bytes_, directory_;
  std::size_t count_ = 0;
};

/// Calls `visit(name, content)` for every entry in the order of the archive's directory. The entries may be
/// stored or deflated; encryption, ZIP64 and archives of several files are refused. Nothing in the archive is
/// trusted: an entry gets no more memory than its packed bytes can unpack to, no two entries share bytes, and
/// sizes and checksums must be right. Otherwise FileError naming `file`.
void read_zip(std::string_view bytes, const std::string& file,
              const std::function<void(const std::string& name, std::string_view content)>& visit);

}  // namespace elk::detail
