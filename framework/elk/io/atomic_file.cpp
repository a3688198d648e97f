#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/io/atomic_file.hpp>

namespace elk {

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

// The system would read a path only up to its first zero byte, and so another file than was asked for.
void check_path(const char* operation, const std::string& path) {
  if (path.empty()) fail<FileError>("[{}] the path is empty", operation);
  if (path.find('\0') != std::string::npos)
    fail<FileError>("[{}] {:?}: the path contains a zero byte", operation, path);
}

// "out/" of "out/model.safetensors", "" of "model.safetensors".
std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

// What `path` names behind symbolic links, also where the last of them points to nothing yet.
std::string resolved(const std::string& path) {
  constexpr int most_links = 40;  // as Linux
  std::string target = path;
  for (int links = 0; links <= most_links; ++links) {
    char link[PATH_MAX];
    const ssize_t length = ::readlink(target.c_str(), link, sizeof link);
    if (length < 0) return target;
    const std::string next(link, static_cast<std::size_t>(length));
    target = next.starts_with('/') ? next : folder_of(target) + next;
  }
  fail<FileError>("[write] {}: {}", path, reason(ELOOP));
}

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

constexpr std::string_view temporary_mark = ".elk-tmp-";

// The name of a temporary file that `name` is, or begins with: "a.elk-tmp-12-3" of "a.elk-tmp-12-3.gp"; else
// "".
std::string temporary_of(const std::string& name) {
  constexpr const char* digits = "0123456789";
  const std::size_t mark = name.rfind(temporary_mark);
  if (mark == std::string::npos) return "";
  const std::size_t process = mark + temporary_mark.size(), dash = name.find_first_not_of(digits, process);
  if (dash == process || dash == std::string::npos || name[dash] != '-') return "";
  const std::size_t end = std::min(name.find_first_not_of(digits, dash + 1), name.size());
  if (end == dash + 1 || (end < name.size() && name[end] != '.')) return "";
  return name.substr(0, end);
}

// Removes what processes that are gone have left in `folder` ("" or "out/").
void remove_leftovers(const std::string& folder) {
  std::set<std::string> temporaries;
  std::vector<std::string> beside;  // which go first, so that none is left without its temporary
  std::error_code error;
  std::filesystem::directory_iterator entries(folder.empty() ? "." : folder, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename();
    const std::string temporary = temporary_of(name);
    if (temporary.empty()) continue;
    temporaries.insert(temporary);
    if (name != temporary) beside.push_back(name);
  }
  for (const std::string& temporary : temporaries) {
    // For writing, without which a network file system gives no lock. (A pipe must not be waited for.)
    const Descriptor file{
        ::open((folder + temporary).c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    struct stat about;
    if (file.number < 0 ? errno != ENOENT
                        : ::fstat(file.number, &about) != 0 || !S_ISREG(about.st_mode) ||
                              ::flock(file.number, LOCK_EX | LOCK_NB) != 0)
      continue;
    for (const std::string& name : beside)
      if (name.starts_with(temporary + ".")) ::unlink((folder + name).c_str());
    ::unlink((folder + temporary).c_str());
  }
}

void remove_leftovers_once(const std::string& folder) {
  static std::mutex mutex;
  static std::set<std::string> seen;
  const std::lock_guard lock(mutex);
  std::error_code error;
  if (seen.insert(std::filesystem::absolute(folder.empty() ? "." : folder, error)).second)
    remove_leftovers(folder);
}

int fsync_again(int descriptor) {
  int result;
  do result = ::fsync(descriptor);
  while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  check_path("write", path);
  target_ = resolved(path);
  struct stat old;
  const bool exists = ::stat(target_.c_str(), &old) == 0;
  const std::string folder = folder_of(target_);
  const std::string name = target_.substr(folder.size());
  if ((exists && S_ISDIR(old.st_mode)) || name.empty())
    fail<FileError>("[write] {}: this is a folder", path_);
  if (exists && !S_ISREG(old.st_mode)) {  // replacing /dev/null by a file would be a disaster
    descriptor_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor_ < 0) give_up("cannot open");
    return;
  }
  // Replacing needs no right to the file itself, but who made it read-only does not expect it to change.
  if (exists && ::faccessat(AT_FDCWD, target_.c_str(), W_OK, AT_EACCESS) != 0) give_up("cannot replace");

  remove_leftovers_once(folder);
  static std::atomic<unsigned> count{0};
  constexpr std::size_t longest = 200;  // of at most 255 bytes, so that the ending fits
  const mode_t mode = exists ? old.st_mode & 0777 : 0666;
  do {  // a killed process with our number may have left a file behind
    temporary_ =
        fmt::format("{}{}{}{}-{}", folder, name.substr(0, longest), temporary_mark, ::getpid(), count++);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  } while (descriptor_ < 0 ? errno == EEXIST : !hold());
  if (descriptor_ < 0) {
    temporary_.clear();
    give_up(fmt::format("cannot create a file in {}", folder.empty() ? "the current folder" : folder));
  }
  if (exists) {
    if (::fchown(descriptor_, old.st_uid, old.st_gid) != 0)
      errno = 0;  // only root may; others own what they write
    if (::fchmod(descriptor_, mode) != 0) give_up("cannot set its permissions");
  }
}

AtomicFile::~AtomicFile() { discard(); }

// Locks the new file as one of a living process. False when somebody who removes leftovers was faster. (Where
// there are no locks, nobody is.)
bool AtomicFile::hold() {
  int locked;
  do locked = ::flock(descriptor_, LOCK_EX);
  while (locked != 0 && errno == EINTR);
  struct stat about;
  if (::fstat(descriptor_, &about) != 0 || about.st_nlink > 0) return true;
  ::close(std::exchange(descriptor_, -1));
  return false;
}

void AtomicFile::discard() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) ::unlink(std::exchange(temporary_, {}).c_str());
}

