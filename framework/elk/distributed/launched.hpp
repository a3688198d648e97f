// Whether an MPI launcher has started this process; known from the environment alone, without MPI.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace elk::distributed {

/// How many processes mpirun, mpiexec or srun says that it has started, including this one; 1 without any of
/// them.
inline int launched() {
  int most = 1;
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    // srun tells the size of any step; only with PMIx does its process take part in MPI.
    if (std::strncmp(name, "SLURM", 5) == 0 && std::getenv("PMIX_RANK") == nullptr) continue;
    if (const char* value = std::getenv(name)) most = std::max(most, std::atoi(value));
  }
  return most;
}

}  // namespace elk::distributed
