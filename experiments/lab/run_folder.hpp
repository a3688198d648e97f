// The folder that a run leaves: config.json, history.jsonl, model.safetensors, checkpoint.safetensors,
// curves.
#pragma once

#include <string>

namespace elk::lab {

/// The next free runs/<program>-N, made. Safe when several programs ask at once. FileError when it cannot be
/// made.
std::string new_run_folder(const std::string& program);

/// The runs/<program>-N of the highest N; UsageError when there is none.
std::string latest_run_folder(const std::string& program);

/// Makes `folder` for a new run. UsageError when it holds a run already: nothing is ever overwritten.
void claim_run_folder(const std::string& folder);

}  // namespace elk::lab
