#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "catalog/runtime_report.h"
#include "catalog/version_stats.h"
#include "lifecycle/load_settings.h"

namespace modelmill {

/// What is known of the runtimes of a version, and of its batches, which all of them share.
struct RuntimeKnowledge {
  RuntimeReport report;
  std::optional<BatchingDecision> batching;
};

/// Decides when a version's runtimes are compared, and which of them runs it, from the traffic that it sees. One for
/// each version; asked at regular intervals. Not synchronised; knows no clock.
///
/// They are compared once the version has answered some requests. Then the best one for the rows in flight takes over
/// if it brings something; later, when the traffic has changed, only if it brings much, and not often.
class RuntimeChooser {
 public:
  /// What runs now. With `known`, from a life before, nothing is compared again.
  RuntimeChooser(RuntimeLayout current, std::shared_ptr<const RuntimeKnowledge> known)
      : current_(std::move(current)), known_(std::move(known)) {}

  struct Step {
    enum class Kind { kNothing, kCompare, kSwap };
    Kind kind = Kind::kNothing;
    RuntimeLayout layout = {};  // kSwap: to which
    std::string reason = {};
  };
  /// `served` counts up over the version's life. After a step that is not kNothing, one of the three below is called
  /// before the next observe().
  Step observe(TimePoint now, const VersionStats::View& served);

  void compared(std::shared_ptr<const RuntimeKnowledge> known) { known_ = std::move(known); }
  /// They can't be compared; it is not tried again.
  void not_compared() { given_up_ = true; }
  /// Another layout serves; or could not be made to, and isn't tried again.
  void swapped(const RuntimeLayout& layout);
  void not_swapped(const RuntimeLayout& layout, const std::string& why);

  const RuntimeLayout& current() const { return current_; }
  const std::shared_ptr<const RuntimeKnowledge>& known() const { return known_; }

 private:
  void meet(TimePoint now, const VersionStats::View& served);

  RuntimeLayout current_;
  std::shared_ptr<const RuntimeKnowledge> known_;
  bool given_up_ = false;
  std::optional<TimePoint> changed_;  // when another layout was chosen last

  std::optional<TimePoint> seen_;  // the last time
  uint64_t requests_ = 0, rows_ = 0, busy_ns_ = 0;
  uint64_t first_requests_ = 0;
  double rows_in_flight_ = 0;  // while there were any; 0: there were none yet
};

/// `report` with what is chosen, and why.
RuntimeReport with_choice(RuntimeReport report, const RuntimeLayout& chosen, std::string reason);

}  // namespace modelmill
