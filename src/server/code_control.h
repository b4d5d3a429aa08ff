#pragma once

#include <functional>
#include <map>
#include <string>

#include "backend/server_functions.h"
#include "base/mutex.h"
#include "catalog/catalog.h"
#include "catalog/model_control.h"
#include "lifecycle/control_settings.h"

namespace modelmill {

/// Loads and unloads that models' own code asks for, handed on to the control plane. Code may only where the operator
/// left what is served to clients alone (ControlMode::kExplicit), as with Triton. Files that it gives are a client's as
/// far as trust goes: who wrote the code did not write them. Refuses what would wait for itself. Thread-safe.
class CodeControl {
 public:
  CodeControl(const Catalog& catalog, ModelControl& control, ControlMode mode)
      : catalog_(catalog), control_(control), mode_(mode) {}

  void change(ModelChange change, std::function<void(Status)> done);

 private:
  Status begin_wait(const std::string& caller, const std::string& model);
  void end_wait(const std::string& caller, const std::string& model);
  bool waits_for(const std::string& model, const std::string& other) const MM_REQUIRES(mutex_);
  Status check_itself(const std::string& model) const;

  const Catalog& catalog_;
  ModelControl& control_;
  const ControlMode mode_;
  Mutex mutex_;
  /// Models whose code waits, and the models that they wait for.
  std::multimap<std::string, std::string> waits_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
