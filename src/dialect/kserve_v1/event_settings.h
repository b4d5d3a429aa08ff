#pragma once

#include <string>

namespace modelmill::kserve_v1 {

/// What KServe's containers are told of the events that they answer with.
struct EventSettings {
  std::string type = "io.kserve.inference.response";
  std::string source = {};  // empty: io.kserve.inference.MODEL
  bool merge = false;       // what else the request's event says is said again

  /// By CE_TYPE, CE_SOURCE and CE_MERGE of the process's environment, which is read once.
  static const EventSettings& of_environment();
};

}  // namespace modelmill::kserve_v1
