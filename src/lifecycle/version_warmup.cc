#include "lifecycle/version_warmup.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "lifecycle/batching_probe.h"
#include "lifecycle/direct_run.h"
#include "lifecycle/tf_warmup.h"
#include "lifecycle/warmup.h"

namespace modelmill {
namespace {

/// One row is enough also where the first dimension is not known to be a batch.
bool has_rows(const LoadingEntry& entry) {
  return entry.batched ||
         std::all_of(entry.signature.inputs.begin(), entry.signature.inputs.end(),
                     [](const TensorSpec& spec) { return !spec.shape.empty() && spec.shape[0] == -1; });
}

}  // namespace

Result<WarmupOutcome> warm_up_entry(const LoadingEntry& entry, const LoadSettings& settings,
                                    std::span<const std::unique_ptr<BackendInstance>> instances,
                                    std::optional<int64_t> open_size, const std::function<Status()>& check_wanted) {
  WarmupOutcome out{open_size, {}};
  if (!settings.warm_up) return out;
  const ModelDefinition& definition = entry.definition;
  const BackendModelInfo& info = entry.model.info();
  const TimePoint start = Clock::now();
  MM_ASSIGN_OR_RETURN(auto samples, warmup_samples(definition, entry.signature, entry.directory));
  MM_ASSIGN_OR_RETURN(const bool brought,
                      add_tf_warmup(entry.file, definition, {entry.signature, info.signature_name, entry.batched},
                                    settings.warm_up_iterations, samples));
  for (const auto& instance : instances) {
    if (samples.empty()) break;
    MM_RETURN_IF_ERROR(check_wanted());
    MM_RETURN_IF_ERROR(run_warmup(*instance, definition, entry.version, samples));
  }
  if (brought) out.own = Clock::now() - start;
  if (!samples.empty() || info.stateful || info.no_trials || definition.decoupled) return out;
  const bool batched = has_rows(entry);
  if (!out.open_size)
    out.open_size = find_working_size(entry.signature, batched, [&](const std::vector<DirectRequest>& requests) {
      return run_directly(*instances.front(), definition.name, entry.version, requests);
    });
  if (!out.open_size) {
    Log::debug("model is not warmed up, made-up inputs don't run", {{"model", definition.name}});
    return out;
  }
  for (const auto& instance : instances) {
    MM_RETURN_IF_ERROR(check_wanted());
    run_default_warmup(*instance, definition, entry.version, entry.signature, batched, *out.open_size, entry.max_rows);
  }
  return out;
}

}  // namespace modelmill
