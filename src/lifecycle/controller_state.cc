// What clients decided about models, and what of it outlasts the server.

#include <utility>

#include "base/log.h"
#include "lifecycle/controller_core.h"
#include "lifecycle/sent_model.h"

namespace modelmill {

/// What was decided of all models before.
std::map<std::string, ModelState> ControllerCore::read_states() const {
  if (!states_) return {};
  const auto opened = states_(false);
  if (opened.ok() && *opened == nullptr) return {};
  auto states = opened.ok() ? (*opened)->read_all() : opened.status();
  if (states.ok()) return *std::move(states);
  Log::error("what was decided of models before can't be read", {{"reason", states.status().message()}});
  return {};
}

/// Before the first target of a model: what was decided of it before is so again.
void ControllerCore::restore(ModelRecord& model, SeenModel& seen, const ModelState& state) {
  model.state = state;
  switch (state.asked) {
    case ModelState::Asked::kNothing: return;
    case ModelState::Asked::kUnloaded:
      model.awake = false;
      model.unloaded_by_client = true;
      return;
    case ModelState::Asked::kLoaded: break;
  }
  if (control_.mode == ControlMode::kExplicit) model.awake = true;
  if (state.config_override.empty()) return;
  const Status status = put_configuration(seen, state.config_override);
  if (!status.ok())
    Log::error("the configuration that a client sent before can't be used again; the model's own is",
               {{"model", model.name}, {"reason", status.message()}});
}

/// Writes what a client decided, and puts it in force when it is written. Blocks.
Result<ModelState> ControllerCore::decide(const std::string& name, const std::function<Status(ModelState&)>& change) {
  ModelState state;
  if (states_) {
    MM_ASSIGN_OR_RETURN(ModelStates* const states, states_(true));
    MM_ASSIGN_OR_RETURN(state, states->update(name, change));
  } else {
    const MutexLock lock(mutex_);
    if (const auto it = models_.find(name); it != models_.end()) state = it->second.state;
    MM_RETURN_IF_ERROR(change(state));
  }
  Aftermath after;
  {
    const MutexLock lock(mutex_);
    if (const auto it = models_.find(name); it != models_.end()) {
      it->second.state = state;
      put_entry(it->second);
      publish(after);
    }
  }
  finish_aftermath(std::move(after));
  return state;
}

void ControllerCore::assign(VersionAssignment assignment, Done done) {
  auto shared = std::make_shared<std::pair<VersionAssignment, Done>>(std::move(assignment), std::move(done));
  if (!pool_.run([this, shared] { shared->second(assign_now(shared->first)); }))
    shared->second(unavailable("the server is stopping"));
}

Status ControllerCore::assign_now(const VersionAssignment& assignment) {
  const auto entry = catalog_.table()->share(assignment.model);
  if (!entry) return not_found("there is no model named '" + assignment.model + "'");
  const std::string& label = assignment.label;
  if (assignment.version && !assignment.ahead && entry->find(*assignment.version) == nullptr) {
    std::string served;
    for (const auto& version : entry->versions)
      served += (served.empty() ? "" : ", ") + std::to_string(version->version());
    return failed_precondition("version " + std::to_string(*assignment.version) + " of model '" + assignment.model +
                               "' is not served (" + (served.empty() ? "none is" : served + " is") +
                               "); to assign it all the same, say \"ahead\": true");
  }
  const auto decided = decide(assignment.model, [&](ModelState& state) {
    if (label.empty())
      state.default_version = assignment.version;
    else if (assignment.version)
      state.labels[label] = *assignment.version;
    else if (state.labels.erase(label) == 0)
      return not_found("no client has given a version of model '" + assignment.model + "' the label '" + label + "'");
    return ok_status();
  });
  return decided.status();
}

}  // namespace modelmill
