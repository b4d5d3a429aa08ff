#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend_model.h"
#include "catalog/instances.h"
#include "lifecycle/device_claims.h"
#include "lifecycle/load_settings.h"
#include "model/definition.h"
#include "model/signature.h"

namespace modelmill {

/// Where a model may run: one instance of a group. Lives as long as the definition that has the group.
struct GroupPlace {
  const InstanceGroup* group;
  int index;  // among the group's
  int gpu;
};

/// A place for each instance, in the order of the groups.
std::vector<GroupPlace> group_places(const ModelDefinition& definition);

/// What the executions of an instance take that has gone to another device than was planned: what those of its group
/// take there, else as others that are planned there. One whose group takes nothing takes nothing there either.
/// `planned` are the places of the definition's groups.
void take_claim_of_device(InstancePlace& place, const std::vector<InstancePlace>& planned,
                          const ModelDefinition& definition);

/// Threads that an instance may use inside, as the model's configuration or the operator says; 0: nobody does.
int threads_of_instance(const ModelDefinition& definition, const LoadSettings& settings);

/// Instances of a group whose configuration gives no number.
int default_instance_count(const ModelDefinition& definition, const BackendModelInfo& info,
                           const LoadSettings& settings, InstanceGroup::Kind kind);

/// What an instance that is made at run time is made by, and warmed up with.
struct InstancePattern {
  ModelDefinition definition;
  Signature signature;
  int64_t version;
  bool batched;
  int64_t rows;
  std::optional<int64_t> open_size;   // nullopt: it is not warmed up
  std::vector<InstancePlace> places;  // where it may be
  std::shared_ptr<DeviceClaims> claims;
};

/// Makes instances as the loading did, long after it: on another GPU of the model's where the wanted one's memory is
/// taken. Any thread, one call at a time.
std::function<Result<std::unique_ptr<BackendInstance>>(BackendModel&, int index, InstancePlace&)> instance_maker(
    InstancePattern pattern);

}  // namespace modelmill
