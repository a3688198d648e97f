// Locks of the kernel on bytes of a file: they end with the process that holds them, however it ends.
#pragma once

#include <cstdint>

namespace elk::lab {

/// Locks (F_WRLCK, F_RDLCK) or frees (F_UNLCK) the byte at `position`, which need not exist, of an open file
/// for whoever has it open by this descriptor. False, with errno, when that cannot be done: of a lock that
/// another one has (EAGAIN), unless it is to `wait`.
bool lock_byte(int file, std::int64_t position, short type, bool wait);

}  // namespace elk::lab
