#include "lifecycle/instance_loading.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "catalog/execution_limiter.h"
#include "lifecycle/adapting_instance.h"
#include "lifecycle/instance_places.h"
#include "lifecycle/model_parameters.h"

namespace modelmill {
namespace {

std::vector<GroupPlace> places_of(const ModelDefinition& definition, const VersionPlan& plan) {
  std::vector<GroupPlace> out = group_places(definition);
  if (plan.concurrent_execute) out.resize(1);
  return out;
}

}  // namespace

Status InstanceLoading::place() {
  if (definition_.instance_groups.empty())
    definition_.instance_groups.push_back({definition_.name + "_0", InstanceGroup::Kind::kCpu, 0, {}});
  for (InstanceGroup& group : definition_.instance_groups)
    if (group.count == 0) group.count = default_instance_count(definition_, model_.info(), settings_, group.kind);
  MM_ASSIGN_OR_RETURN(const auto cores, affinity_of(definition_));
  for (const GroupPlace& place : places_of(definition_, plan_)) {
    const size_t index = plan_.places.size();
    plan_.places.push_back(
        {place.group->kind, place.gpu, cores.empty() ? std::vector<int>() : cores[index % cores.size()]});
  }
  MM_RETURN_IF_ERROR(claim_resources());
  planned_ = plan_.places;
  for (const InstancePlace& place : planned_)
    if (place.kind == InstanceGroup::Kind::kGpu) MM_RETURN_IF_ERROR(claims_.count_model(model_, place.device));
  return ok_status();
}

/// What each will take before it runs: an error where it could never run.
Status InstanceLoading::claim_resources() {
  const std::vector<GroupPlace> places = places_of(definition_, plan_);
  std::map<std::pair<const InstanceGroup*, int>, std::shared_ptr<ExecutionClaim>> claims;
  for (size_t i = 0; i < places.size(); ++i) {
    const InstanceGroup& group = *places[i].group;
    if (group.resources.empty()) continue;
    if (!settings_.limiter) {
      Log::info("what executions take of resources has no effect",
                {{"model", definition_.name},
                 {"reason", "the server shares none out; start it with --rate-limit execution_count"}});
      return ok_status();
    }
    const int device = group.kind == InstanceGroup::Kind::kGpu ? places[i].gpu : 0;
    auto& claim = claims[{&group, device}];
    if (!claim) {
      MM_ASSIGN_OR_RETURN(claim, settings_.limiter->claim(group.resources, group.resource_priority, device));
    }
    plan_.places[i].claim = claim;
  }
  return ok_status();
}

Result<std::unique_ptr<BackendInstance>> InstanceLoading::make_at(size_t index) {
  const GroupPlace there = places_of(definition_, plan_)[index];
  const std::string name = there.group->name + '_' + std::to_string(there.index);
  InstancePlace& place = plan_.places[index];
  if (plan_.instance_limits.fixed()) return claims_.make(model_, name, place);
  const int wanted = place.device;
  auto instance = claims_.make_anywhere(model_, name, place, planned_);
  const bool necessary = index < static_cast<size_t>(std::max(1, plan_.instance_limits.min));
  if (!instance.ok() && instance.status().code() == Code::kResourceExhausted && necessary)
    return claims_.make(model_, name, place);
  if (!instance.ok() || place.device == wanted) return instance;
  take_claim_of_device(place, planned_, definition_);
  Log::info("an instance goes where there is room",
            {{"model", definition_.name}, {"instance", name}, {"gpu", place.device}, {"instead", wanted}});
  return instance;
}

Status InstanceLoading::make(size_t index, std::vector<std::unique_ptr<BackendInstance>>& into) {
  MM_ASSIGN_OR_RETURN(auto instance, make_at(index));
  if (needs_adapting(definition_, model_.info().signature))
    instance = adapt_instance(std::move(instance), definition_, plan_.has_batch_dimension);
  into.push_back(std::move(instance));
  return ok_status();
}

Status InstanceLoading::make_first(std::vector<std::unique_ptr<BackendInstance>>& into) { return make(0, into); }

Status InstanceLoading::make_others(std::vector<std::unique_ptr<BackendInstance>>& into,
                                    const std::function<Status()>& check_wanted) {
  for (size_t i = 1; i < planned_.size(); ++i) {
    MM_RETURN_IF_ERROR(check_wanted());
    Status made = make(i, into);
    if (made.ok()) continue;
    const bool may_wait = !plan_.instance_limits.fixed() && made.code() == Code::kResourceExhausted &&
                          static_cast<int>(into.size()) >= std::max(1, plan_.instance_limits.min);
    if (!may_wait) return made;
    Log::warning(
        "instances are held back",
        {{"model", definition_.name}, {"instances", static_cast<int64_t>(into.size())}, {"reason", made.message()}});
    break;
  }
  plan_further(into.size());
  return ok_status();
}

/// Those that are there keep their places; where they went doesn't decide where further ones are wanted.
void InstanceLoading::plan_further(size_t made) {
  plan_.places.resize(made);
  for (size_t i = 0; i < planned_.size(); ++i) plan_.places.push_back(planned_[(made + i) % planned_.size()]);
}

}  // namespace modelmill
