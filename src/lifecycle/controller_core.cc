#include "lifecycle/controller_core.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "lifecycle/version_loader.h"
#include "repository/find_models.h"

namespace modelmill {
namespace {

constexpr Duration kScaleInterval = std::chrono::milliseconds(250);
constexpr Duration kExpireInterval = std::chrono::milliseconds(250);
constexpr Duration kRetryInterval = std::chrono::milliseconds(250);
constexpr Duration kKeepInterval = std::chrono::seconds(30);
constexpr Duration kRuntimesInterval = std::chrono::seconds(1);
/// Comparisons of runtimes that wait; the others ask again.
constexpr size_t kMostWaitingTrials = 64;
/// Loads that wait for a thread are bounded by the number of models.
constexpr size_t kMostWaitingLoads = std::numeric_limits<size_t>::max();

/// With what the operator named, or what was found there, as what is trusted of a client's list.
ModelSources trusting(ModelSources sources, const Seen& seen) {
  for (const std::string& path : sources.paths) sources.trusted.insert(path.substr(path.find('=') + 1));
  for (const SeenModel& model : seen.models)
    if (!model.found.directory.empty()) sources.trusted.insert(model.found.directory);
  return sources;
}

LoadSettings counting(LoadSettings settings, std::shared_ptr<DeviceMemory> devices) {
  settings.devices = std::move(devices);
  return settings;
}

}  // namespace

ControllerCore::ControllerCore(Parts parts, LoadSettings settings, ControlSettings control, int load_threads)
    : catalog_(parts.catalog),
      demand_(parts.demand),
      backends_(std::move(parts.backends)),
      metrics_(parts.metrics),
      factory_(std::move(parts.factory)),
      ensembles_(std::move(parts.ensembles)),
      devices_(std::make_shared<DeviceMemory>(metrics_, settings.gpu_series)),
      settings_(counting(std::move(settings), devices_)),
      control_(std::move(control)),
      costs_(settings_.cost_directory),
      runtimes_(settings_.cost_directory),
      states_(std::move(parts.states)),
      remote_(control_.remote),
      archives_(control_.remote.cache_directory, control_.remote.cache_bytes, control_.settle),
      settling_(control_.settle),
      trials_(1, kMostWaitingTrials),
      pool_(std::max(load_threads, 1), kMostWaitingLoads) {
  set_device_budgets({});
  demand_.on_wanted([this](const std::string& model) {
    if (!pool_.run([this, model] { wake(model); })) demand_.settle(model, unavailable("the server is stopping"));
  });
}

ControllerCore::~ControllerCore() { shutdown(); }

Status ControllerCore::load_sources(ModelSources sources) {
  MM_RETURN_IF_ERROR(remote_.open(sources));
  for (const auto& [url, status] : remote_.refresh(hurrying_)) return status;
  const std::vector<ModelFormat> formats = formats_of(backends_);
  Archives::Look archives{Clock::now(), true};
  Seen seen = look_at(sources, formats, look_options({}, archives, hurrying_));
  // Later the rest is served on without it.
  for (const auto& [path, status] : seen.lost) return status;
  const auto shared = std::make_shared<const ModelSources>(trusting(std::move(sources), seen));
  {
    const MutexLock lock(mutex_);
    sources_ = shared;
  }
  take(std::move(seen), shared, Clock::now(), true);
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, model] : models_) names.push_back(name);
  const auto done = [&](const ModelRecord& model) {
    return control_.start_awaits_retries ? model.settled() : model.at_rest();
  };
  for (const std::string& name : names)
    while (!stopping_ && models_.contains(name) && !done(models_.at(name))) changed_.wait(mutex_);
  return ok_status();
}

std::shared_ptr<const ModelSources> ControllerCore::sources() const {
  const MutexLock lock(mutex_);
  return sources_;
}

bool ControllerCore::look(TimePoint now) {
  const auto sources = this->sources();
  std::map<std::string, Status> lost;
  // Others are asked for news only where somebody wants news regularly.
  if (control_.mode == ControlMode::kPoll || control_.mode == ControlMode::kWatch) lost = remote_.refresh(hurrying_);
  Archives::Look archives{now};
  Seen seen = look_at(*sources, formats_of(backends_), look_options({}, archives, hurrying_));
  seen.lost.merge(lost);
  if (seen.lost.empty()) {
    archives_.keep_only(archives.met);
    remote_.keep_named_since(archives.now);
  }
  return take(std::move(seen), sources, now, false) && !archives.changing;
}

