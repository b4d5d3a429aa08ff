#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/route_definition.h"
#include "rollout/rollout_decision.h"
#include "rollout/rollout_plan.h"

namespace modelmill {

enum class RolloutPhase { kRunning, kPaused, kPromoted, kRolledBack, kAborted };
/// "running", "paused", "promoted", "rolled back", "aborted".
const char* rollout_phase_name(RolloutPhase phase);

/// One rollout, as it stands.
struct Rollout {
  uint64_t number = 0;  // from 1 on, of this name
  std::string started_at;
  RouteTarget to, from;  // canary and baseline
  RolloutPlan plan;
  std::optional<RouteDefinition> before;  // the route that it found; nullopt: none, the name is a model's
  std::optional<RouteDefinition> wanted;  // what it wants in force; nullopt: no route of the name
  bool is_placed = false;                 // `wanted` has been put in force since it was decided
  RolloutPhase phase = RolloutPhase::kRunning;
  bool is_held = false;  // for want of traffic
  std::string why;       // it is in that state
  size_t step = 0;
  std::chrono::milliseconds watched{0};  // at the step, without pauses
  RolloutWindow window;                  // at the step, as those counted that have decided for it
  RolloutWindow others;                  // and as other processes that share the store counted it

  bool is_active() const { return phase == RolloutPhase::kRunning || phase == RolloutPhase::kPaused; }
  bool is_at_shadow() const { return plan.steps[step].is_shadow; }
  /// By which is decided.
  RolloutWindow seen() const {
    RolloutWindow all = window;
    add_to(all, others);
    return all;
  }
  /// The canary's share of the clients' requests.
  double percent() const { return is_at_shadow() ? 0 : plan.steps[step].percent; }
  bool operator==(const Rollout&) const = default;
};

/// What has become of what a file wants.
enum class RolloutWishState { kWaiting, kRunning, kReached, kPromoted, kRolledBack, kAborted };
/// "waiting", "running", "reached" (it served already), "promoted", "rolled back", "aborted".
const char* rollout_wish_state_name(RolloutWishState state);

/// The rollout that a file wants of a name. Each is begun once: when it has ended it is not begun again as long as the
/// file says the same.
struct RolloutWish {
  std::string plan;         // JSON, as rollout_plan_text() makes it
  std::string file, place;  // empty: no file wants it any more, and it is remembered as what has been
  RolloutWishState state = RolloutWishState::kWaiting;
  uint64_t rollout = 0;  // the number of the one that it began; 0: none
  std::string why;       // it waits, or is reached
  bool operator==(const RolloutWish&) const = default;
};

/// One decision, of the rollout itself or of somebody.
struct RolloutEntry {
  uint64_t number = 0;  // from 1 on, of this name
  uint64_t rollout = 0;
  std::string at;    // UTC, ISO 8601
  std::string what;  // "start", "step", "hold", "pause", "resume", "promote", "roll back" or "abort"
  std::string by;    // a client's address, or "modelmill"
  std::string why;
  double percent = 0;   // the canary's share from then on
  std::string numbers;  // JSON: what both arms did at the step before, and how the gates stood
  bool operator==(const RolloutEntry&) const = default;
};

/// What is kept of a name: its last rollout, the decisions of all, of which the oldest are forgotten, and what a file
/// wants of it.
struct RolloutDocument {
  static constexpr size_t kMostEntries = 100;

  std::optional<Rollout> last;
  std::vector<RolloutEntry> entries;
  std::optional<RolloutWish> wish;

  void add(RolloutEntry entry);
  bool operator==(const RolloutDocument&) const = default;
};

/// A route in which `to` has so many percent, and the others of `base` have the rest in the shares that they have among
/// each other. Arms with nothing are left out.
RouteDefinition with_share(const RouteDefinition& base, const RouteTarget& to, double percent);

/// The JSON document that is kept, with "format": 1, and its reading. FAILED_PRECONDITION for another format, or what
/// this release does not know and would lose by writing.
std::string rollout_document_text(const RolloutDocument& document);
Result<RolloutDocument> parse_rollout_document(const std::string& text);

}  // namespace modelmill
