#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What is done to a rollout by hand.
enum class RolloutAction { kPause, kResume, kAbort, kPromote };

/// What clients may ask of rollouts. Documents are JSON, as docs/rollouts.md has them. Thread-safe. Calls block until
/// they are written and in force, so they are nothing for a loop. Errors change nothing.
class RolloutControl {
 public:
  virtual ~RolloutControl() = default;

  /// The last rollout of every name.
  virtual Result<std::string> list() = 0;
  /// NOT_FOUND when there has never been one of that name.
  virtual Result<std::string> show(const std::string& name) = 0;
  virtual Result<std::string> history(const std::string& name) = 0;
  /// Begins one of a route or model. INVALID_ARGUMENT for what `request` says, NOT_FOUND for a name that is neither,
  /// FAILED_PRECONDITION while another one runs, or for a canary that is not ready.
  virtual Result<std::string> start(const std::string& name, std::string_view request, const std::string& by) = 0;
  /// FAILED_PRECONDITION for what is not possible in its state.
  virtual Result<std::string> act(const std::string& name, RolloutAction action, const std::string& by) = 0;
};

}  // namespace modelmill
