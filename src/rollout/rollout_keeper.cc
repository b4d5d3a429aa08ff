#include "rollout/rollout_keeper.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "rollout/rollout_copies.h"
#include "rollout/rollout_view.h"

namespace modelmill {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(200);
/// How often a window is written, and so how much of it a kill loses.
constexpr Duration kWrite = std::chrono::seconds(2);
/// How often rollouts are looked for that other processes have begun.
constexpr Duration kFind = std::chrono::seconds(2);
constexpr size_t kLooksOfSecond = 5;

constexpr const char* kItself = "modelmill";

/// What the canary has done as a shadow: the copies are its requests. All of its executions' computing counts, whatever
/// their sizes.
void count_as_shadow(RolloutWindow& window) {
  ArmCounts& canary = window.canary;
  canary.requests = window.copies.answered();
  canary.errors = window.copies.failed;
  canary.latency.clear();
  for (const auto& [rows, counts] : canary.compute) add_to(canary.latency, counts);
}

}  // namespace

RolloutKeeper::RolloutKeeper(const Catalog& catalog, RouteControl& routes, MetricRegistry& metrics, Options options)
    : catalog_(catalog), routes_(routes), metrics_(metrics), options_(std::move(options)), records_(options_.store) {}

RolloutKeeper::~RolloutKeeper() { stop(); }

void RolloutKeeper::begin_looking() {
  steward_.every(kLook, [this](TimePoint) { look(); });
  steward_.start();
}

void RolloutKeeper::stop() { steward_.stop(); }

void RolloutKeeper::look() {
  const MutexLock lock(mutex_);
  const TimePoint now = options_.time->now();
  if (listed_at_ == TimePoint{} || now - listed_at_ >= kFind) {
    listed_at_ = now;
    if (const Status status = find_rollouts(); !status.ok())
      Log::error("rollouts can't be read", {{"reason", status.message()}});
  }
  std::vector<std::string> names;
  for (const auto& [name, watch] : watches_) names.push_back(name);
  for (const std::string& name : names) {
    const Status status = look_at(name);
    const auto it = watches_.find(name);
    if (it == watches_.end()) continue;
    // Another process was faster: the next look sees what it did.
    const std::string problem = status.code() == Code::kAborted ? "" : status.message();
    if (!problem.empty() && it->second.problem != problem)
      Log::error("a rollout can't go on", {{"route", name}, {"reason", problem}});
    it->second.problem = problem;
  }
}

Status RolloutKeeper::find_rollouts() {
  MM_ASSIGN_OR_RETURN(const auto all, records_.all());
  for (const auto& [name, record] : all)
    if (record.document.last && (record.document.last->is_active() || !record.document.last->is_placed))
      watches_.try_emplace(name);
  for (const auto& [name, kept] : all) {
    if (!wished_.contains(name)) continue;  // a file of another process wants it
    Record record = kept;
    const Status status = try_wish(name, record);
    if (!status.ok() && status.code() != Code::kAborted)
      Log::error("a rollout that a file wants can't be tried", {{"route", name}, {"reason", status.message()}});
  }
  return ok_status();
}

RolloutKeeper::Watch& RolloutKeeper::watch_of(const std::string& name, const Rollout& rollout) {
  Watch& watch = watches_[name];
  if (watch.number != rollout.number) {
    watch = Watch();
    watch.number = rollout.number;
    watch.looked_at = watch.written_at = options_.time->now();
    watch.counted = counted_by(name, rollout);
    watch.percent = metrics_.gauge("modelmill_rollout_percent", "The canary's share while a rollout of the route runs",
                                   {{"route", name}});
    watch.copied_percent = metrics_.gauge(
        "modelmill_rollout_copied_percent",
        "Of the requests, those that are computed a second time for a rollout, to be compared", {{"route", name}});
  }
  watch.percent->set(rollout.percent());
  watch.copied_percent->set(copied_percent(rollout, rollout.step));
  return watch;
}

RolloutWindow RolloutKeeper::counted_by(const std::string& name, const Rollout& rollout) const {
  const auto counted = [&](const RouteTarget& arm) {
    ArmCounts counts = options_.count(name, arm);
    const auto pin = catalog_.pin(arm.model, arm.version, arm.label);
    if (!pin.ok()) return counts;
    counts.compute = (*pin)->stats().compute_times().counts();
    const ProcessHealth health = (*pin)->process_health();
    counts.crashes = health.failures;
    counts.memory_bytes = health.memory_bytes;
    return counts;
  };
  RolloutWindow window{counted(rollout.to), counted(rollout.from), {}};
  if (const auto shadow = shadow_at(rollout, rollout.step)) window.copies = options_.count_copies(name, shadow->to);
  return window;
}

void RolloutKeeper::count(const std::string& name, Rollout& rollout, Watch& watch) {
  const TimePoint now = options_.time->now();
  RolloutWindow counted = counted_by(name, rollout);
  RolloutWindow fresh{counted_since(counted.canary, watch.counted.canary),
                      counted_since(counted.baseline, watch.counted.baseline),
                      counted_since(counted.copies, watch.counted.copies)};
  if (rollout.is_at_shadow()) count_as_shadow(fresh);
  watch.counted = std::move(counted);
  const Duration passed = now - std::exchange(watch.looked_at, now);
  if (rollout.phase != RolloutPhase::kRunning) return;
  rollout.watched += std::chrono::duration_cast<std::chrono::milliseconds>(passed);
  add_to(rollout.window.canary, fresh.canary);
  add_to(rollout.window.baseline, fresh.baseline);
  add_to(rollout.window.copies, fresh.copies);
  watch.second.push_back(std::move(fresh));
  if (watch.second.size() > kLooksOfSecond) watch.second.pop_front();
}

