// Threads for work that is cut into fixed blocks, so that results do not depend on how many threads there
// are.
#pragma once

#include <cstdint>
#include <functional>

namespace elk {

/// How many threads the work of the calling thread may use; 1 until set. ValueError unless n is from 1 to
/// 256.
void set_threads(int n);
/// How many threads the work of the calling thread may use.
int threads();

/// Processors that this process may run on.
int available_processors();

/// Calls body(i) once for each i in [0, blocks), on up to threads() threads including the caller; returns
/// when all are done. Blocks may run in any order and at the same time, so each must write only its own data.
/// If blocks throw, the exception of the first block in order is rethrown when no block is running any more:
/// it is the same one for any number of threads (whether later blocks have run is not specified). Nested
/// calls run in order on their own thread. Error when the system refuses to start the threads.
void parallel_for(std::int64_t blocks, const std::function<void(std::int64_t)>& body);

}  // namespace elk
