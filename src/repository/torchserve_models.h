#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "repository/found_model.h"

namespace modelmill {

/// What a config.properties of TorchServe's says of archives.
struct TorchserveModels {
  struct Version {
    ModelLayer layer;
    bool is_default = false;
  };

  ModelLayer all;
  std::map<std::string, std::map<std::string, Version>> models;  // by name and version, as an archive has it
};

/// Reads {"defaults": {"responseTimeout": 120}, "models": {"NAME": {"VERSION": {"minWorkers": 1}}}}, with the keys of a
/// model-config.yaml, "serviceEnvelope" and "defaultVersion"; with "snapshot": true a batchSize of 1 says nothing, as
/// in a registration, since every version of a snapshot has one. INVALID_ARGUMENT names what is wrong; `place` is where
/// it comes from.
Result<TorchserveModels> read_torchserve_models(const std::string& json, const std::string& place);

/// Lays what is said of an archive's model below what that says itself.
void lay_below(FoundModel& model, const TorchserveModels& said);

}  // namespace modelmill
