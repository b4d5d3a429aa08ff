// Models that clients add by the places they lie at, and what they change of what is served.

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "lifecycle/controller_core.h"
#include "lifecycle/version_loader.h"
#include "model/triton_config.h"
#include "repository/archive_name.h"
#include "repository/torchserve_properties.h"
#include "repository/workflow_archive.h"
#include "storage/source_url.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr int kMostForced = 1024;

bool is_wanted(const ModelTarget& target, int64_t number) {
  return std::any_of(target.wanted.begin(), target.wanted.end(),
                     [number](const WantedVersion& version) { return version.version == number; });
}

/// Keeps what `keep(version)` says of what is to be served.
template <typename Target, typename Keep>
void keep_versions(Target& target, Keep keep) {
  std::erase_if(target.wanted, [&](const WantedVersion& version) { return !keep(version.version); });
  std::erase_if(target.places, [&](const auto& place) { return !keep(place.first); });
}

void set_parameters(ModelDefinition& definition, const ModelAddition& addition) {
  if (definition.backend != "python") return;
  for (const auto& [name, value] : addition.parameters) definition.parameters[name] = value;
}

/// One row at a time is what nobody has to ask for: then the server decides.
void set_batching(ModelDefinition& definition, const ModelAddition& addition) {
  if (addition.batch_size.value_or(1) <= 1) return;
  definition.max_batch_size = *addition.batch_size;
  if (addition.batch_delay) definition.batching.max_queue_delay = *addition.batch_delay;
}

/// What a config.properties of TorchServe's says, if the path is one that can be read.
std::optional<TorchserveStartup> startup_of(const std::string& path) {
  if (!is_torchserve_properties(path)) return std::nullopt;
  auto startup = read_torchserve_startup(path, process_variables());
  return startup.ok() ? std::optional(*std::move(startup)) : std::nullopt;
}

/// Lays what TorchServe's files among the paths say of archives below what the model says itself; false: nothing.
bool lay_settings_below(FoundModel& model, const std::vector<std::string>& paths) {
  bool any = false;
  for (const std::string& path : paths) {
    const auto startup = startup_of(path);
    if (startup) lay_below(model, startup->models);
    any = any || startup;
  }
  return any;
}

Status not_there(const std::string& place) {
  return not_found("Model not found at: " + place + "; it is the name of a file in a folder that the server serves");
}

}  // namespace

bool ControllerCore::is_plain_name(const std::string& place) {
  return !place.empty() && place != "." && place != ".." && place.find_first_of("/\\") == std::string::npos &&
         place.find('\0') == std::string::npos;
}

std::string ControllerCore::source_of(const ModelTarget& target, int64_t number) {
  const FoundVersion& version = target.places.at(number);
  // An archive is unpacked into a folder that is called like it.
  for (const std::string& archive : target.found.archives)
    if ((version.directory + '/').find('/' + archive_stem(fs::path(archive).filename().string()) + '/') !=
        std::string::npos)
      return archive;
  const std::string& folder = target.found.directory;
  if (folder.empty()) return version.file;
  // Folders of TorchServe's that are versions of one model lie side by side.
  return (version.directory + '/').starts_with(folder + '/') ? folder : version.directory;
}

Result<LocalCopy> ControllerCore::find_place(const std::string& place, const std::atomic<bool>& cancelled) {
  if (is_remote_url(place)) {
    MM_ASSIGN_OR_RETURN(const auto source, remote_.add(place, cancelled));
    return LocalCopy{source->local_path(), source};
  }
  if (!is_plain_name(place)) return not_there(place);
  std::vector<std::string> paths;
  {
    const MutexLock lock(mutex_);
    paths = sources_->paths;
  }
  for (const std::string& path : paths) {
    std::error_code error;
    if (const auto startup = startup_of(path)) {
      const std::string& store = is_workflow_archive_name(place) ? startup->workflow_store : startup->store;
      if (const fs::path inside = fs::path(store) / place; !store.empty() && fs::exists(inside, error))
        return LocalCopy{inside.string()};
    }
    const fs::path source(path);
    const std::string name =
        source.has_filename() ? source.filename().string() : source.parent_path().filename().string();
    if (name == place && fs::exists(source, error)) return LocalCopy{path};
    const fs::path inside = source / place;
    if (fs::is_directory(source, error) && fs::exists(inside, error)) return LocalCopy{inside.string()};
  }
  return not_there(place);
}

