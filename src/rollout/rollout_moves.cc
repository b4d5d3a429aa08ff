#include <cstdio>
#include <utility>

#include "base/log.h"
#include "rollout/memory_gates.h"
#include "rollout/rollout_copies.h"
#include "rollout/rollout_keeper.h"
#include "rollout/rollout_view.h"
#include "rollout/route_targets.h"

// What RolloutKeeper does about a rollout, by itself or by somebody's word.

namespace modelmill {
namespace {

/// Of a change that other processes are faster than, again and again.
constexpr int kMoveAttempts = 16;

constexpr const char* kDoneByServer = "modelmill";

std::string rollout_text(const std::string& name) { return "rollout of '" + name + "'"; }

std::string step_percent_text(double percent) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", percent);
  return text;
}

const char* outcome_of(RolloutPhase phase) {
  if (phase == RolloutPhase::kPromoted) return "promote";
  return phase == RolloutPhase::kAborted ? "abort" : "roll back";
}

RolloutWishState wish_state_of(RolloutPhase phase) {
  if (phase == RolloutPhase::kPromoted) return RolloutWishState::kPromoted;
  return phase == RolloutPhase::kAborted ? RolloutWishState::kAborted : RolloutWishState::kRolledBack;
}

}  // namespace

std::optional<RouteDefinition> RolloutKeeper::route_of(const std::string& name) const {
  auto history = routes_.history(name);
  return history.ok() ? history->route() : std::nullopt;
}

RolloutEntry RolloutKeeper::entry_of(const Rollout& rollout, const char* what, const std::string& by,
                                     const std::string& why) const {
  return {0, rollout.number, options_.now(), what, by, why, rollout.percent(), rollout_numbers_json(rollout)};
}

Status RolloutKeeper::carry_out(const std::string& name, Record& record, RolloutEntry entry) {
  Log::info("rollout: " + entry.what, {{"route", name},
                                       {"to", record.document.last->to.text()},
                                       {"percent", step_percent_text(entry.percent)},
                                       {"by", entry.by},
                                       {"reason", entry.why}});
  record.document.add(std::move(entry));
  record.document.last->is_placed = false;
  MM_RETURN_IF_ERROR(records_.put(name, record).with_context(rollout_text(name)));
  // From here on it is decided: what can't be placed now is placed when the rollout is looked at next.
  if (const Status status = place(name, record); !status.ok() && status.code() != Code::kAborted)
    Log::error("the route of a rollout is yet to be changed", {{"route", name}, {"reason", status.message()}});
  return ok_status();
}

Status RolloutKeeper::place(const std::string& name, Record& record) {
  Rollout& rollout = *record.document.last;
  if (is_overruled(name, rollout)) {
    const std::string by = "rollout " + std::to_string(rollout.number);
    const Status status =
        rollout.wanted ? routes_.set(*rollout.wanted, by).status() : routes_.remove(name, by).status();
    MM_RETURN_IF_ERROR(status.with_context(rollout_text(name)));
  }
  rollout.is_placed = true;
  return records_.put(name, record).with_context(rollout_text(name));
}

Status RolloutKeeper::hold(const std::string& name, Record& record, const std::string& why) {
  Rollout& rollout = *record.document.last;
  rollout.why = why;
  if (std::exchange(rollout.is_held, true)) return ok_status();
  record.document.add(entry_of(rollout, "hold", kDoneByServer, why));
  return records_.put(name, record);
}

Status RolloutKeeper::enter_step(const std::string& name, Record& record, const std::string& why) {
  Rollout& rollout = *record.document.last;
  RolloutEntry entry = entry_of(rollout, "step", kDoneByServer, why);
  ++rollout.step;
  entry.percent = rollout.percent();
  rollout.wanted = route_at(rollout, base_route(rollout), rollout.step);
  rollout.window = rollout.others = {};
  rollout.watched = {};
  rollout.is_held = false;
  rollout.why = why;
  const auto watch = watches_.find(name);
  if (watch != watches_.end()) watch->second.second.clear();
  MM_RETURN_IF_ERROR(carry_out(name, record, std::move(entry)));
  // It may be another shadow that gets copies now.
  if (watch != watches_.end()) watch->second.counted.copies = copies_counted_by(name, rollout);
  return ok_status();
}

