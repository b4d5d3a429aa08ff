#include "experiment/experiment_spool.h"

#include <algorithm>
#include <optional>

#include "base/private_file.h"

namespace modelmill {
namespace {

using Kind = ExperimentEvent::Kind;

/// With what comes of each, and its mark, it fits in a batch of a journal.
constexpr size_t kMostAtOnce = 20'000;
/// Then another file follows, and the reader takes the first one away.
constexpr uint64_t kMostOfPart = 200'000;

}  // namespace

Status ExperimentSpool::add(Part& part, ExperimentFiles::Kind kind, std::span<const ExperimentEvent> events) {
  if (part && (part->events() >= kMostOfPart || !part->is_there())) {
    MM_RETURN_IF_ERROR(part->sync());
    part.reset();
  }
  if (!part) {
    MM_RETURN_IF_ERROR(make_private_folder(files_.folder()));
    MM_ASSIGN_OR_RETURN(part, ExperimentJournal::make(files_.part(replica_, made_++, kind)));
  }
  return part->append(events);
}

Status ExperimentSpool::announce() { return add(users_, ExperimentFiles::Kind::kUsers, {}); }

void ExperimentSpool::give(uint64_t user, uint64_t request, uint8_t arm, int64_t now_ms, ExposedUsers::Log& log) {
  ExperimentEvent& event = log.emplace_back();
  event.kind = Kind::kGiven;
  event.arm = arm;
  event.at_ms = now_ms;
  event.user = user;
  event.other = request;
}

Status ExperimentSpool::leave_users(const ExposedUsers::Log& log) {
  for (std::span<const ExperimentEvent> rest = log; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), kMostAtOnce));
    MM_RETURN_IF_ERROR(add(users_, ExperimentFiles::Kind::kUsers, some));
    rest = rest.subspan(some.size());
  }
  return ok_status();
}

Status ExperimentSpool::leave_outcomes(const std::vector<Outcome>& outcomes, int64_t now_ms) {
  ExposedUsers::Log log;
  log.reserve(outcomes.size() * kEventsOfOutcome);
  for (const Outcome& outcome : outcomes) {
    if (outcome.at_ms) {
      ExperimentEvent& at = log.emplace_back();
      at.kind = Kind::kToldAt;
      at.at_ms = *outcome.at_ms;
    }
    ExperimentEvent& told = log.emplace_back();
    told.kind = Kind::kTold;
    told.arm = outcome.user == 0 ? 1 : 0;
    told.metric = outcome.metric;
    told.at_ms = now_ms;
    told.user = outcome.user == 0 ? outcome.request : outcome.user;
    told.other = outcome.id;
    told.value = outcome.value;
  }
  return log.empty() ? ok_status() : add(outcomes_, ExperimentFiles::Kind::kOutcomes, log);
}

Status ExperimentSpool::sync() {
  if (users_) MM_RETURN_IF_ERROR(users_->sync());
  return outcomes_ ? outcomes_->sync() : ok_status();
}

void take_left(std::span<const ExperimentEvent> batch, int64_t now_ms, ExposedUsers& users, ExposedUsers::Log& log,
               std::vector<ExperimentCount>& became) {
  std::optional<int64_t> at;
  for (const ExperimentEvent& event : batch) {
    const int64_t came_ms = std::min(event.at_ms, now_ms);
    if (event.kind == Kind::kGiven && event.arm < users.totals().size()) {
      users.expose(event.user, event.other, event.arm, came_ms, log);
    } else if (event.kind == Kind::kToldAt) {
      at = event.at_ms;
    } else if (event.kind == Kind::kTold && event.metric < users.metrics()) {
      Outcome outcome;
      (event.arm == 1 ? outcome.request : outcome.user) = event.user;
      outcome.metric = event.metric;
      outcome.value = event.value;
      outcome.id = event.other;
      outcome.at_ms = std::exchange(at, std::nullopt);
      became.push_back(users.add(outcome, came_ms, log));
    }
  }
}

}  // namespace modelmill
