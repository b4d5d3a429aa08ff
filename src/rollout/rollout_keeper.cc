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

/// Whether a part that has `so_far` says the same with what is `fresh`.
bool is_nothing(const RolloutWindow& fresh, const RolloutWindow& so_far) {
  const auto same = [](const ArmCounts& arm, const ArmCounts& before) {
    return arm.requests + arm.crashes == 0 && arm.memory_bytes <= before.memory_bytes;
  };
  return same(fresh.canary, so_far.canary) && same(fresh.baseline, so_far.baseline) &&
         fresh.copies.answered() + fresh.copies.shed == 0;
}

}  // namespace

RolloutKeeper::RolloutKeeper(const Catalog& catalog, RouteControl& routes, MetricRegistry& metrics, Options options)
    : catalog_(catalog),
      routes_(routes),
      metrics_(metrics),
      options_(std::move(options)),
      records_(options_.store),
      parts_(options_.store) {}

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
    if (options_.look_for_routes) options_.look_for_routes();
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
    watch.counted = counted_by(name, rollout, watch);
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

CopyCounts RolloutKeeper::copies_counted_by(const std::string& name, const Rollout& rollout) const {
  const auto shadow = shadow_at(rollout, rollout.step);
  return shadow ? options_.count_copies(name, shadow->to) : CopyCounts();
}

RolloutWindow RolloutKeeper::counted_by(const std::string& name, const Rollout& rollout, Watch& watch) const {
  const auto counted = [&](const RouteTarget& arm, ArmCounts& before, int64_t& version) {
    ArmCounts counts = options_.count(name, arm);
    counts.compute = before.compute;
    counts.crashes = before.crashes;
    counts.memory_bytes = before.memory_bytes;
    const auto pin = catalog_.pin(arm.model, arm.version, arm.label);
    if (!pin.ok()) return counts;
    counts.compute = (*pin)->stats().compute_times().counts();
    const ProcessHealth health = (*pin)->process_health();
    counts.crashes = health.failures;
    counts.memory_bytes = health.memory_bytes;
    if (std::exchange(version, (*pin)->version()) == (*pin)->version()) return counts;
    before.compute = counts.compute;
    before.crashes = counts.crashes;
    return counts;
  };
  return {counted(rollout.to, watch.counted.canary, watch.canary_version),
          counted(rollout.from, watch.counted.baseline, watch.baseline_version), copies_counted_by(name, rollout)};
}

RolloutWindow RolloutKeeper::take_fresh(const std::string& name, const Rollout& rollout, Watch& watch) const {
  RolloutWindow counted = counted_by(name, rollout, watch);
  RolloutWindow fresh = counted_since(counted, watch.counted);
  if (rollout.is_at_shadow()) count_as_shadow(fresh);
  watch.counted = std::move(counted);
  return fresh;
}

void RolloutKeeper::count(const std::string& name, Rollout& rollout, Watch& watch) {
  const TimePoint now = options_.time->now();
  RolloutWindow fresh = take_fresh(name, rollout, watch);
  const Duration passed = now - std::exchange(watch.looked_at, now);
  if (rollout.phase != RolloutPhase::kRunning) return;
  rollout.watched += std::chrono::duration_cast<std::chrono::milliseconds>(passed);
  add_to(rollout.window, fresh);
  watch.second.push_back(std::move(fresh));
  if (watch.second.size() > kLooksOfSecond) watch.second.pop_front();
}

Status RolloutKeeper::count_apart(const std::string& name) {
  MM_ASSIGN_OR_RETURN(const Record record, records_.get(name));
  if (!record.document.last || !record.document.last->is_active()) {
    watches_.erase(name);
    return ok_status();
  }
  const Rollout& rollout = *record.document.last;
  Watch& watch = watch_of(name, rollout);
  const TimePoint now = watch.looked_at = options_.time->now();
  if (!watch.part.is_of(rollout.number, rollout.step)) {
    watch.part = {name, options_.replica, rollout.number, rollout.step, {}};
    watch.is_written = true;
    watch.counted = counted_by(name, rollout, watch);
    return ok_status();
  }
  const RolloutWindow fresh = take_fresh(name, rollout, watch);
  if (rollout.phase != RolloutPhase::kRunning) return ok_status();
  watch.is_written = watch.is_written && is_nothing(fresh, watch.part.window);
  add_to(watch.part.window, fresh);
  // Of failures whoever decides is told at once.
  const bool failed = fresh.canary.errors + fresh.canary.crashes > 0;
  if (watch.is_written || (!failed && now - watch.written_at < kWrite)) return ok_status();
  watch.written_at = now;
  return write_part(watch);
}

