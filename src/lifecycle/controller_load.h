#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lifecycle/controller_core.h"

namespace modelmill {

/// What a load's thread brings back.
struct ControllerCore::Loaded {
  Status status;
  std::shared_ptr<ModelVersion> version;
  std::shared_ptr<VersionStats> stats;
  std::shared_ptr<RuntimeRecord> runtimes;
  std::shared_ptr<const RuntimeReport> report;  // where there is no choice, but something to tell; else null
  std::string cost_key;
  int64_t instances = 0;
  std::string files_stamp;
  uint64_t bytes = 0;
  Duration took{};
  std::optional<Duration> warmed_up_in;  // with the requests that the model brings along; nullopt: it brings none
};

}  // namespace modelmill
