// Loads that failed are tried again, where the operator wants that.

#include <string>
#include <utility>

#include "base/log.h"
#include "lifecycle/controller_core.h"

namespace modelmill {
namespace {

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string retry_text(int64_t failures, const LoadRetries& retries) {
  char interval[32];
  std::snprintf(interval, sizeof interval, "%g", seconds_of(retries.interval));
  return "; it is loaded again " + std::string(interval) + " s after that: retry " + std::to_string(failures) + " of " +
         std::to_string(retries.count);
}

}  // namespace

/// After a load that failed: has another one follow. False: it is not worth it, was tried often enough, or nobody wants
/// it any more.
bool ControllerCore::try_again(ModelRecord& model, const Job& job, const Status& reason, Aftermath& after) {
  // What an ensemble lacks is its members, and it loads when they do; what served before is waited for by others.
  const bool alone = !job.target->definition.ensemble && job.files.empty();
  // With nothing served any more that which served comes back rather than to wait.
  const bool makes_room = job.target->definition.swap == SwapPolicy::kResource && model.former && !model.serves();
  if (!alone || makes_room || hurrying_ || stopping_ || !model.wants(job.version)) return false;
  VersionRecord& record = model.versions[job.version.version];
  const TimePoint now = Clock::now();
  if (!record.tries.failed(job.version.stamp, control_.retries, now)) return false;
  note_failure(model, job);
  Log::warning("model not loaded; it is tried again", {{"model", model.name},
                                                       {"version", job.version.version},
                                                       {"retry", record.tries.failures()},
                                                       {"of", control_.retries.count},
                                                       {"in_s", seconds_of(control_.retries.interval)},
                                                       {"reason", reason.message()}});
  record.reason = reason.message() + retry_text(record.tries.failures(), control_.retries);
  record.failed_code = reason.code();
  model.failed_at = now;
  if (record.tries.due(now)) {
    record.tries.begin();
    return true;
  }
  changed_.notify_all();
  // Requests don't wait that long; who had it loaded does.
  if (std::exchange(model.wanted_by_request, false) && !model.serves())
    after.calls.push_back([this, name = model.name, outcome = model.outcome()] { demand_.settle(name, outcome); });
  return true;
}

/// What was waited for, and isn't wanted any more: other files have come, it was unloaded, or it has gone.
void ControllerCore::drop_unwanted_retries(ModelRecord& model) {
  for (auto& [number, version] : model.versions)
    if (!version.tries.waiting().empty() && !model.wants({number, version.tries.waiting()})) version.tries.forget();
}

void ControllerCore::retry_loads(TimePoint now) {
  Aftermath after;
  {
    const MutexLock lock(mutex_);
    bool any = false;
    for (auto& [name, model] : models_) {
      bool due = false;
      for (auto& [number, version] : model.versions) {
        if (!version.tries.due(now)) continue;
        version.tries.begin();
        due = true;
      }
      if (due) advance(model, after);
      any |= due;
    }
    if (any) publish(after);
  }
  finish_aftermath(std::move(after));
}

/// What waits to be tried again won't be any more, and who waits for it is told.
void ControllerCore::give_up_retries() {
  Aftermath after;
  {
    const MutexLock lock(mutex_);
    for (auto& [name, model] : models_) {
      bool any = false;
      for (auto& [number, version] : model.versions) {
        if (version.tries.waiting().empty()) continue;
        version.failed = version.tries.waiting();
        version.failed_code = Code::kUnavailable;
        version.reason = "the server is stopping; " + version.reason;
        version.tries.forget();
        any = true;
      }
      if (any) advance(model, after);
    }
  }
  finish_aftermath(std::move(after));
}

}  // namespace modelmill