Status RolloutKeeper::write_part(Watch& watch) {
  MM_ASSIGN_OR_RETURN(RolloutParts::Record kept, parts_.get(watch.part.key()));
  kept.document = watch.part;
  MM_RETURN_IF_ERROR(parts_.put(watch.part.key(), kept));
  watch.is_written = true;
  return ok_status();
}

Status RolloutKeeper::read_parts(bool afresh) {
  if (!parts_watch_ && options_.store) {
    MM_ASSIGN_OR_RETURN(StateStore* const kept, options_.store(false));
    auto watch = kept == nullptr ? Result<std::unique_ptr<StoreWatch>>(nullptr)
                                 : kept->watch(kRolloutParts, [this](const std::string&) { parts_changed_ = true; });
    if (watch.ok()) parts_watch_ = *std::move(watch);
  }
  // Not every store hears of all that other machines do.
  const TimePoint now = options_.time->now();
  const bool current = parts_watch_ && !afresh && now - parts_read_at_ < kWrite;
  if (!parts_changed_.exchange(false) && current) return ok_status();
  auto all = parts_.all();
  if (!all.ok()) parts_changed_ = true;
  MM_RETURN_IF_ERROR(all.status());
  known_parts_ = *std::move(all);
  parts_read_at_ = now;
  return ok_status();
}

Status RolloutKeeper::take_parts(const std::string& name, Rollout& rollout, Watch& watch) {
  // Before it decided, others did.
  if (!watch.is_written && watch.part.is_of(rollout.number, rollout.step)) MM_RETURN_IF_ERROR(write_part(watch));
  MM_RETURN_IF_ERROR(read_parts(!rollout.is_active()));
  RolloutWindow others;
  for (const auto& [key, kept] : known_parts_) {
    if (kept.document.route != name) continue;
    if (rollout.is_active() && kept.document.is_of(rollout.number, rollout.step)) {
      add_to(others, kept.document.window);
      continue;
    }
    parts_changed_ = true;
    if (Status status = parts_.remove(key, kept); !status.ok() && status.code() != Code::kAborted) return status;
  }
  if (rollout.phase != RolloutPhase::kRunning) return ok_status();
  if (!watch.second.empty()) add_to(watch.second.back(), counted_since(others, rollout.others));
  rollout.others = std::move(others);
  return ok_status();
}

Status RolloutKeeper::look_at(const std::string& name) {
  if (!records_.hold(name)) return count_apart(name);
  MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
  if (!record.document.last) {
    watches_.erase(name);
    return ok_status();
  }
  Rollout& rollout = *record.document.last;
  if (!rollout.is_placed) MM_RETURN_IF_ERROR(place(name, record));
  if (!rollout.is_active()) {
    Status status = take_parts(name, rollout, watches_[name]);
    watches_.erase(name);
    records_.release(name);
    return status;
  }
  Watch& watch = watch_of(name, rollout);
  count(name, rollout, watch);
  Status taken = take_parts(name, rollout, watch);
  records_.keep(name, record);  // whatever others' parts are like: what was counted now isn't counted again
  MM_RETURN_IF_ERROR(decide_for(name, record, watch, taken.ok()));
  const TimePoint now = options_.time->now();
  const auto it = watches_.find(name);
  if (it == watches_.end() || now - it->second.written_at < kWrite) return taken;
  it->second.written_at = now;
  MM_RETURN_IF_ERROR(records_.put(name, record));
  return taken;
}

std::string RolloutKeeper::crash_of(const Rollout& rollout) const {
  const auto available = [this](const RouteTarget& arm) {
    if (catalog_.loads_on_demand(arm.model)) return ok_status();
    const auto pin = catalog_.pin(arm.model, arm.version, arm.label);
    return pin.ok() ? (*pin)->availability() : pin.status();
  };
  const Status canary = available(rollout.to);
  if (!canary.ok() && available(rollout.from).ok()) return "the canary can't be asked: " + canary.message();
  if (!is_crash(rollout.seen())) return "";
  const auto pin = catalog_.pin(rollout.to.model, rollout.to.version, rollout.to.label);
  // It may have been another process's.
  const bool is_own = rollout.window.canary.crashes > 0 && pin.ok();
  const std::string reason = is_own ? (*pin)->process_health().last_failure : "";
  return "the canary crashed" + (reason.empty() ? "" : ": " + reason);
}

bool RolloutKeeper::is_overruled(const std::string& name, const Rollout& rollout) const {
  const auto text = [](const std::optional<RouteDefinition>& route) { return route ? route_json(*route) : ""; };
  return text(route_of(name)) != text(rollout.wanted);
}

Status RolloutKeeper::decide_for(const std::string& name, Record& record, Watch& watch, bool knows_all) {
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
  if (!knows_all) return ok_status();
  const bool hold_is_over = rollout.watched >= rollout.plan.steps[rollout.step].hold;
  const RolloutDecision decision = decide(rollout.plan, rollout.step, hold_is_over, rollout.seen());
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
