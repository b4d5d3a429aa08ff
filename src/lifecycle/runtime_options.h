#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lifecycle/backend_source.h"
#include "lifecycle/load_settings.h"
#include "lifecycle/runtime_precisions.h"
#include "lifecycle/runtime_stand_in.h"
#include "model/definition.h"
#include "repository/find_models.h"
#include "repository/model_format.h"

namespace modelmill {

/// Which runtimes may run a version, and whether the fastest is looked for.
struct RuntimeOptions {
  /// The reference first: the one that the model's file stands for, whose answers count. Empty: nobody can run it, and
  /// the loading tells why.
  std::vector<std::string> backends;
  std::vector<std::string> runtimes;  // of each, with its version
  /// Those that would compute it in a lower precision, where the user allows that; also what can't be had of it.
  std::vector<LessPreciseRuntime> less_precise;
  /// The one of them that the user wants, whatever it brings.
  std::optional<LessPreciseRuntime> pinned;
  /// What runs it in the place of its backend, which stays the only one of `backends`.
  std::optional<StandIn> stand_in;
  bool choose = false;
  double tolerance = 1e-4;
  std::string file;
};

/// What the configuration and the operator say, and what is installed. The model's parameters: `runtime` ("auto",
/// "default", or a backend's name, "openvino", or "openvino:bf16"), `runtime_precisions` ("bf16,int8") and
/// `runtime_tolerance`, without which no lower precision is allowed. A configuration that names a backend, or that has
/// settings for one, has chosen; so has one of instances on GPUs. What the chosen one can't run for want of its library
/// another may in its place. INVALID_ARGUMENT names a parameter that makes no sense.
Result<RuntimeOptions> runtime_options(const FoundModel& found, const FoundVersion& version,
                                       const ModelDefinition& definition, std::span<const ModelFormat> formats,
                                       const BackendSource& backends, const LoadSettings& settings);

}  // namespace modelmill
