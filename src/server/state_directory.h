#pragma once

#include <string>

namespace modelmill {

/// Where a server keeps what should outlast it: $XDG_STATE_HOME/modelmill, or /var/lib/modelmill for the administrator,
/// or .local/state/modelmill in the home folder. Empty when there is no home. `xdg_state_home` and `home` are the
/// environment's, empty when not set.
std::string default_state_directory(const std::string& xdg_state_home, const std::string& home, bool administrator);
/// For this process.
std::string default_state_directory();

/// Where copies of models that are elsewhere are kept: $XDG_CACHE_HOME/modelmill, or /var/cache/modelmill for the
/// administrator, or .cache/modelmill in the home folder.
std::string default_cache_directory(const std::string& xdg_cache_home, const std::string& home, bool administrator);
/// For this process.
std::string default_cache_directory();

}  // namespace modelmill
