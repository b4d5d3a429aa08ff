#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lifecycle/backend_source.h"
#include "lifecycle/direct_run.h"
#include "lifecycle/load_settings.h"
#include "lifecycle/runtime_chooser.h"
#include "lifecycle/runtime_options.h"
#include "model/definition.h"
#include "repository/find_models.h"

namespace modelmill {

/// The version whose runtimes are compared. Everything it refers to outlives the trial.
struct RuntimeSubject {
  const FoundModel& found;
  const FoundVersion& version;
  const ModelDefinition& definition;  // as configured
  const RuntimeOptions& options;
  /// Inputs of requests that it got; none: made-up ones will do.
  std::vector<TensorList> samples;
};

struct TrialSettings {
  /// How long each size of batch is run in each round.
  Duration slice = std::chrono::milliseconds(40);
  int rounds = 3;
  /// The longest execution that is still measured with larger batches.
  Duration longest = std::chrono::milliseconds(250);
};

/// Loads the version with each of its runtimes and in each layout of the cores, beside what serves; holds the answers
/// of each runtime to those of the reference, for the samples and for random values of the first one's shape, alone and
/// in a batch (of a file in another precision, for the samples alone if there are any: what it was made for); and
/// measures, in turns, how many rows a second each does with batches of 1, 2, 4 ... such rows, less the time
/// that the traffic held them up. Blocks for seconds; ends
/// early, with CANCELLED, when `stop` is set. FAILED_PRECONDITION when the version can't be tried: the reference
/// doesn't load, or made-up inputs don't run. What is loaded here is unloaded again.
Result<std::shared_ptr<const RuntimeKnowledge>> compare_runtimes(
    const RuntimeSubject& subject, std::span<const ModelFormat> formats, const BackendSource& backends,
    const LoadSettings& settings, const TrialSettings& trial, const std::atomic<bool>& stop);

/// How a version loads in a layout: the definition and settings for load_version().
struct LaidOut {
  ModelDefinition definition;
  LoadSettings settings;
};
LaidOut lay_out(const ModelDefinition& definition, const LoadSettings& settings, const RuntimeOptions& options,
                const RuntimeLayout& layout, const std::optional<BatchingDecision>& batching);

/// Has a version loaded in a lower precision.
void lower_precision(LoadSettings& settings, const LessPreciseRuntime& runtime);

/// The layout in which a version was loaded.
RuntimeLayout layout_of(const ModelDefinition& loaded, const LoadSettings& settings, size_t instances);

}  // namespace modelmill
