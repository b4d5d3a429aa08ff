#include "lifecycle/controller_core.h"

#include <algorithm>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr Duration kScaleInterval = std::chrono::milliseconds(250);
constexpr Duration kKeepInterval = std::chrono::seconds(30);

int64_t executions_of(const std::vector<LearnedCost>& costs) {
  int64_t executions = 0;
  for (const LearnedCost& cost : costs)
    for (const CostPoint& point : cost.points) executions += point.executions;
  return executions;
}

}  // namespace

ControllerCore::ControllerCore(Catalog& catalog, BackendSource backends, MetricRegistry& metrics,
                               VersionFactory factory, LoadSettings settings, int load_threads)
    : catalog_(catalog),
      backends_(std::move(backends)),
      metrics_(metrics),
      factory_(std::move(factory)),
      settings_(std::move(settings)),
      load_threads_(std::max(load_threads, 1)),
      costs_(settings_.cost_directory) {}

ControllerCore::~ControllerCore() { shutdown(); }

Status ControllerCore::load_paths(const std::vector<std::string>& paths) {
  const std::vector<ModelFormat> formats = formats_of(backends_);
  MM_ASSIGN_OR_RETURN(FoundModels found, find_models(paths, formats));
  for (const std::string& note : found.notes) Log::warning("passed over", {{"reason", note}});
  {
    MutexLock lock(mutex_);
    for (const FoundModel& model : found.models)
      if (models_.contains(model.name)) return already_exists("a model named '" + model.name + "' is served already");
  }
  run(plan(std::move(found.models)));
  return ok_status();
}

/// Reads the configurations and picks the versions; what fails already here is in the catalog with its reason.
std::vector<ControllerCore::Job> ControllerCore::plan(std::vector<FoundModel> found) {
  std::vector<Job> jobs;
  for (FoundModel& model : found) {
    if (!model.problem.ok()) {
      refuse(model, model.problem);
      continue;
    }
    auto definition = read_definition(model);
    if (!definition.ok()) {
      refuse(model, definition.status());
      continue;
    }
    const VersionChoice choice = choose_versions(definition->version_policy, model.versions);
    for (const int64_t missing : choice.missing)
      Log::error("version of the version policy is not there", {{"model", definition->name}, {"version", missing}});
    if (choice.versions.empty()) {
      refuse(model, invalid_argument("at least one version must be available under the version policy of model '" +
                                     definition->name + "': expected folders named by a number, such as 1, in '" +
                                     model.directory + "'"));
      continue;
    }
    for (const FoundVersion& version : choice.versions) jobs.push_back({model, version, *definition});
  }
  MutexLock lock(mutex_);
  std::erase_if(jobs, [&](const Job& job) MM_REQUIRES(mutex_) {
    const bool fresh = models_[job.definition.name].try_emplace(job.version.version).second;
    if (!fresh)
      Log::error("model not loaded", {{"model", job.definition.name},
                                      {"version", job.version.version},
                                      {"path", job.model.directory},
                                      {"reason", "another model has this name"}});
    return !fresh;
  });
  publish();
  return jobs;
}

void ControllerCore::run(const std::vector<Job>& jobs) {
  const std::vector<ModelFormat> formats = formats_of(backends_);
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < jobs.size(); i = next++)
      if (!stopping_) load(jobs[i], formats);
  };
  std::vector<std::jthread> threads;
  const size_t count = std::min(jobs.size(), static_cast<size_t>(load_threads_));
  for (size_t i = 1; i < count; ++i) threads.emplace_back(work);
  work();
}

void ControllerCore::load(const Job& job, const std::vector<ModelFormat>& formats) {
  const VersionKey key{job.definition.name, job.version.version};
  const TimePoint start = Clock::now();
  auto loaded = load_version(job.model, job.version, job.definition, formats, backends_, settings_);
  if (!loaded.ok()) return set_failed(key, loaded.status());
  const ModelDefinition definition = loaded->description.definition;
  const std::string cost_key = loaded->cost_key;
  const int64_t instances = static_cast<int64_t>(loaded->instances.size());
  loaded->plan.wants_instance = [this] { steward_.wake(); };
  const auto stats = stats_of(key, definition);
  auto version = factory_(std::move(loaded->description), stats, loaded->plan, std::move(loaded->model),
                          std::move(loaded->instances));
  if (!version) return set_failed(key, internal("the version could not be started"));
  {
    MutexLock lock(mutex_);
    if (stopping_) return;  // `version` goes after the lock
    const InstanceLimits limits = version->instance_limits();
    Version& entry = models_[key.first][key.second];
    entry = {VersionState::kReady, {}, version, nullptr, cost_key, executions_of(version->learned())};
    if (!limits.fixed()) entry.scaler = std::make_shared<InstanceScaler>(limits);
    publish();
  }
  Log::info("model loaded", {{"model", key.first},
                             {"version", key.second},
                             {"backend", definition.backend},
                             {"ms", static_cast<int64_t>(to_ns(Clock::now() - start) / 1'000'000)},
                             {"instances", instances},
                             {"max_batch", definition.max_batch_size.value_or(0)}});
  if (!definition.unbatched_reason.empty())
    Log::info("model is served unbatched",
              {{"model", key.first}, {"version", key.second}, {"reason", definition.unbatched_reason}});
}

