#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "experiment/arm_totals.h"
#include "experiment/experiment_event.h"

namespace modelmill {

/// What somebody says a user did.
struct Outcome {
  uint64_t user = 0;     // stable_hash() of the sticky key's value; 0: `request` says who it was
  uint64_t request = 0;  // of the request's id
  uint8_t metric = 0;
  double value = 1;
  uint64_t id = 0;               // 0: none; outcomes are added as often as they come
  std::optional<int64_t> at_ms;  // nullopt: now
};

/// Who was given which arm, and what each did since. Times are milliseconds since 1970; those of one call after the
/// other may be somewhat earlier, where several processes tell. What changes is written as events to `log`, and apply()
/// of them in their order makes another one the same. Not synchronised.
class ExposedUsers {
 public:
  struct Plan {
    size_t arms = 0;
    std::vector<bool> binary;  // by metric
    std::chrono::milliseconds window{};
    /// Each request stands for itself, and is forgotten when its window is over.
    bool by_request = false;
    size_t most_users = 1'000'000;
    size_t most_requests = 1'000'000;  // that lead to their users; of more the oldest are forgotten
  };
  using Log = std::vector<ExperimentEvent>;

  /// Where others tell as well: so late may be what they say, so users are counted that much after their window.
  static constexpr int64_t kGraceMs = 5'000;

  explicit ExposedUsers(Plan plan);

  /// Counts the users whose window is over by then. Whether there were any, or requests to forget; where events are
  /// kept, settled_event() is to be then.
  bool settle(int64_t now_ms);
  static ExperimentEvent settled_event(int64_t now_ms);
  /// Whether an event has said when users were counted. Journals of before that don't, so there apply() takes it that
  /// they were when it wrote the others.
  bool is_told_to_settle() const { return told_to_settle_; }
  /// A request of a user was given an arm. `user` or `request` may be 0, where it has none.
  void expose(uint64_t user, uint64_t request, uint8_t arm, int64_t now_ms, Log& log);
  /// `now_ms`: when it came in.
  ExperimentCount add(const Outcome& outcome, int64_t now_ms, Log& log);
  /// Whether it is of anybody who was given an arm.
  bool knows(const Outcome& outcome) const;

  void apply(const ExperimentEvent& event);
  /// What leads to all this and no more.
  Log snapshot() const;
  /// How many events that has, about.
  size_t size() const { return open_.size() + counted_.size() + links_.size() + seen_; }

  size_t metrics() const { return plan_.binary.size(); }
  const std::vector<ArmTotals>& totals() const { return totals_; }
  uint64_t count(ExperimentCount which) const { return counts_[static_cast<size_t>(which)]; }
  bool is_full() const { return open_.size() + counted_.size() >= plan_.most_users; }
  /// Whose window is still open.
  size_t waiting() const { return open_.size(); }

 private:
  /// One whose window is open.
  struct User {
    uint8_t arm = 0;
    int64_t exposed_ms = 0;
    std::vector<double> values;  // by metric
    std::vector<uint64_t> seen;  // ids of its outcomes
  };

  void enter(uint64_t user, uint8_t arm, int64_t at_ms);
  void link(uint64_t request, uint64_t user, int64_t at_ms);
  void tally(ExperimentCount which, Log& log);
  void add_value(User& user, uint8_t metric, double value);
  std::optional<uint64_t> user_of(const Outcome& outcome) const;

  const Plan plan_;
  std::vector<ArmTotals> totals_;
  std::array<uint64_t, kExperimentCounts> counts_{};
  std::unordered_map<uint64_t, User> open_;
  std::deque<std::pair<int64_t, uint64_t>> order_;  // of open users, by exposure, or of the one before if that is later
  std::unordered_set<uint64_t> counted_;            // whose window is over; none by request
  std::unordered_map<uint64_t, uint64_t> links_;    // users by request
  std::deque<std::pair<int64_t, uint64_t>> link_order_;
  size_t seen_ = 0;
  bool told_to_settle_ = false;
};

}  // namespace modelmill
