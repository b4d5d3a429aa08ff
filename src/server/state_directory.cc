#include "server/state_directory.h"

#include <unistd.h>

#include <cstdlib>

namespace modelmill {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

std::string default_state_directory(const std::string& xdg_state_home, const std::string& home, bool administrator) {
  if (xdg_state_home.starts_with('/')) return xdg_state_home + "/modelmill";
  if (administrator) return "/var/lib/modelmill";
  return home.starts_with('/') ? home + "/.local/state/modelmill" : std::string();
}

std::string default_state_directory() {
  return default_state_directory(environment("XDG_STATE_HOME"), environment("HOME"), ::geteuid() == 0);
}

std::string default_cache_directory(const std::string& xdg_cache_home, const std::string& home, bool administrator) {
  if (xdg_cache_home.starts_with('/')) return xdg_cache_home + "/modelmill";
  if (administrator) return "/var/cache/modelmill";
  return home.starts_with('/') ? home + "/.cache/modelmill" : std::string();
}

std::string default_cache_directory() {
  return default_cache_directory(environment("XDG_CACHE_HOME"), environment("HOME"), ::geteuid() == 0);
}

}  // namespace modelmill