Status RolloutKeeper::make_default(const std::string& name, const RouteTarget& winner) const {
  if (winner.model != name)
    return failed_precondition("'" + winner.model + "' is another model, so a route leads to it");
  const auto pin = catalog_.pin(winner.model, winner.version, winner.label);
  if (!pin.ok()) return pin.status();
  const auto table = catalog_.table();
  const ModelEntry* entry = table->find(name);
  const auto* const served = entry == nullptr ? nullptr : entry->find(0);
  if (served != nullptr && (*served)->version() == (*pin)->version()) return ok_status();
  return options_.make_default(name, (*pin)->version());
}

Status RolloutKeeper::finish(const std::string& name, Record& record, RolloutPhase phase, const std::string& by,
                             const std::string& why) {
  Rollout& rollout = *record.document.last;
  const bool promoted = phase == RolloutPhase::kPromoted;
  RolloutEntry entry = entry_of(rollout, outcome_of(phase), by, why);
  entry.percent = promoted ? 100 : 0;
  if (phase == RolloutPhase::kAborted && is_overruled(name, rollout)) {
    rollout.wanted = route_of(name);
    entry.why += "; the route stays as others have set it";
  } else if (rollout.before) {
    rollout.wanted = promoted ? with_share(*rollout.before, rollout.to, 100) : *rollout.before;
    // Of a canary that is gone altogether there can't be a share of nothing.
    if (!promoted && !check_targets(*rollout.wanted, *catalog_.table()).ok())
      std::erase_if(rollout.wanted->split,
                    [&](const RouteArm& arm) { return arm.to == rollout.to && arm.percent == 0; });
  } else if (const Status status = make_default(name, promoted ? rollout.to : rollout.from); status.ok()) {
    rollout.wanted = std::nullopt;
  } else {
    rollout.wanted = with_share(base_route(rollout), promoted ? rollout.to : rollout.from, 100);
    entry.why += "; the route stays: " + status.message();
  }
  rollout.phase = phase;
  rollout.is_held = false;
  rollout.why = entry.why;
  if (auto& wish = record.document.wish; wish && wish->rollout == rollout.number) wish->state = wish_state_of(phase);
  MM_RETURN_IF_ERROR(carry_out(name, record, std::move(entry)));
  std::shared_ptr<Counter>& ended = ended_[{name, outcome_of(phase)}];
  if (!ended)
    ended = metrics_.counter("modelmill_rollouts_total", "Rollouts that ended, by how",
                             {{"route", name}, {"outcome", outcome_of(phase)}});
  ended->add();
  if (const auto watch = watches_.find(name); watch != watches_.end())
    if (const Status status = take_parts(name, rollout, watch->second); !status.ok())
      Log::error("what others counted of a rollout stays", {{"route", name}, {"reason", status.message()}});
  watches_.erase(name);
  records_.release(name);
  return ok_status();
}

Status RolloutKeeper::pause(const std::string& name, Record& record, const std::string& by, const std::string& why) {
  Rollout& rollout = *record.document.last;
  rollout.phase = RolloutPhase::kPaused;
  rollout.why = why;
  rollout.is_held = false;
  record.document.add(entry_of(rollout, "pause", by, why));
  return records_.put(name, record).with_context(rollout_text(name));
}

Status RolloutKeeper::resume(const std::string& name, Record& record, const std::string& by) {
  Rollout& rollout = *record.document.last;
  rollout.phase = RolloutPhase::kRunning;
  rollout.why = "resumed by " + by;
  return carry_out(name, record, entry_of(rollout, "resume", by, "by hand"));
}