Result<SeenModel> ControllerCore::look_at_places(const std::vector<std::string>& paths,
                                                 const std::atomic<bool>& cancelled) {
  Archives::Look archives{Clock::now(), true};
  LookOptions options = look_options({}, archives, cancelled);
  options.fetch = [this, &cancelled](const std::string&, const FoundVersion& version) {
    return remote_.fetch(version, cancelled);
  };
  Seen seen = look_at(ModelSources{paths}, formats_of(backends_), options);
  for (const auto& [path, status] : seen.lost) return status;
  if (seen.models.size() != 1)
    return invalid_argument("there are " + std::to_string(seen.models.size()) + " models at '" + paths.back() +
                            "'; name the place of one");
  SeenModel model = std::move(seen.models.front());
  MM_RETURN_IF_ERROR(model.problem);
  std::vector<std::string> sources;
  {
    const MutexLock lock(mutex_);
    sources = sources_->paths;
  }
  if (lay_settings_below(model.found, sources)) model = look_at(std::move(model.found), options);
  MM_RETURN_IF_ERROR(model.problem);
  return model;
}

Result<std::shared_ptr<const ModelTarget>> ControllerCore::target_with(const ModelAddition& addition,
                                                                       const LocalCopy& copy, AddedModel& added,
                                                                       const std::atomic<bool>& cancelled) {
  const std::string& path = copy.path;
  MM_ASSIGN_OR_RETURN(SeenModel seen,
                      look_at_places({addition.model.empty() ? path : addition.model + '=' + path}, cancelled));
  added = {seen.name(), seen.wanted.back().version};
  std::shared_ptr<const ModelTarget> before;
  {
    const MutexLock lock(mutex_);
    const auto it = models_.find(added.model);
    if (it != models_.end() && it->second.awake && it->second.target) before = it->second.effective();
  }
  if (before) {
    if (is_wanted(*before, added.version))
      return already_exists("Model version " + std::to_string(added.version) + " is already registered for model " +
                            added.model);
    std::vector<std::string> paths;
    for (const WantedVersion& version : before->wanted)
      paths.push_back(added.model + '=' + source_of(*before, version.version));
    paths.push_back(added.model + '=' + path);
    MM_ASSIGN_OR_RETURN(seen, look_at_places(paths, cancelled));
    keep_versions(seen, [&](int64_t number) { return number == added.version || is_wanted(*before, number); });
    // What serves is not loaded again because something came beside it.
    for (WantedVersion& wanted : seen.wanted)
      for (const WantedVersion& old : before->wanted)
        if (old.version == wanted.version) wanted.stamp = old.stamp;
    const auto& held = before->found.held;
    seen.found.held.insert(seen.found.held.end(), held.begin(), held.end());
  }
  seen.found.held.push_back(copy.held);
  set_batching(seen.definition, addition);
  set_parameters(seen.definition, addition);
  return target_of(std::move(seen), control_.allow_breaking, nullptr, true);
}

bool ControllerCore::serve_target(const std::string& name, std::shared_ptr<const ModelTarget> target,
                                  const Done& done) {
  Aftermath after;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return false;
    ModelRecord& model = models_[name];
    model.name = name;
    model.gone = false;
    model.awake = true;
    model.unloaded_by_client = false;
    model.problem.clear();
    model.forget_failures();
    model.waiters.push_back(done);
    set_target(model, std::move(target), after);
    publish(after);
  }
  finish_aftermath(std::move(after));
  return true;
}

void ControllerCore::add(ModelAddition addition, Added done) {
  if (const Status refused = refuse_clients(); !refused.ok()) return done(refused);
  auto shared = std::make_shared<std::pair<ModelAddition, Added>>(std::move(addition), std::move(done));
  if (!pool_.run([this, shared] { add_now(shared->first, shared->second); }))
    shared->second(unavailable("the server is stopping"));
}

void ControllerCore::add_now(const ModelAddition& addition, const Added& done) {
  const Bringing bringing(*this, addition.model, false);
  AddedModel added;
  const auto find = [&]() -> Result<std::shared_ptr<const ModelTarget>> {
    if (!addition.model.empty()) MM_RETURN_IF_ERROR(check_model_name(addition.model));
    LocalCopy copy{addition.folder};
    if (addition.folder.empty()) {
      MM_ASSIGN_OR_RETURN(copy, find_place(addition.place, bringing.cancelled));
    }
    return target_with(addition, copy, added, bringing.cancelled);
  };
  auto target = find();
  if (bringing.cancelled)
    return done(cancelled("'" + addition.place + addition.folder + "' was given up: the server stops"));
  if (!target.ok()) return done(target.status());
  serve_added(added, *std::move(target), done);
}

