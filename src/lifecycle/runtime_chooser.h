#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "catalog/runtime_report.h"
#include "catalog/version_stats.h"
#include "lifecycle/load_settings.h"
#include "lifecycle/runtime_verdict.h"

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
/// if it promises something; later, when the traffic has changed, only if it promises much, and not often. What clients
/// get then is held to what they got before: where that is no better, the one before takes over again. If it then gives
/// them less than the other did, the machine was only quieter before, and the other one is taken for good.
class RuntimeChooser {
 public:
  /// What runs now. With `known`, from a life before, nothing is compared again.
  RuntimeChooser(RuntimeLayout current, std::shared_ptr<const RuntimeKnowledge> known)
      : current_(std::move(current)), known_(std::move(known)) {}

  struct Step {
    enum class Kind { kNothing, kCompare, kSwap, kJudged };
    Kind kind = Kind::kNothing;
    RuntimeLayout layout = {};  // kSwap: to which
    std::string reason = {};
  };
  /// `served` counts up over the version's life. After kCompare and kSwap one of those below is called before the next
  /// observe(); with kSwap back to the layout before, and with kJudged, known() has changed.
  Step observe(TimePoint now, const VersionStats::View& served);

  void compared(std::shared_ptr<const RuntimeKnowledge> known);
  /// What is known, with what is about to be chosen.
  void show(std::shared_ptr<const RuntimeKnowledge> known) { known_ = std::move(known); }
  /// They can't be compared; it is not tried again.
  void not_compared() { given_up_ = true; }
  /// Another layout serves; or could not be made to, and isn't tried again.
  void swapped(const RuntimeLayout& layout);
  void not_swapped(const RuntimeLayout& layout, const std::string& why);

  const RuntimeLayout& current() const { return current_; }
  const std::shared_ptr<const RuntimeKnowledge>& known() const { return known_; }

 private:
  /// A layout that has taken over and must show what it brings.
  struct Probation {
    RuntimeLayout before;
    ServedTraffic served_before;
    double best = 0;            // gain of the windows so far
    ServedTraffic served = {};  // in the best of them
    int windows = 0;            // that could be judged
    int unlike = 0;             // that could not
  };

  /// A layout that was taken back, and what clients got of it.
  struct TakenBack {
    RuntimeLayout layout;
    ServedTraffic served;
  };

  void meet(TimePoint now, const VersionStats::View& served);
  void begin_window(int skip);
  Step judge(TimePoint now);
  Step look_back(TimePoint now);
  Step look_for_better(TimePoint now);
  void note(const RuntimeLayout& layout, const std::string& seen);

  RuntimeLayout current_;
  std::shared_ptr<const RuntimeKnowledge> known_;
  bool given_up_ = false;
  std::optional<TimePoint> changed_;  // when another layout was chosen last

  std::optional<TimePoint> seen_;  // the last time
  uint64_t requests_ = 0, rows_ = 0, busy_ns_ = 0;
  uint64_t first_requests_ = 0;
  double rows_in_flight_ = 0;  // while there were any; 0: there were none yet

  ServedTraffic window_;  // of the latest looks at which there was traffic
  int looks_ = 0;         // that window_ has
  int skip_ = 1;          // looks that do not count: something else was going on
  std::optional<Probation> probation_;
  std::optional<TakenBack> taken_back_;
  std::optional<RuntimeLayout> swapping_from_;
  std::vector<std::pair<RuntimeLayout, TimePoint>> rejected_;  // not tried again until then
};

/// `report` with what is chosen, and why.
RuntimeReport with_choice(RuntimeReport report, const RuntimeLayout& chosen, std::string reason);

}  // namespace modelmill