Status RolloutKeeper::look_at(const std::string& name) {
  if (!records_.hold(name)) {
    watches_[name].number = 0;  // what is counted here is nobody's
    return ok_status();
  }
  MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
  if (!record.document.last) {
    watches_.erase(name);
    return ok_status();
  }
  Rollout& rollout = *record.document.last;
  if (!rollout.is_placed) MM_RETURN_IF_ERROR(place(name, record));
  if (!rollout.is_active()) {
    watches_.erase(name);
    records_.release(name);
    return ok_status();
  }
  Watch& watch = watch_of(name, rollout);
  count(name, rollout, watch);
  records_.keep(name, record);
  MM_RETURN_IF_ERROR(decide_for(name, record, watch));
  const TimePoint now = options_.time->now();
  const auto it = watches_.find(name);
  if (it == watches_.end() || now - it->second.written_at < kWrite) return ok_status();
  it->second.written_at = now;
  return records_.put(name, record);
}

std::string RolloutKeeper::crash_of(const Rollout& rollout) const {
  const auto available = [this](const RouteTarget& arm) {
    if (catalog_.loads_on_demand(arm.model)) return ok_status();
    const auto pin = catalog_.pin(arm.model, arm.version, arm.label);
    return pin.ok() ? (*pin)->availability() : pin.status();
  };
  const Status canary = available(rollout.to);
  if (!canary.ok() && available(rollout.from).ok()) return "the canary can't be asked: " + canary.message();
  if (!is_crash(rollout.window)) return "";
  const auto pin = catalog_.pin(rollout.to.model, rollout.to.version, rollout.to.label);
  return "the canary crashed" + (pin.ok() ? ": " + (*pin)->process_health().last_failure : std::string());
}

bool RolloutKeeper::is_overruled(const std::string& name, const Rollout& rollout) const {
  const auto text = [](const std::optional<RouteDefinition>& route) { return route ? route_json(*route) : ""; };
  return text(route_of(name)) != text(rollout.wanted);
}

Status RolloutKeeper::decide_for(const std::string& name, Record& record, Watch& watch) {
  Rollout& rollout = *record.document.last;
  if (rollout.phase != RolloutPhase::kRunning) return ok_status();
  if (const std::string crash = crash_of(rollout); !crash.empty())
    return finish(name, record, RolloutPhase::kRolledBack, kItself, crash);
  RolloutWindow second;
  for (const RolloutWindow& part : watch.second) {
    add_to(second.canary, part.canary);
    add_to(second.baseline, part.baseline);
  }
  if (is_error_burst(second))
    return finish(name, record, RolloutPhase::kRolledBack, kItself,
                  "a burst of errors: " + std::to_string(second.canary.errors) + " of the canary's last " +
                      std::to_string(second.canary.requests) + (rollout.is_at_shadow() ? " copies" : " requests") +
                      " in a second failed, and " + std::to_string(second.baseline.errors) + " of the baseline's " +
                      std::to_string(second.baseline.requests));
  if (is_overruled(name, rollout))
    return pause(name, record, kItself, "the route was changed by others; resume puts the rollout's shares back");
  const bool hold_is_over = rollout.watched >= rollout.plan.steps[rollout.step].hold;
  const RolloutDecision decision = decide(rollout.plan, rollout.step, hold_is_over, rollout.window);
  switch (decision.verdict) {
    case RolloutVerdict::kWait: rollout.why = decision.why; return ok_status();
    case RolloutVerdict::kHold: return hold(name, record, decision.why);
    case RolloutVerdict::kGoOn: return enter_step(name, record, decision.why);
    case RolloutVerdict::kPromote: return finish(name, record, RolloutPhase::kPromoted, kItself, decision.why);
    case RolloutVerdict::kRollBack: return finish(name, record, RolloutPhase::kRolledBack, kItself, decision.why);
  }
  return ok_status();
}

Result<std::string> RolloutKeeper::list() {
  const MutexLock lock(mutex_);
  MM_ASSIGN_OR_RETURN(const auto all, records_.all());
  return rollout_list_json(all);
}

Result<std::string> RolloutKeeper::show(const std::string& name) {
  const MutexLock lock(mutex_);
  MM_ASSIGN_OR_RETURN(const Record record, records_.get(name));
  if (!record.document.last && !record.document.wish) return not_found("there has been no rollout of '" + name + "'");
  return rollout_json(name, record.document);
}

Result<std::string> RolloutKeeper::history(const std::string& name) {
  const MutexLock lock(mutex_);
  MM_ASSIGN_OR_RETURN(const Record record, records_.get(name));
  if (!record.document.last) return not_found("there has been no rollout of '" + name + "'");
  return rollout_history_json(name, record.document);
}

}  // namespace modelmill