void ControllerCore::refuse(const FoundModel& model, const Status& reason) {
  if (model.versions.empty()) return set_failed({model.name, 0}, reason);
  for (const FoundVersion& version : model.versions) set_failed({model.name, version.version}, reason);
}

void ControllerCore::set_failed(const VersionKey& key, const Status& reason) {
  Log::error("model not loaded", {{"model", key.first}, {"version", key.second}, {"reason", reason.message()}});
  MutexLock lock(mutex_);
  if (stopping_) return;
  models_[key.first][key.second] = {VersionState::kUnavailable, reason.message(), nullptr, nullptr, {}, 0};
  publish();
}

std::shared_ptr<VersionStats> ControllerCore::stats_of(const VersionKey& key, const ModelDefinition& definition) {
  MutexLock lock(mutex_);
  auto& stats = stats_[key];
  if (!stats) stats = std::make_shared<VersionStats>(metrics_, key.first, key.second, definition.metric_tags);
  return stats;
}

void ControllerCore::publish() {
  auto table = std::make_shared<ModelTable>();
  for (const auto& [name, versions] : models_) {
    auto entry = std::make_shared<ModelEntry>();
    entry->name = name;
    for (const auto& [number, version] : versions) {
      entry->statuses.push_back({number, version.state, version.reason});
      if (version.loaded) entry->versions.push_back(version.loaded);
    }
    table->models.emplace(name, std::move(entry));
  }
  catalog_.publish(std::move(table));
}

bool ControllerCore::all_ready() const {
  MutexLock lock(mutex_);
  return std::all_of(models_.begin(), models_.end(), [](const auto& model) {
    return std::all_of(model.second.begin(), model.second.end(),
                       [](const auto& v) { return v.second.state == VersionState::kReady; });
  });
}

void ControllerCore::start() {
  steward_.every(kScaleInterval, [this](TimePoint now) { scale(now); });
  if (costs_.keeps()) steward_.every(kKeepInterval, [this](TimePoint) { keep_costs(); });
  steward_.start();
}

void ControllerCore::scale(TimePoint now) {
  std::vector<Version> scaled;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, versions] : models_)
      for (const auto& [number, version] : versions)
        if (version.scaler && version.loaded) scaled.push_back(version);
  }
  for (const auto& [state, reason, version, scaler, key, kept] : scaled) {
    // Inside the gate, so that a shutdown waits for what is being made.
    const VersionPin pin(version);
    if (!pin) continue;
    const InstanceLoad load = version->load();
    const auto decision = scaler->observe(now, load);
    if (decision.reason.empty()) continue;
    const Status status = version->set_instances(decision.instances, decision.reason);
    Log::write(status.ok() ? LogLevel::kInfo : LogLevel::kError,
               status.ok() ? "instances changed" : "instances can't be made",
               {{"model", version->name()},
                {"version", version->version()},
                {"from", load.instances},
                {"to", version->load().instances},
                {"reason", status.ok() ? decision.reason : status.message()}});
  }
}

void ControllerCore::keep_costs() {
  std::vector<Version> all;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, versions] : models_)
      for (const auto& [number, version] : versions)
        if (version.loaded && !version.cost_key.empty()) all.push_back(version);
  }
  for (const Version& version : all) {
    const auto learned = version.loaded->learned();
    const int64_t executions = executions_of(learned);
    if (executions == version.executions_kept) continue;
    const Status status = costs_.write(version.cost_key, learned);
    if (!status.ok()) {
      Log::warning("what was learned of costs can't be kept", {{"reason", status.message()}});
      return;
    }
    const MutexLock lock(mutex_);
    // It may have been unloaded meanwhile.
    if (const auto model = models_.find(version.loaded->name()); model != models_.end())
      if (const auto entry = model->second.find(version.loaded->version()); entry != model->second.end())
        entry->second.executions_kept = executions;
  }
}

void ControllerCore::shutdown() {
  steward_.stop();
  if (!stopping_) keep_costs();
  std::vector<std::shared_ptr<ModelVersion>> closing;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [name, versions] : models_)
      for (auto& [number, version] : versions) {
        if (version.loaded) closing.push_back(std::move(version.loaded));
        if (version.state != VersionState::kUnavailable)
          version = {VersionState::kUnavailable, "unloaded", nullptr, nullptr, {}, 0};
      }
    if (!models_.empty()) publish();
  }
  for (const auto& version : closing) version->gate().close();
  // What waits for an instance gets one.
  for (const auto& version : closing)
    if (!version->instance_limits().fixed() && version->load().instances == 0)
      (void)version->set_instances(1, "the last requests wait");
  for (const auto& version : closing) {
    version->gate().wait_empty();
    Log::info("model unloaded", {{"model", version->name()}, {"version", version->version()}});
  }
}

}  // namespace modelmill
