#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "experiment/experiment_event.h"
#include "experiment/experiment_files.h"
#include "experiment/experiment_journal.h"
#include "experiment/exposed_users.h"

namespace modelmill {

/// Of the outcomes' events of a batch, so that they stay together.
inline constexpr size_t kEventsOfOutcome = 2;

/// What a process leaves for the one that decides on an experiment: who got which arm here, and which outcomes came in.
/// Not synchronised.
class ExperimentSpool {
 public:
  /// `made`: how many parts this process has made; none is called as one before.
  ExperimentSpool(ExperimentFiles files, std::string replica, uint64_t& made)
      : files_(std::move(files)), replica_(std::move(replica)), made_(made) {}

  /// Whoever decides sees from now on that it is not alone.
  Status announce();
  /// Adds a request that was given an arm to `log`; `user` or `request` may be 0.
  static void give(uint64_t user, uint64_t request, uint8_t arm, int64_t now_ms, ExposedUsers::Log& log);
  Status leave_users(const ExposedUsers::Log& log);
  /// All of them or none, and they outlast the process.
  Status leave_outcomes(const std::vector<Outcome>& outcomes, int64_t now_ms);
  /// What was left outlasts the machine.
  Status sync();

 private:
  using Part = std::unique_ptr<ExperimentJournal>;

  Status add(Part& part, ExperimentFiles::Kind kind, std::span<const ExperimentEvent> events);

  const ExperimentFiles files_;
  const std::string replica_;
  uint64_t& made_;
  Part users_, outcomes_;
};

/// What a batch of an ExperimentSpool's says, done: users are exposed, outcomes added; none later than `now_ms`, as its
/// writer's clock may be ahead. Adds what became of outcomes.
void take_left(std::span<const ExperimentEvent> batch, int64_t now_ms, ExposedUsers& users, ExposedUsers::Log& log,
               std::vector<ExperimentCount>& became);

}  // namespace modelmill
