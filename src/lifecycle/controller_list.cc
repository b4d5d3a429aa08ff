// The list of models that a client of TensorFlow Serving's sends, in the place of all that are served.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "lifecycle/controller_core.h"

namespace modelmill {
namespace {

/// Calls `done` when all of several things are done, with the first error among them. Thread-safe.
class AllDone {
 public:
  AllDone(size_t things, ModelControl::Done done) : left_(things), done_(std::move(done)) {}
  void one(const Status& status) {
    Status first;
    {
      const MutexLock lock(mutex_);
      if (first_.ok()) first_ = status;
      if (--left_ > 0) return;
      first = first_;
    }
    done_(first);
  }

 private:
  Mutex mutex_;
  size_t left_ MM_GUARDED_BY(mutex_);
  Status first_ MM_GUARDED_BY(mutex_);
  const ModelControl::Done done_;
};

/// As TensorFlow Serving has it: labels are of versions that serve.
Status check_labels(const SeenModel& model) {
  for (const auto& [label, version] : model.definition.labels) {
    const bool wanted = std::any_of(model.wanted.begin(), model.wanted.end(),
                                    [number = version](const WantedVersion& w) { return w.version == number; });
    if (!wanted)
      return failed_precondition("label '" + label + "' of model '" + model.name() + "' is version " +
                                 std::to_string(version) +
                                 ", which its version policy doesn't serve or which is not there");
  }
  return ok_status();
}

}  // namespace

void ControllerCore::serve_listed(TfServingConfig list, Done done) {
  if (control_.mode == ControlMode::kNone || control_.mode == ControlMode::kPoll)
    return done(unavailable("models are not listed by clients where --model-control-mode is none or poll"));
  if (!list.problems.empty()) return done(status_of(list.problems.front()));
  const auto shared = std::make_shared<const TfServingConfig>(std::move(list));
  if (!pool_.run([this, shared, done] { serve_listed_now(shared, done); })) done(unavailable("the server is stopping"));
}

/// All that is listed, with the files of what will be served; an error when one can't be.
Result<Seen> ControllerCore::seen_of(const ModelSources& sources, const std::atomic<bool>& cancelled) {
  Archives::Look archives{Clock::now(), true};
  LookOptions look = look_options({}, archives, cancelled);
  look.fetch = [&](const std::string&, const FoundVersion& version) { return remote_.fetch(version, cancelled); };
  const auto lost = remote_.refresh(cancelled);
  for (const TfServingModel& entry : sources.listed->models)
    if (const auto it = lost.find(entry.base_path); it != lost.end()) return it->second;
  Seen seen = look_at(sources, formats_of(backends_), look);
  for (const auto& [path, status] : seen.lost) return status;
  for (const SeenModel& model : seen.models) {
    MM_RETURN_IF_ERROR(model.problem);
    MM_RETURN_IF_ERROR(check_labels(model));
  }
  return seen;
}

/// That a client had a model unloaded, or configured it, is over.
void ControllerCore::forget_decisions(const Seen& seen) {
  for (const SeenModel& model : seen.models) {
    {
      const MutexLock lock(mutex_);
      const auto it = models_.find(model.name());
      if (it == models_.end() || it->second.state.asked == ModelState::Asked::kNothing) continue;
    }
    const auto decided = decide(model.name(), [](ModelState& state) {
      state.asked = ModelState::Asked::kNothing;
      state.config_override.clear();
      return ok_status();
    });
    if (!decided.ok())
      Log::error("what a client decided before can't be forgotten, and will be known after a restart",
                 {{"model", model.name()}, {"reason", decided.status().message()}});
  }
}

void ControllerCore::serve_listed_now(std::shared_ptr<const TfServingConfig> list, const Done& done) {
  const Bringing bringing(*this, {}, false);
  const auto before = this->sources();
  const auto sources = std::make_shared<const ModelSources>(ModelSources{
      {}, {}, {}, before->batching_parameters_file, std::move(list), before->trusted, {}, before->own_batching});
  auto seen = seen_of(*sources, bringing.cancelled);
  if (bringing.cancelled) return done(cancelled("the list of models is not taken: the server is stopping"));
  if (!seen.ok()) return done(seen.status().with_context("nothing is changed"));
  forget_decisions(*seen);
  // That they are all known is one thing more.
  const auto all = std::make_shared<AllDone>(seen->models.size() + 1, done);
  const size_t count = seen->models.size();
  Aftermath after;
  bool stopping = false;
  {
    const MutexLock lock(mutex_);
    stopping = stopping_;
    if (!stopping) {
      sources_ = sources;
      set_listed(
          *std::move(seen), [all](const Status& status) { all->one(status); }, after);
      publish(after);
    }
  }
  if (stopping) return done(unavailable("the server is stopping"));
  Log::info("a client has listed the models that are served", {{"models", static_cast<int64_t>(count)}});
  finish_aftermath(std::move(after));
  all->one(ok_status());
}

/// `waiter` is called once for each model.
void ControllerCore::set_listed(Seen seen, const std::function<void(Status)>& waiter, Aftermath& after) {
  std::set<std::string> names;
  taking_ = true;
  for (SeenModel& seen_model : seen.models) {
    const std::string name = seen_model.name();
    names.insert(name);
    ModelRecord& model = models_[name];
    model.name = name;
    model.gone = model.unloaded_by_client = false;
    model.awake = model.came_later = true;
    model.problem.clear();
    model.forget_failures();
    model.waiters.push_back(waiter);
    set_target(model, target_of(std::move(seen_model), control_.allow_breaking), after);
  }
  for (auto& [name, model] : models_)
    if (!names.contains(name) && !model.gone) let_go(model, after);
  taking_ = false;
  std::erase_if(models_, [](const auto& model) { return model.second.gone && model.second.versions.empty(); });
}

}  // namespace modelmill