void ControllerCore::serve_added(const AddedModel& added, std::shared_ptr<const ModelTarget> target,
                                 const Added& done) {
  const Done reached = [this, added, done](const Status& outcome) {
    if (outcome.ok()) return done(added);
    // What else is served of the model is served on, without what could not be loaded.
    (void)pool_.run([this, added] { withdraw_now(added.model, added.version, [](const Status&) {}); });
    done(outcome);
  };
  if (!serve_target(added.model, std::move(target), reached)) done(unavailable("the server is stopping"));
}

void ControllerCore::withdraw(const std::string& name, int64_t version, Done done) {
  if (const Status refused = refuse_clients(); !refused.ok()) return done(refused);
  if (!pool_.run([this, name, version, done] { withdraw_now(name, version, done); }))
    done(unavailable("the server is stopping"));
}

void ControllerCore::withdraw_now(const std::string& name, int64_t version, const Done& done) {
  Status status;
  Aftermath after;
  {
    const MutexLock lock(mutex_);
    const auto it = models_.find(name);
    const auto target = it == models_.end() ? nullptr : it->second.effective();
    if (!target || !is_wanted(*target, version)) {
      status = not_found("version " + std::to_string(version) + " of model '" + name + "' is not served");
    } else if (target->wanted.size() == 1) {
      status = failed_precondition("model '" + name + "' has no other version; unload the model");
    } else {
      ModelTarget less = *target;
      less.sent = true;
      keep_versions(less, [version](int64_t number) { return number != version; });
      set_target(it->second, std::make_shared<const ModelTarget>(std::move(less)), after);
      publish(after);
    }
  }
  finish_aftermath(std::move(after));
  done(status);
}

void ControllerCore::scale(InstanceRequest request, Done done) {
  if (const Status refused = refuse_clients(); !refused.ok()) return done(refused);
  auto shared = std::make_shared<std::pair<InstanceRequest, Done>>(std::move(request), std::move(done));
  if (!pool_.run([this, shared] { shared->second(scale_now(shared->first)); }))
    shared->second(unavailable("the server is stopping"));
}

Status ControllerCore::scale_now(const InstanceRequest& request) {
  if (request.min < 0 || request.max < request.min || request.max > kMostForced)
    return invalid_argument("model '" + request.model + "' can't have " + std::to_string(request.min) + " to " +
                            std::to_string(request.max) + " instances; it is none, or at most " +
                            std::to_string(kMostForced));
  const bool none = request.max == 0;
  const InstanceLimits limits{none ? 0 : std::max(request.min, 1), request.max, {}};
  MM_ASSIGN_OR_RETURN(const VersionPin pin, catalog_.pin(request.model, request.version));
  const MutexLock one_at_a_time(scaling_mutex_);
  const std::string reason = none
                                 ? "a client wants none"
                                 : "a client wants " + std::to_string(limits.min) + " to " + std::to_string(limits.max);
  const int have = pin->load().instances, wanted = std::clamp(have, limits.min, limits.max);
  // What has one instance that runs everything has as many as it can, but can't have another number.
  if (none) {
    MM_RETURN_IF_ERROR(pin->suspend(reason));
  } else {
    Status status;
    if (have != wanted || !limits.fixed()) status = pin->set_instances(wanted, ScalingReason::kClient, reason);
    // What it has serves, also where it can't have as many as are wanted.
    if (pin->load().instances > 0) pin->resume();
    MM_RETURN_IF_ERROR(status);
  }
  Log::info("instances changed", {{"model", request.model}, {"version", pin->version()}, {"reason", reason}});
  const MutexLock lock(mutex_);
  const auto model = models_.find(request.model);
  if (model == models_.end()) return ok_status();
  VersionRecord& record = model->second.versions[pin->version()];
  record.limits = limits;
  record.scaler = limits.fixed() ? nullptr : std::make_shared<InstanceScaler>(limits);
  return ok_status();
}

Result<ServedPlace> ControllerCore::place(const std::string& name, int64_t version) const {
  static const std::map<int64_t, VersionRecord> kNoVersions;
  const MutexLock lock(mutex_);
  const auto model = models_.find(name);
  const auto& versions = model == models_.end() ? kNoVersions : model->second.versions;
  const auto record = versions.find(version);
  if (record == versions.end() || !record->second.serving)
    return not_found("version " + std::to_string(version) + " of model '" + name + "' is not served");
  const auto target = std::static_pointer_cast<const ModelTarget>(record->second.files);
  return ServedPlace{fs::path(source_of(*target, version)).filename().string(), record->second.limits};
}

}  // namespace modelmill
