#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What clients may ask of the weights of combinations. Documents are JSON, as docs/ensembles.md has them. Thread-safe.
/// Calls may block, so they are nothing for a loop. Errors change nothing.
class WeightControl {
 public:
  virtual ~WeightControl() = default;

  /// The combinations that are loaded and take weights.
  virtual Result<std::string> list() = 0;
  /// NOT_FOUND when there is no such one.
  virtual Result<std::string> show(const std::string& name) = 0;
  /// What would have been right for requests that were answered: one, or a batch. What is not understood, or doesn't
  /// suit its request, is an error for the whole batch; ids that are unknown or counted already are told of.
  virtual Result<std::string> feedback(const std::string& name, std::string_view batch) = 0;
  /// Sets the weights of all members.
  virtual Result<std::string> set(const std::string& name, std::string_view request, const std::string& by) = 0;
  /// Whether feedback moves them from now on.
  virtual Result<std::string> freeze(const std::string& name, bool frozen, const std::string& by) = 0;
  /// As the configuration says again.
  virtual Result<std::string> reset(const std::string& name, const std::string& by) = 0;
};

}  // namespace modelmill
