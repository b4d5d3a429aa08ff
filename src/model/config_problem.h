#pragma once

#include <string>

#include "base/status.h"

namespace modelmill {

/// Something wrong in a configuration.
struct ConfigProblem {
  Code code = Code::kInvalidArgument;
  /// "file:line:column", or the file or folder alone.
  std::string place;
  /// What is wrong and what to do.
  std::string message;
};

/// "place: message".
inline Status status_of(const ConfigProblem& problem) {
  return {problem.code, problem.place.empty() ? problem.message : problem.place + ": " + problem.message};
}

}  // namespace modelmill
