#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What clients may ask of experiments. Documents are JSON, as docs/experiments.md has them. Thread-safe. Calls block
/// until they are written and in force, so they are nothing for a loop. Errors change nothing.
class ExperimentControl {
 public:
  virtual ~ExperimentControl() = default;

  /// The last experiment of every name.
  virtual Result<std::string> list() = 0;
  /// NOT_FOUND when there has never been one of that name.
  virtual Result<std::string> show(const std::string& name) = 0;
  /// Begins one. INVALID_ARGUMENT for what `request` says, NOT_FOUND for its route, FAILED_PRECONDITION while another
  /// one of that name or route runs.
  virtual Result<std::string> start(const std::string& name, std::string_view request, const std::string& by) = 0;
  /// What users did: one outcome or a batch, taken as a whole or not at all.
  virtual Result<std::string> outcomes(const std::string& name, std::string_view batch) = 0;
  /// Ends it, and gives all of the route to `request`'s arm, or to the winner. FAILED_PRECONDITION without one.
  virtual Result<std::string> deploy(const std::string& name, std::string_view request, const std::string& by) = 0;
  /// Ends it, and leaves the route.
  virtual Result<std::string> stop(const std::string& name, const std::string& by) = 0;
};

}  // namespace modelmill