LookOptions ControllerCore::look_options(const std::string& only, Archives::Look& archives,
                                         const std::atomic<bool>& cancelled) {
  LookOptions options;
  options.only = only;
  options.open_archive = [this, &archives, &cancelled](const std::string& path) {
    return archives_.open(path, archives, cancelled);
  };
  options.open_url = [this, &archives, &cancelled](const std::string& url, const std::string& file) {
    return remote_.open_named(url, file, archives.now, cancelled);
  };
  options.bounds = [this](const std::string& file) { return remote_.copy_with(file); };
  options.fetch = [this, &cancelled, all = only.empty()](const std::string& model, const FoundVersion& version) {
    if (remote_.empty()) return ok_status();
    bool wanted = !all;
    if (!wanted) {
      const MutexLock lock(mutex_);
      const auto it = models_.find(model);
      wanted = it == models_.end() ? starts_awake(model) : it->second.awake;
    }
    return wanted ? remote_.fetch(version, cancelled) : ok_status();
  };
  return options;
}

std::vector<std::string> ControllerCore::watched_folders() const {
  std::set<std::string> folders;
  const MutexLock lock(mutex_);
  folders.insert(sources_->paths.begin(), sources_->paths.end());
  for (const std::string& file : {sources_->model_config_file, sources_->batching_parameters_file})
    if (!file.empty()) folders.insert(file);
  for (const auto& [name, model] : models_) {
    if (!model.target) continue;
    if (!model.target->found.directory.empty()) folders.insert(model.target->found.directory);
    for (const FoundVersion& version : model.target->found.versions) folders.insert(version.directory);
    folders.insert(model.target->found.config_files.begin(), model.target->found.config_files.end());
    folders.insert(model.target->found.archives.begin(), model.target->found.archives.end());
  }
  return {folders.begin(), folders.end()};
}

bool ControllerCore::all_ready() const {
  const MutexLock lock(mutex_);
  if (stopping_) return false;
  for (const auto& [name, model] : models_) {
    // What an ensemble lacks is told of its members; one that a client unloaded is not missing.
    const bool serves = members_of(model).empty() ? model.can_be_asked() : model.serves();
    const bool missing = model.awake && !model.came_later && !serves;
    if (missing && !(model.problem.empty() && model.wanted().empty())) return false;
  }
  return true;
}

void ControllerCore::start() {
  steward_.every(kScaleInterval, [this](TimePoint now) { scale(now); });
  steward_.every(kExpireInterval, [this](TimePoint now) { demand_.expire(now); });
  if (control_.retries.count > 0) steward_.every(kRetryInterval, [this](TimePoint now) { retry_loads(now); });
  if (costs_.keeps()) steward_.every(kKeepInterval, [this](TimePoint) { keep_costs(); });
  steward_.every(kRuntimesInterval, [this](TimePoint now) { watch_runtimes(now); });
  steward_.start();
}

void ControllerCore::hurry() {
  hurrying_ = true;
  end_bringing(false);
  give_up_retries();
  devices_->note_change();
}

void ControllerCore::end_bringing(bool all) {
  const MutexLock lock(mutex_);
  for (const Bringing* bringing : bringing_)
    if (all || !bringing->for_request) bringing->cancelled = true;
}

void ControllerCore::shutdown() {
  steward_.stop();
  if (!stopping_) keep_costs();
  std::vector<std::function<void(Status)>> waiters;
  std::vector<std::string> names;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    for (auto& [name, model] : models_) {
      names.push_back(name);
      for (auto& waiter : std::exchange(model.waiters, {})) waiters.push_back(std::move(waiter));
    }
  }
  // Before the pool stops: a model on one of its threads may wait for one that is not loaded any more.
  for (const auto& waiter : waiters) waiter(unavailable("the server is stopping"));
  for (const std::string& name : names) demand_.settle(name, unavailable("the server is stopping"));
  hurry();  // also loads that wait for others to go
  trials_.stop();
  end_bringing(true);
  pool_.stop();
  std::vector<std::unique_ptr<OwnedVersion>> closing;
  {
    const MutexLock lock(mutex_);
    for (auto& [name, model] : models_) {
      model.awake = false;
      for (auto& [number, version] : model.versions) {
        if (!version.serving) continue;
        closing.push_back(std::move(version.serving));
        version.reason = "unloaded";
      }
      put_entry(model);
    }
    if (!models_.empty()) publish_table();
  }
  for (const auto& version : closing) (**version).gate().close();
  for (auto& version : closing) {
    const std::string name = (**version).name();
    const int64_t number = (**version).version();
    version.reset();
    Log::info("model unloaded", {{"model", name}, {"version", number}});
  }
  retirement_.wait();
}

}  // namespace modelmill
