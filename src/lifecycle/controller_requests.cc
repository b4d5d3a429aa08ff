// What clients and waiting requests ask for.

#include <utility>

#include "base/log.h"
#include "lifecycle/controller_core.h"
#include "lifecycle/lies_in.h"
#include "lifecycle/sent_model.h"
#include "lifecycle/version_loader.h"
#include "model/triton_config.h"
#include "repository/find_models.h"
#include "storage/source_url.h"

namespace modelmill {
namespace {

/// A model that failed to load is not tried again for each request that comes.
constexpr Duration kRetryOnDemand = std::chrono::seconds(10);

/// It is done all the same: a full disk must not decide what is served.
void note_not_kept(const std::string& model, const Status& why) {
  Log::error("what a client asked for is done, but won't be known after a restart",
             {{"model", model}, {"reason", why.message()}});
}

}  // namespace

ControllerCore::Bringing::Bringing(ControllerCore& c, std::string name, bool request)
    : core(c), model(std::move(name)), for_request(request) {
  const MutexLock lock(core.mutex_);
  if (core.stopping_ || (core.hurrying_ && !for_request)) cancelled = true;
  core.bringing_.insert(this);
}

ControllerCore::Bringing::~Bringing() {
  const MutexLock lock(core.mutex_);
  core.bringing_.erase(this);
}

Status ControllerCore::refuse_clients() const {
  if (control_.mode != ControlMode::kNone && control_.mode != ControlMode::kPoll) return ok_status();
  return unavailable("explicit model load / unload is not allowed if polling is enabled");
}

/// Who waits for `done` may have one of the threads.
ModelControl::Done ControllerCore::with_a_thread_more(Done done) {
  pool_.widen();
  return [this, inner = std::move(done)](const Status& status) {
    pool_.narrow();
    inner(status);
  };
}

void ControllerCore::load(ModelLoad load, Done done) {
  if (const Status refused = refuse_clients(); !refused.ok()) return done(refused);
  if (load.for_code) done = with_a_thread_more(std::move(done));
  auto shared = std::make_shared<std::pair<ModelLoad, Done>>(std::move(load), std::move(done));
  if (!pool_.run([this, shared] { load_now(shared->first, shared->second); }))
    shared->second(unavailable("the server is stopping"));
}

Result<std::shared_ptr<const ModelTarget>> ControllerCore::wanted_by(const ModelLoad& load,
                                                                     const std::atomic<bool>& cancelled) {
  const std::vector<ModelFormat> formats = formats_of(backends_);
  const bool allow = load.allow_breaking || control_.allow_breaking;
  if (!load.files.empty()) {
    std::shared_ptr<OwnFolder> folder;
    MM_ASSIGN_OR_RETURN(SeenModel sent, unpack_sent_model(load, formats, folder));
    MM_RETURN_IF_ERROR(put_configuration(sent, load.config_json));
    return target_of(std::move(sent), allow, folder, true);
  }
  if (!load.url.empty()) {
    MM_ASSIGN_OR_RETURN(SeenModel there, seen_at_url(load, cancelled));
    if (!load.config_json.empty()) MM_RETURN_IF_ERROR(put_configuration(there, load.config_json));
    return target_of(std::move(there), allow, nullptr, true);
  }
  for (const auto& [url, status] : remote_.refresh(cancelled))
    return status.with_context("failed to load '" + load.model + "'");
  Archives::Look archives{Clock::now(), true};
  Seen seen = look_at(*sources(), formats, look_options(load.model, archives, cancelled));
  if (seen.models.empty())
    return not_found("failed to load '" + load.model + "', failed to poll from model repository");
  SeenModel& model = seen.models.front();
  if (!model.problem.ok()) return model.problem.with_context("failed to load '" + load.model + "'");
  if (load.config_json.empty()) return target_of(std::move(model), allow);
  MM_RETURN_IF_ERROR(put_configuration(model, load.config_json));
  return target_of(std::move(model), allow, nullptr, true);
}

/// All of the model at the URL that a client named, here.
Result<SeenModel> ControllerCore::seen_at_url(const ModelLoad& load, const std::atomic<bool>& cancelled) {
  const std::string what = "failed to load '" + load.model + "'";
  MM_RETURN_IF_ERROR(check_model_name(load.model));
  if (!is_remote_url(load.url))
    return invalid_argument(what + ": its path '" + load.url + "' must be a URL, such as s3://bucket/" + load.model +
                            "; on its own disk the server looks in the paths that it was started with");
  const auto source = remote_.look_at(load.url, cancelled);
  if (!source.ok()) return source.status().with_context(what);
  Archives::Look archives{Clock::now(), true};
  LookOptions look = look_options(load.model, archives, cancelled);
  look.fetch = [&](const std::string&, const FoundVersion& version) {
    return (*source)->fetch(version.file.empty() ? version.directory : version.file, cancelled);
  };
  const auto bounds = [&](const std::string& file) {
    const std::string copy = (*source)->local_path();
    return lies_in(file, copy) ? copy : look.bounds(file);
  };
  auto found = find_models({load.model + '=' + (*source)->local_path()}, formats_of(backends_),
                           {{}, look.open_archive, look.open_url, bounds});
  if (!found.ok()) return found.status().with_context(what);
  FoundModel& model = found->models.front();
  model.untrusted = true;
  model.held.push_back(*source);
  SeenModel seen = look_at(std::move(model), look);
  if (!seen.problem.ok()) return seen.problem.with_context(what);
  return seen;
}

void ControllerCore::load_now(const ModelLoad& load, const Done& done) {
  const Bringing bringing(*this, load.model, false);
  auto target = wanted_by(load, bringing.cancelled);
  if (bringing.cancelled)
    return done(cancelled("failed to load '" + load.model + "': it was unloaded meanwhile, or the server stops"));
  if (!target.ok()) return done(target.status());
  const auto decided = decide(load.model, [&load](ModelState& state) {
    // What is not in the repository goes with the server, so there is nothing to load again.
    const bool in_repository = load.files.empty() && load.url.empty();
    state.asked = in_repository ? ModelState::Asked::kLoaded : ModelState::Asked::kNothing;
    state.config_override = in_repository ? load.config_json : std::string();
    return ok_status();
  });
  if (!decided.ok()) note_not_kept(load.model, decided.status());
  Aftermath after;
  bool stopping = false;
  {
    const MutexLock lock(mutex_);
    stopping = stopping_;
    if (!stopping) {
      ModelRecord& model = models_[load.model];
      model.name = load.model;
      model.gone = false;
      model.awake = true;
      model.unloaded_by_client = false;
      if (decided.ok()) model.state = *decided;
      model.problem.clear();
      model.forget_failures();
      model.waiters.push_back(done);
      set_target(model, *target, after);
      publish(after);
    }
  }
  if (stopping) done(unavailable("the server is stopping"));
  finish_aftermath(std::move(after));
}

void ControllerCore::unload(ModelUnload unload, Done done) {
  if (unload.for_code) done = with_a_thread_more(std::move(done));
  unload.with_members ? unload_with_members(unload.model, done) : unload_alone(unload.model, std::move(done));
}

void ControllerCore::unload_alone(const std::string& name, Done done) {
  if (const Status refused = refuse_clients(); !refused.ok()) return done(refused);
  {
    const MutexLock lock(mutex_);
    // What is on its way ends at once: it may be on every thread that could do the rest.
    for (const Bringing* bringing : bringing_)
      if (bringing->model == name) bringing->cancelled = true;
    if (const auto it = models_.find(name); it != models_.end()) it->second.awake = false;
  }
  devices_->note_change();
  if (!pool_.run([this, name, done] { unload_now(name, done); })) done(unavailable("the server is stopping"));
}

void ControllerCore::unload_now(const std::string& name, const Done& done) {
  {
    const MutexLock lock(mutex_);
    const auto it = models_.find(name);
    if (it == models_.end() || it->second.gone)
      return done(not_found("failed to unload '" + name + "', there is no model of that name"));
  }
  const auto decided = decide(name, [](ModelState& state) {
    state.asked = ModelState::Asked::kUnloaded;
    state.config_override.clear();
    return ok_status();
  });
  if (!decided.ok()) note_not_kept(name, decided.status());
  Aftermath after;
  {
    const MutexLock lock(mutex_);
    if (const auto it = models_.find(name); it != models_.end()) {
      ModelRecord& model = it->second;
      model.awake = false;
      model.unloaded_by_client = true;
      advance(model, after);
      publish(after);
    }
  }
  finish_aftermath(std::move(after));
  done(ok_status());
}

/// A model that is elsewhere, and to be loaded on demand: its files come first.
Status ControllerCore::bring_here(const std::string& name) {
  if (remote_.empty()) return ok_status();
  {
    // What a client sent, or had brought from a URL, is here.
    const MutexLock lock(mutex_);
    if (const auto it = models_.find(name); it != models_.end() && it->second.target && it->second.target->sent)
      return ok_status();
  }
  const Bringing bringing(*this, name, true);
  MM_ASSIGN_OR_RETURN(auto target, wanted_by({name}, bringing.cancelled));
  const MutexLock lock(mutex_);
  if (const auto it = models_.find(name); it != models_.end() && !it->second.serves()) it->second.target = target;
  return ok_status();
}

void ControllerCore::wake(const std::string& name) {
  if (const Status here = bring_here(name); !here.ok()) return demand_.settle(name, here);
  Aftermath after;
  Status status;
  bool decided = true;
  {
    const MutexLock lock(mutex_);
    const auto it = models_.find(name);
    const TimePoint now = Clock::now();
    if (stopping_) {
      status = unavailable("the server is stopping");
    } else if (it == models_.end() || it->second.gone || !it->second.target || it->second.unloaded_by_client) {
      status = unavailable("model '" + name + "' is not loaded, and is not to be");
    } else if (ModelRecord& model = it->second; model.serves()) {
      status = ok_status();
    } else if (!model.in_motion() && (model.waits_to_retry() || now - model.failed_at < kRetryOnDemand)) {
      status = model.outcome();
    } else {
      decided = false;
      model.awake = true;
      for (auto& [number, version] : model.versions)
        if (!version.failed.empty() && version.loading.empty()) version.failed.clear();
      model.wanted_by_request = true;
      model.woke_members = false;
      model.waiters.emplace_back([this, name](const Status& outcome) { demand_.settle(name, outcome); });
      advance(model, after);
      publish(after);
    }
  }
  if (decided) demand_.settle(name, status);
  finish_aftermath(std::move(after));
}

}  // namespace modelmill
