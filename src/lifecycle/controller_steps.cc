// One step after the other towards what should be served.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "lifecycle/controller_load.h"
#include "lifecycle/resident_memory.h"
#include "lifecycle/signature_change.h"
#include "lifecycle/version_loader.h"

namespace modelmill {
namespace {

uint64_t unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace

void ControllerCore::set_target(ModelRecord& model, std::shared_ptr<const ModelTarget> target, Aftermath& after) {
  if (model.serves()) {
    FormerTarget former{model.effective(), {}, {}};
    for (const auto& [number, version] : model.versions)
      if (version.serving) former.files.emplace(number, version.files_stamp);
    model.former = std::move(former);
  }
  if (model.restored) after.released.push_back(model.restored->target);
  model.restored.reset();
  model.woke_members = false;
  after.released.push_back(std::exchange(model.target, std::move(target)));
  advance(model, after);
}

void ControllerCore::advance(ModelRecord& model, Aftermath& after) {
  if (stopping_) return;
  while (true) {
    drop_unwanted_retries(model);
    const SwapPolicy policy = model.target ? model.effective()->definition.swap : SwapPolicy::kAvailability;
    const SwapSteps steps = plan_swap(model.swap_versions(), model.wanted(), policy);
    for (const int64_t number : steps.unload) take_from_clients(model, number, "unloaded", after);
    bool begun = !steps.unload.empty();
    for (const int64_t number : steps.load) begun |= begin_load(model, number, after);
    if (steps.settled && restore_former(model)) continue;
    if (steps.settled) settle(model, after);
    if (!begun) break;
  }
  forget_what_is_over(model);
  put_entry(model);
}

/// Where nothing serves any more because room was made for a target that then failed, what served before it becomes
/// wanted again. False: there is nothing to restore.
bool ControllerCore::restore_former(ModelRecord& model) {
  const Status outcome = model.outcome();
  if (outcome.ok() || !model.awake || model.serves() || !model.former || !model.target ||
      model.target->definition.swap != SwapPolicy::kResource)
    return false;
  Log::warning("new version not loaded; what served before is loaded again",
               {{"model", model.name}, {"reason", outcome.message()}});
  model.restored = std::exchange(model.former, std::nullopt);
  model.restored->why = outcome;
  put_entry(model);
  return true;
}

/// The target is reached, or can't be.
void ControllerCore::settle(ModelRecord& model, Aftermath& after) {
  changed_.notify_all();
  if (model.former) after.released.push_back(model.former->target);
  model.former.reset();
  const Status outcome = model.outcome();
  if (model.restored && model.serves()) model.restored->why = ok_status();
  model.wanted_by_request = false;
  if (model.waiters.empty()) return;
  // What somebody asked for and can't have is not missing: the server is ready without it.
  if (!outcome.ok() && !model.serves()) model.came_later = true;
  for (auto& waiter : std::exchange(model.waiters, {}))
    after.calls.push_back([waiter = std::move(waiter), outcome] { waiter(outcome); });
}

/// False: nothing has changed, because there is no room for it yet.
bool ControllerCore::begin_load(ModelRecord& model, int64_t number, Aftermath& after) {
  const auto& target = model.effective();
  const auto wanted = std::find_if(target->wanted.begin(), target->wanted.end(),
                                   [number](const WantedVersion& w) { return w.version == number; });
  if (target->definition.ensemble && !members_are_settled(model, after)) return false;
  Job job{model.name, *wanted, target};
  if (model.restored)
    if (const auto it = model.restored->files.find(number); it != model.restored->files.end()) job.files = it->second;
  VersionRecord& version = model.versions[number];
  const uint64_t needed = version.bytes > 0 ? version.bytes : bytes_on_disk(job.target->places.at(number));
  switch (room_for(model, number, needed, after)) {
    case Room::kComing: return false;
    case Room::kNone: return true;
    case Room::kThere: break;
  }
  version.loading = wanted->stamp;
  version.bytes = needed;
  version.failed.clear();
  if (!pool_.run([this, job] { run(job); })) version.loading.clear();  // it is stopping
  return true;
}

void ControllerCore::run(const Job& job) {
  if (stopping_) return;
  finish(job, load_job(job));
}

/// Of a version that nothing is known of, the costs of the one whose place it takes are the best guess, or of the one
/// that served last: without them it would try batch sizes out at each swap, in the middle of the load.
LearnedEntries ControllerCore::learned_before(const std::string& name) const {
  std::shared_ptr<ModelVersion> before;
  {
    const MutexLock lock(mutex_);
    const auto it = models_.find(name);
    if (it == models_.end()) return {};
    for (const auto& [number, version] : it->second.versions)
      if (version.serving) before = version.serving->share();
    if (!before) return it->second.learned;
  }
  return LearnedEntries(*before);
}

/// Nobody wants what is being loaded any more.
bool ControllerCore::is_abandoned(const Job& job) const {
  if (stopping_) return true;
  const MutexLock lock(mutex_);
  const auto it = models_.find(job.model);
  if (it == models_.end() || !it->second.wants(job.version)) return true;
  return hurrying_ && !it->second.wanted_by_request;
}

std::shared_ptr<ModelVersion> ControllerCore::make_version(LoadedVersion loaded,
                                                           const std::shared_ptr<VersionStats>& stats) {
  auto version = factory_(std::move(loaded.description), stats, std::move(loaded.plan), std::move(loaded.model),
                          std::move(loaded.instances));
  if (!version) return nullptr;
  for (LoadedVersion& other : loaded.other_signatures) {
    auto entry = make_version(std::move(other), stats);
    if (!entry) return nullptr;
    version->add_signature(std::move(entry));
  }
  return version;
}

/// Of the files of the version that is loaded; how it is configured was read already.
std::string ControllerCore::files_stamp_of(const Job& job) {
  const ModelTarget& target = *job.target;
  const auto stamp = version_stamp(target.found, target.places.at(job.version.version), target.definition);
  return stamp.ok() ? *stamp : std::string("unreadable");
}

/// Loads, without the lock.
ControllerCore::Loaded ControllerCore::load_job(const Job& job) {
  if (job.target->definition.ensemble) return load_ensemble(job);
  Loaded out;
  const TimePoint start = Clock::now();
  const bool alone = ++loads_running_ == 1;
  const uint64_t before = resident_bytes();
  const ModelTarget& target = *job.target;
  if (target.definition.swap == SwapPolicy::kResource) out.files_stamp = files_stamp_of(job);
  if (!job.files.empty() && job.files != out.files_stamp) {
    --loads_running_;
    out.status = failed_precondition("its files have gone, or are others now");
    return out;
  }
  auto loaded = load_best(job, out);
  if (!loaded.ok()) {
    out.status = loaded.status();
  } else {
    out.cost_key = loaded->cost_key;
    out.instances = static_cast<int64_t>(loaded->instances.size());
    out.bytes = loaded->model->info().memory_bytes;
    out.warmed_up_in = loaded->warmed_up_in;
    for (const LoadedVersion& other : loaded->other_signatures)
      if (other.warmed_up_in) out.warmed_up_in = out.warmed_up_in.value_or(Duration{}) + *other.warmed_up_in;
    loaded->plan.wants_instance = [this] { steward_.wake(); };
    out.stats = stats_of(job, loaded->description.definition);
    out.version = make_version(std::move(*loaded), out.stats);
    if (!out.version) out.status = internal("the version could not be started");
    if (out.version && out.version->definition().instance_range.max == 0)
      out.status = out.version->suspend("its configuration says none");
    if (out.version && out.report) out.version->set_runtimes(out.report);
  }
  const uint64_t after = resident_bytes();
  if (--loads_running_ == 0 && alone && after > before) out.bytes = std::max(out.bytes, after - before);
  out.bytes = std::max(out.bytes, bytes_on_disk(target.places.at(job.version.version)));
  out.took = Clock::now() - start;
  return out;
}

void ControllerCore::finish(const Job& job, Loaded loaded) {
  Aftermath after;
  {
    const MutexLock lock(mutex_);
    ModelRecord& model = models_[job.model];
    model.versions[job.version.version].loading.clear();
    const bool usable = loaded.status.ok();
    if (usable && !stopping_ && model.wants(job.version)) loaded.status = accept(model, job, loaded, after);
    if (loaded.status.code() == Code::kCancelled) abandon(model, job);
    // What can't be accepted would be the same another time.
    else if (!loaded.status.ok() && (usable || !try_again(model, job, loaded.status, after)))
      reject(model, job, loaded.status);
    advance(model, after);
    publish(after);
  }
  finish_aftermath(std::move(after));
  // What nobody wants any more, or must not have, goes here, on the loading thread.
  if (loaded.version) OwnedVersion(std::move(loaded.version));
}

/// It is tried again if it is wanted by now, but for a shutdown.
void ControllerCore::abandon(ModelRecord& model, const Job& job) {
  Log::info("load abandoned", {{"model", job.model}, {"version", job.version.version}});
  if (!hurrying_) return;
  VersionRecord& record = model.versions[job.version.version];
  record.failed = job.version.stamp;
  record.failed_code = Code::kUnavailable;
  record.reason = "the server is stopping";
}

Status ControllerCore::accept(ModelRecord& model, const Job& job, Loaded& loaded, Aftermath& after) {
  const int64_t number = job.version.version;
  VersionRecord& record = model.versions[number];
  MM_RETURN_IF_ERROR(check_compatible(model, *loaded.version, job.target->allow_breaking));
  const uint64_t leaving = record.serving ? record.bytes : 0;
  record.bytes = loaded.bytes;
  record.loading = job.version.stamp;  // so that it counts, and doesn't go to make room for itself
  const Status fits = keep_within_budget(model, after);
  record.loading.clear();
  MM_RETURN_IF_ERROR(fits);
  const ModelDefinition& definition = loaded.version->definition();
  Log::info("model loaded", {{"model", model.name},
                             {"version", number},
                             {"backend", definition.backend},
                             {"ms", static_cast<int64_t>(to_ns(loaded.took) / 1'000'000)},
                             {"instances", loaded.instances},
                             {"max_batch", definition.max_batch_size.value_or(0)}});
  if (!definition.unbatched_reason.empty())
    Log::info("model is served unbatched",
              {{"model", model.name}, {"version", number}, {"reason", definition.unbatched_reason}});
  if (record.serving) retire(model, number, std::move(record.serving), leaving, after);
  loaded.version->stats().loaded_in(loaded.took);
  const InstanceLimits limits = loaded.version->instance_limits();
  record.limits = limits;
  if (limits.fixed()) record.limits.min = record.limits.max = static_cast<int>(loaded.instances);
  const bool suspended = loaded.version->suspended();
  if (suspended) record.limits = {0, 0, {}};
  record.scaler = limits.fixed() || suspended ? nullptr : std::make_shared<InstanceScaler>(limits);
  record.executions_kept = executions_of(loaded.version->learned());
  record.cost_key = loaded.cost_key;
  record.stamp = job.version.stamp;
  record.reason.clear();
  record.tries.forget();
  record.runtimes = loaded.runtimes;
  if (record.runtimes) prepare_runtimes(*record.runtimes, *loaded.version);
  record.files = job.target;
  record.files_stamp = loaded.files_stamp;
  record.serving = std::make_unique<OwnedVersion>(std::move(loaded.version));
  record.serial = ++last_serial_;
  model.loaded_ms = unix_ms();
  note_load(job, loaded.took, loaded.warmed_up_in);
  return ok_status();
}

void ControllerCore::reject(ModelRecord& model, const Job& job, const Status& reason) {
  VersionRecord& record = model.versions[job.version.version];
  const bool serves = model.serves();
  Log::error(serves ? "new version not loaded, the old one is served on" : "model not loaded",
             {{"model", model.name}, {"version", job.version.version}, {"reason", reason.message()}});
  note_failure(model, job);
  record.tries.forget();
  record.failed = job.version.stamp;
  record.reason = reason.message();
  record.failed_code = reason.code();
  model.failed_at = Clock::now();
}

/// An error when clients of what serves now would break, and may not.
Status ControllerCore::check_compatible(const ModelRecord& model, const ModelVersion& version, bool allowed) const {
  if (allowed || version.definition().allow_breaking) return ok_status();
  const auto entry = model.entry(false);
  const auto* before = entry->find(0);
  if (before == nullptr) return ok_status();
  const int64_t fixed = version.definition().default_version.value_or(0);
  const bool becomes_default = fixed == 0 ? version.version() >= (*before)->version() : version.version() == fixed;
  if (!becomes_default) return ok_status();
  const std::string change = breaking_change(**before, version);
  if (change.empty()) return ok_status();
  return failed_precondition("model '" + model.name + "': version " + std::to_string(version.version()) +
                             " would break clients of version " + std::to_string((*before)->version()) + ": " + change +
                             "; to serve it all the same, start with --allow-breaking-versions");
}

void ControllerCore::take_from_clients(ModelRecord& model, int64_t number, const std::string& reason,
                                       Aftermath& after) {
  VersionRecord& record = model.versions[number];
  record.reason = reason;
  retire(model, number, std::move(record.serving), record.bytes, after);
}

void ControllerCore::retire(ModelRecord& model, int64_t number, std::unique_ptr<OwnedVersion> version, uint64_t bytes,
                            Aftermath& after) {
  ++model.versions[number].draining;
  model.leaving += bytes;
  model.learned = LearnedEntries(*version->share());
  auto files = std::exchange(model.versions[number].files, nullptr);
  after.retire.emplace_back(std::move(version),
                            [this, name = model.name, number, bytes, files] { gone(name, number, bytes); });
}

/// On a thread of the retirement, when a version has been destroyed.
void ControllerCore::gone(const std::string& name, int64_t number, uint64_t bytes) {
  Log::info("model unloaded", {{"model", name}, {"version", number}});
  if (control_.after_unload) control_.after_unload();
  Aftermath after;
  {
    const MutexLock lock(mutex_);
    if (const auto it = models_.find(name); it != models_.end()) {
      ModelRecord& model = it->second;
      --model.versions[number].draining;
      model.leaving -= bytes;
      advance(model, after);
    }
    for (const std::string& waiting : std::exchange(waiting_for_room_, {}))
      if (const auto it = models_.find(waiting); it != models_.end()) advance(it->second, after);
    changed_.notify_all();
    publish(after);
  }
  devices_->note_change();
  finish_aftermath(std::move(after));
}

void ControllerCore::finish_aftermath(Aftermath after) {
  for (auto& [version, gone] : after.retire) retirement_.retire(std::move(version), std::move(gone));
  for (const auto& call : after.calls) call();
}

/// Versions that are neither here nor in the repository.
void ControllerCore::forget_what_is_over(ModelRecord& model) {
  const auto in_repository = [&](int64_t number) {
    if (!model.target || model.gone) return false;
    const auto& found = model.target->found.versions;
    return std::any_of(found.begin(), found.end(), [number](const FoundVersion& v) { return v.version == number; });
  };
  // Series of versions that are served no more would add up.
  for (auto& [number, version] : model.versions) {
    const auto is = [number = number](const WantedVersion& w) { return w.version == number; };
    const bool wanted = model.target && std::any_of(model.target->wanted.begin(), model.target->wanted.end(), is);
    if (!wanted && !version.serving && version.loading.empty() && version.draining == 0) version.stats.reset();
  }
  std::erase_if(model.versions, [&](const auto& entry) {
    const VersionRecord& version = entry.second;
    const bool over = !version.serving && version.loading.empty() && version.draining == 0 &&
                      !in_repository(entry.first) && model.problem.empty();
    if (over && settings_.attempts) settings_.attempts->forget({model.name, entry.first});
    return over;
  });
}

void ControllerCore::put_entry(const ModelRecord& model) {
  table_changed_ = true;
  if (model.gone && model.versions.empty())
    table_.erase(model.name);
  else
    table_.put(model.entry(loads_on_demand(model)));
}

void ControllerCore::publish_table() {
  if (std::exchange(table_changed_, false)) catalog_.publish(std::make_shared<const ModelTable>(table_));
}

void ControllerCore::publish(Aftermath& after) {
  publish_table();
  if (look_after_ensembles(after)) publish_table();
}

bool ControllerCore::loads_on_demand(const ModelRecord& model) const {
  return demand_.in_use() && model.target && !model.gone && !model.unloaded_by_client && !model.serves();
}

}  // namespace modelmill
