#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "catalog/model_version.h"
#include "catalog/version_factory.h"
#include "lifecycle/backend_source.h"
#include "lifecycle/load_settings.h"
#include "repository/find_models.h"

namespace modelmill {

/// A version that is ready to be made into a ModelVersion: loaded, decided upon, warmed up.
struct LoadedVersion {
  ModelVersion::Description description;
  VersionPlan plan;
  std::unique_ptr<BackendModel> model;
  std::vector<std::unique_ptr<BackendInstance>> instances;  // destroyed before the model
  std::string cost_key;                                     // of what is learned of it; see CostStore
  /// nullopt: its configuration said whether it is batched.
  std::optional<BatchingDecision> batching;
  /// The size of open dimensions with which made-up inputs work; nullopt: none did, or none was needed.
  std::optional<int64_t> open_size;
  std::string runtime;  // with its version
  /// With the requests that the model brings along, on all instances; nullopt: it brings none.
  std::optional<Duration> warmed_up_in;
  /// The model's other entry points, each decided upon by itself.
  std::vector<LoadedVersion> other_signatures;
};

/// What a load asks on its way, on its own thread. Each may be null.
struct LoadQuestions {
  /// Nobody wants the version any more.
  std::function<bool()> abandoned;
  /// What executions have cost the version whose place it takes, if that has such an entry point; empty: not known.
  std::function<std::vector<LearnedCost>(const ModelDefinition&, const Signature&, const std::string& entry)>
      costs_before;
};

/// Loads one version: finds its backend and file, loads it, holds its configuration against it, decides how it is
/// batched (by a probe where nobody said), makes its instances and warms them up. Blocks; any thread.
/// `definition` is what the model's configuration says; `formats` are those of the backends that there are. CANCELLED
/// at the next step once nobody wants it any more.
Result<LoadedVersion> load_version(const FoundModel& found, const FoundVersion& version, ModelDefinition definition,
                                   std::span<const ModelFormat> formats, const BackendSource& backends,
                                   const LoadSettings& settings, const LoadQuestions& ask = {});

}  // namespace modelmill