Status RolloutKeeper::do_once(const std::string& name, RolloutAction action, const std::string& by) {
  MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
  if (!record.document.last) return not_found("there has been no rollout of '" + name + "'");
  const RolloutPhase phase = record.document.last->phase;
  if (!record.document.last->is_active())
    return failed_precondition("the " + rollout_text(name) + " is " + rollout_phase_name(phase) + " already");
  switch (action) {
    case RolloutAction::kPause:
      if (phase == RolloutPhase::kPaused)
        return failed_precondition("the " + rollout_text(name) + " is paused already");
      return pause(name, record, by, "by hand");
    case RolloutAction::kResume:
      if (phase != RolloutPhase::kPaused) return failed_precondition("the " + rollout_text(name) + " is not paused");
      return resume(name, record, by);
    case RolloutAction::kAbort: return finish(name, record, RolloutPhase::kAborted, by, "by hand");
    case RolloutAction::kPromote: return finish(name, record, RolloutPhase::kPromoted, by, "by hand");
  }
  return ok_status();
}

Result<std::string> RolloutKeeper::act(const std::string& name, RolloutAction action, const std::string& by) {
  {
    const MutexLock lock(mutex_);
    Status status;
    for (int attempt = 0; attempt < kMoveAttempts; ++attempt) {
      status = do_once(name, action, by);
      if (status.code() != Code::kAborted) break;
    }
    MM_RETURN_IF_ERROR(status);
  }
  return show(name);
}

Status RolloutKeeper::begin(const std::string& name, const RolloutRequest& request, Record& record,
                            const std::string& by, bool wished) {
  RolloutDocument& document = record.document;
  if (document.last && document.last->is_active())
    return failed_precondition("a " + rollout_text(name) + " to '" + document.last->to.text() +
                               "' runs already; abort it, or wait for its end");
  if (document.last && !document.last->is_placed)
    return failed_precondition("the end of the last " + rollout_text(name) +
                               " is yet to be put in force; try again in a moment");
  const std::optional<RouteDefinition> route = route_of(name);
  const auto table = catalog_.table();
  MM_ASSIGN_OR_RETURN(Rollout rollout, plan_rollout(name, request, route ? &*route : nullptr, *table));
  if (const std::string crash = crash_of(rollout); !crash.empty())
    return failed_precondition("'" + rollout.to.text() + "' is not ready to be rolled out: " + crash);
  MM_RETURN_IF_ERROR(check_memory_gates(rollout, catalog_));
  if (rollout.is_at_shadow() && catalog_.loads_on_demand(rollout.to.model))
    return failed_precondition("model '" + rollout.to.model +
                               "' loads on demand and is not loaded, and copies for a shadow load no model; load it "
                               "before, or begin with a step of traffic");
  rollout.number = document.last ? document.last->number + 1 : 1;
  rollout.started_at = options_.now();
  rollout.why = "started by " + by;
  const std::string cost = copies_cost_text(rollout);
  if (!cost.empty()) rollout.why += "; " + cost;
  document.last = std::move(rollout);
  if (!records_.hold(name))
    return failed_precondition("another process that shares the state decides for '" + name + "'; ask it");
  if (wished) {
    document.wish->state = RolloutWishState::kRunning;
    document.wish->rollout = document.last->number;
    document.wish->why.clear();
  }
  const std::string why = wished ? "the file wants it" : "by hand";
  MM_RETURN_IF_ERROR(
      carry_out(name, record, entry_of(*document.last, "start", by, cost.empty() ? why : why + "; " + cost)));
  watch_of(name, *document.last);
  return ok_status();
}

Result<std::string> RolloutKeeper::start(const std::string& name, std::string_view request, const std::string& by) {
  MM_ASSIGN_OR_RETURN(const RolloutRequest parsed, parse_rollout_request(request));
  {
    const MutexLock lock(mutex_);
    Status status;
    for (int attempt = 0; attempt < kMoveAttempts; ++attempt) {
      MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
      status = begin(name, parsed, record, by, /*wished=*/false);
      if (status.code() != Code::kAborted) break;
    }
    MM_RETURN_IF_ERROR(status);
  }
  return show(name);
}

}  // namespace modelmill
