#include <memory>
#include <optional>
#include <string>

#include "lifecycle/controller_core.h"

namespace modelmill {

std::shared_ptr<VersionStats> ControllerCore::stats_of(const Job& job, const ModelDefinition& definition) {
  const MutexLock lock(mutex_);
  auto& stats = models_[job.model].versions[job.version.version].stats;
  if (!stats) {
    SeriesSettings series = settings_.series;
    if (definition.ensemble) series.batches = nullptr;  // it runs nothing itself
    stats = std::make_shared<VersionStats>(metrics_, job.model, job.version.version, definition.metric_tags, series);
  }
  if (definition.decoupled || settings_.series.all_first_responses)
    stats->tell_first_responses(definition.first_response_bounds_ms);
  return stats;
}

void ControllerCore::note_failure(ModelRecord& model, const Job& job) {
  if (!model.failures)
    model.failures = metrics_.counter("modelmill_model_load_failures_total", "Versions that could not be loaded",
                                      {{"model", model.name}});
  model.failures->add();
  note_load(job, std::nullopt);
}

/// `took`: a load that succeeded.
void ControllerCore::note_load(const Job& job, std::optional<Duration> took) const {
  if (!settings_.attempts || job.target->definition.ensemble) return;
  const auto found = job.target->places.find(job.version.version);
  if (found == job.target->places.end()) return;
  const FoundVersion& files = found->second;
  const std::string& place = files.file.empty() ? files.directory : files.file;
  if (took)
    settings_.attempts->succeeded(job.model, job.version.version, place, *took);
  else
    settings_.attempts->failed(job.model, job.version.version, place);
}

}  // namespace modelmill
