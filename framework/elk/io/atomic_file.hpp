// Files that appear complete or not at all, whatever happens while they are written.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace elk {

/// A file that takes its name only when it is complete. The bytes go to a temporary file in the same folder,
/// named `<name>.elk-tmp-<process>-<number>`; commit() sees that they are on the disk and gives them the name
/// in one step. A reader, and a machine that loses power, finds the old file or the new one. Without
/// commit(), and on any error, the temporary is removed and the old file stays. Only a killed process leaves
/// its temporary behind: the first AtomicFile that a process opens in a folder removes those there, and files
/// named as one of them and more (`.gp`), whose process is gone. It tells by a kernel lock, which ends with
/// its process, so a number given to another process does not matter, nor does a file of another machine on a
/// network file system, unless that keeps locks to each machine (mount option nolock); where there are no
/// locks, nothing is removed.
///
/// A symbolic link stays a link, and what it points to is replaced; an existing file keeps its permissions
/// (not its other hard links), and one that the user may not write is not replaced. What is no regular file
/// (/dev/stdout, a pipe) is simply written to.
///
/// Every member throws FileError naming the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends `bytes`.
  void write(std::string_view bytes);
  /// Puts the file in its place. Nothing can be written afterwards.
  void commit();

  /// The path of the temporary file; "" where there is none.
  const std::string& temporary() const { return temporary_; }

 private:
  [[noreturn]] void give_up(std::string_view what);
  void discard();
  bool hold();

  std::string path_;       // as the user wrote it
  std::string target_;     // behind symbolic links
  std::string temporary_;  // empty when writing straight to the target, and after commit
  int descriptor_ = -1;
};

/// Writes `bytes` as the file `path` by way of an AtomicFile.
void write_file_atomically(const std::string& path, std::string_view bytes);

/// All bytes of a file. FileError when it is missing, a folder, unreadable or of more than `most` bytes: a
/// device may never end.
std::string read_file(const std::string& path, std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace elk