void AtomicFile::give_up(std::string_view what) {
  const int error = errno;
  discard();
  fail<FileError>("[write] {}: {}: {}", path_, what, reason(error));
}

void AtomicFile::write(std::string_view bytes) {
  if (descriptor_ < 0) fail<FileError>("[write] {}: the file is already finished", path_);
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written == 0) errno = ENOSPC;
    if (written <= 0) give_up("cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0) fail<FileError>("[write] {}: the file is already finished", path_);
  const bool straight = temporary_.empty();
  if (!straight && fsync_again(descriptor_) != 0) give_up("cannot write");
  if (!straight && ::rename(temporary_.c_str(), target_.c_str()) != 0) give_up("cannot replace");
  temporary_.clear();
  // Last, as the lock ends here.
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) give_up("cannot write");
  if (straight) return;

  // Only now does the name survive a loss of power. Some file systems cannot do this, and some folders may
  // not be opened for reading; the file is in its place all the same.
  const std::string folder = folder_of(target_);
  const Descriptor opened{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (opened.number >= 0 && fsync_again(opened.number) != 0 && errno != EINVAL && errno != ENOTSUP)
    give_up("written, but its folder could not be saved to the disk");
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const std::string& path, std::size_t most) {
  check_path("read", path);
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  struct stat status;
  if (file.number < 0 || ::fstat(file.number, &status) != 0)
    fail<FileError>("[read] {}: {}", path, reason(errno));
  if (S_ISDIR(status.st_mode)) fail<FileError>("[read] {}: this is a folder", path);
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))  // /dev/zero has no end
    most = std::min(most, std::size_t{1} << 28);

  // The size is a hint: a pipe and a file of /proc have none, and a file may grow. One byte more than it
  // notices the end without growing the string.
  std::string bytes;
  std::size_t filled = 0;
  try {
    bytes.resize(std::max<std::size_t>(std::min(static_cast<std::size_t>(status.st_size), most) + 1, 4096));
    for (;;) {
      if (filled == bytes.size()) bytes.resize(2 * filled);
      const ssize_t count = ::read(file.number, bytes.data() + filled, bytes.size() - filled);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail<FileError>("[read] {}: {}", path, reason(errno));
      if (count == 0) break;
      filled += static_cast<std::size_t>(count);
      if (filled > most) fail<FileError>("[read] {}: expected at most {} bytes, found more", path, most);
    }
  } catch (const std::bad_alloc&) {
    fail<FileError>("[read] {}: its {} bytes do not fit into memory", path,
                    std::max<off_t>(status.st_size, 0));
  } catch (const std::length_error&) {
    fail<FileError>("[read] {}: its {} bytes do not fit into memory", path,
                    std::max<off_t>(status.st_size, 0));
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace elk
