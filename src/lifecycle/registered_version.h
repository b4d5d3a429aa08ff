#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "catalog/instances.h"
#include "model/definition.h"

namespace modelmill {

/// A version that is to be served, whether it is by now, or could not be.
struct RegisteredVersion {
  std::string model;
  int64_t version = 0;
  bool is_default = false;
  std::string file;  // the name of the file or folder that it comes from
  std::string url;   // where that was brought from; empty: it was here
  InstanceLimits instances;
  std::shared_ptr<const ModelDefinition> definition;
};

}  // namespace modelmill
