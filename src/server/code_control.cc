#include "server/code_control.h"

#include <algorithm>
#include <set>
#include <utility>

namespace modelmill {

void CodeControl::change(ModelChange change, std::function<void(Status)> done) {
  if (mode_ != ControlMode::kExplicit)
    return done(
        unavailable("explicit model load / unload is not allowed if polling is enabled; models' code may load others "
                    "with --model-control-mode explicit"));
  if (change.action != ModelChange::Action::kLoad)
    return control_.unload({.model = change.model,
                            .with_members = change.action == ModelChange::Action::kUnloadWithMembers,
                            .for_code = true},
                           std::move(done));
  if (const Status refused = begin_wait(change.caller, change.model); !refused.ok()) return done(refused);
  ModelLoad load{change.model, std::move(change.config_json), std::move(change.files)};
  load.for_code = true;
  control_.load(std::move(load),
                [this, caller = change.caller, model = change.model, inner = std::move(done)](const Status& status) {
                  end_wait(caller, model);
                  inner(status);
                });
}

Status CodeControl::begin_wait(const std::string& caller, const std::string& model) {
  if (caller == model) MM_RETURN_IF_ERROR(check_itself(model));
  const MutexLock lock(mutex_);
  if (caller != model && waits_for(model, caller))
    return failed_precondition("model '" + caller + "' can't wait for model '" + model +
                               "' to be loaded, which waits for '" + caller + "' itself");
  waits_.emplace(caller, model);
  return ok_status();
}

void CodeControl::end_wait(const std::string& caller, const std::string& model) {
  const MutexLock lock(mutex_);
  const auto [begin, end] = waits_.equal_range(caller);
  const auto it = std::find_if(begin, end, [&](const auto& wait) { return wait.second == model; });
  if (it != end) waits_.erase(it);
}

bool CodeControl::waits_for(const std::string& model, const std::string& other) const {
  std::set<std::string> seen{model};
  std::vector<std::string> left{model};
  while (!left.empty()) {
    const std::string next = std::move(left.back());
    left.pop_back();
    const auto [begin, end] = waits_.equal_range(next);
    for (auto it = begin; it != end; ++it) {
      if (it->second == other) return true;
      if (seen.insert(it->second).second) left.push_back(it->second);
    }
  }
  return false;
}

/// A model that is served can load itself again; its version of before answers meanwhile.
Status CodeControl::check_itself(const std::string& model) const {
  const auto pin = catalog_.pin(model, 0);
  if (!pin.ok())
    return failed_precondition("model '" + model + "' can't load itself while it is loaded: it would wait for itself");
  if ((*pin)->definition().swap != SwapPolicy::kResource) return ok_status();
  return failed_precondition("model '" + model +
                             "' can't load itself: with 'swap: resource' its new version waits until the one that "
                             "asks has gone");
}

}  // namespace modelmill
