#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "backend/backend_model.h"
#include "base/status.h"
#include "catalog/version_factory.h"
#include "lifecycle/device_claims.h"
#include "lifecycle/load_settings.h"
#include "model/definition.h"

namespace modelmill {

/// Makes the instances of a version that is being loaded: places them as the groups of its definition say, which it
/// completes, and makes one after the other where the devices' memory allows. What is given to it outlives it.
class InstanceLoading {
 public:
  InstanceLoading(ModelDefinition& definition, BackendModel& model, VersionPlan& plan, const LoadSettings& settings,
                  DeviceClaims& claims)
      : definition_(definition), model_(model), plan_(plan), settings_(settings), claims_(claims) {}

  /// Where each is to run, into the plan.
  Status place();
  /// The one that is tried out; it becomes the first of those that serve.
  Status make_first(std::vector<std::unique_ptr<BackendInstance>>& into);
  /// The rest. Of a version whose number of instances follows its load, those above the least number may be missing
  /// where no device has room for them.
  Status make_others(std::vector<std::unique_ptr<BackendInstance>>& into, const std::function<Status()>& check_wanted);
  /// Where each was to run, wherever it went.
  const std::vector<InstancePlace>& planned() const { return planned_; }

 private:
  Status claim_resources();
  void plan_further(size_t made);
  Status make(size_t index, std::vector<std::unique_ptr<BackendInstance>>& into);
  Result<std::unique_ptr<BackendInstance>> make_at(size_t index);

  ModelDefinition& definition_;
  BackendModel& model_;
  VersionPlan& plan_;
  const LoadSettings& settings_;
  DeviceClaims& claims_;
  std::vector<InstancePlace> planned_;
};

}  // namespace modelmill
