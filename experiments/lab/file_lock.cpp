#include <lab/file_lock.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace elk::lab {

bool lock_byte(int file, std::int64_t position, short type, bool wait) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(position);
  lock.l_len = 1;
  while (::fcntl(file, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) != 0)
    if (errno != EINTR) return false;
  return true;
}

}  // namespace elk::lab
