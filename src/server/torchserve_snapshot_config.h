#pragma once

#include <string>

#include "repository/java_properties.h"

namespace modelmill {

/// Where TorchServe's snapshots are written, and what the configuration is besides the models.
struct TorchserveSnapshotConfig {
  std::string folder;       // made when it is missing; empty: none are written
  std::string model_store;  // whose archives can be named
  Properties properties;    // what the server was started with
};

}  // namespace modelmill
