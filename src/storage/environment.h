#pragma once

#include <cstdlib>
#include <functional>
#include <string>

namespace modelmill {

/// Where credentials and endpoints are read from: a variable's value, empty when it is not set. Called from any thread.
using Environment = std::function<std::string(const std::string& name)>;

inline Environment process_environment() {
  return [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
}

}  // namespace modelmill
