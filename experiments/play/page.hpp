// The page: one file of HTML with everything in it.
#pragma once

#include <string>

namespace elk::play {

/// The page. Error, which says what to install, where this build has no module of WebAssembly.
std::string whole_page();

}  // namespace elk::play
