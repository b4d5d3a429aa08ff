#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "client/http_client.h"

namespace modelmill {

/// What became of a batch that was sent, by the rules of OTLP over HTTP.
struct ExportOutcome {
  enum class Kind {
    kTaken,     // maybe but for some spans
    kTryAgain,  // what stood in the way may pass
    kRefused,
  };
  Kind kind = Kind::kTaken;
  int64_t rejected = 0;
  std::string why;
  /// What speaks against that it was a collector that took them; empty: nothing.
  std::string doubt = {};
  /// What the collector asks to wait first.
  std::optional<std::chrono::milliseconds> pause = {};
};

ExportOutcome outcome_of(const Result<ClientReply>& reply);

/// How often a batch is sent, at most.
inline constexpr int kMostAttempts = 5;
/// The longest that a collector may ask to wait.
inline constexpr std::chrono::milliseconds kLongestPause{30'000};

/// What passes until a batch is sent again that has been `attempts` times: `first`, half as much more each time, or as
/// long as the collector asks; a half of it more or less by `chance` from 0 to 1, so that senders don't keep step.
/// nullopt: it isn't.
std::optional<std::chrono::milliseconds> pause_after(int attempts, const ExportOutcome& outcome,
                                                     std::chrono::milliseconds first, double chance);

}  // namespace modelmill
