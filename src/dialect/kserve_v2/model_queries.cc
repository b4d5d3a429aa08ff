#include "dialect/kserve_v2/model_queries.h"

#include <utility>

#include "dialect/version_text.h"
#include "model/triton_config.h"

namespace modelmill::kserve_v2 {
namespace {

void add_tensor(const TensorSpec& spec, inference::ModelMetadataResponse::TensorMetadata& out) {
  out.set_name(spec.name);
  out.set_datatype(std::string(dtype_name(spec.dtype)));
  for (const int64_t d : spec.shape) out.add_shape(d);
}

void set_phase(const VersionStats::Phase& phase, inference::StatisticDuration& out) {
  out.set_count(phase.count);
  out.set_ns(phase.ns);
}

void add_statistics(const ModelVersion& version, inference::ModelStatistics& out) {
  const VersionStats::View view = version.stats().view();
  out.set_name(version.name());
  out.set_version(std::to_string(version.version()));
  out.set_last_inference(view.last_inference_ms);
  out.set_inference_count(view.inference_count);
  out.set_execution_count(view.execution_count);
  inference::InferStatistics& all = *out.mutable_inference_stats();
  set_phase(view.success, *all.mutable_success());
  set_phase(view.fail, *all.mutable_fail());
  set_phase(view.queue, *all.mutable_queue());
  set_phase(view.compute_input, *all.mutable_compute_input());
  set_phase(view.compute_infer, *all.mutable_compute_infer());
  set_phase(view.compute_output, *all.mutable_compute_output());
  set_phase(view.cache_hit, *all.mutable_cache_hit());
  set_phase(view.cache_miss, *all.mutable_cache_miss());
  for (const auto& [rows, batch] : view.batches) {
    inference::InferBatchStatistics& entry = *out.add_batch_stats();
    entry.set_batch_size(static_cast<uint64_t>(rows));
    set_phase(batch.input, *entry.mutable_compute_input());
    set_phase(batch.infer, *entry.mutable_compute_infer());
    set_phase(batch.output, *entry.mutable_compute_output());
  }
}

const char* state_name(VersionState state) {
  switch (state) {
    case VersionState::kLoading: return "LOADING";
    case VersionState::kReady: return "READY";
    case VersionState::kUnloading: return "UNLOADING";
    case VersionState::kUnavailable: return "UNAVAILABLE";
  }
  return "UNKNOWN";
}

}  // namespace

ModelQueries::ModelQueries(const Inference& inference, std::string server_name, std::string server_version,
                           std::function<bool()> ready, std::vector<std::string> extensions,
                           const graphs::GraphStates* graphs)
    : inference_(inference),
      catalog_(inference.catalog()),
      server_name_(std::move(server_name)),
      server_version_(std::move(server_version)),
      ready_(ready ? std::move(ready) : [] { return true; }),
      extensions_(std::move(extensions)),
      graphs_(graphs) {}

std::optional<graphs::GraphState> ModelQueries::graph(std::string_view name) const {
  if (graphs_ == nullptr || is_model(name)) return std::nullopt;
  return graphs_->find(name);
}

bool ModelQueries::is_model(std::string_view name) const {
  return catalog_.table()->find(name) != nullptr || inference_.find_route(name) != nullptr;
}

Result<VersionPin> ModelQueries::pin(std::string_view name, std::string_view version) const {
  if (version.empty())
    if (const auto route = inference_.find_route(name)) {
      const RouteTarget& target = route->main_arm().to;
      return pin_version(catalog_, target.model, target.version_text());
    }
  return pin_version(catalog_, name, version);
}

bool ModelQueries::has_labels(std::string_view name) const {
  const auto table = catalog_.table();
  const ModelEntry* entry = table->find(name);
  return entry != nullptr && !entry->labels.empty();
}

inference::ServerMetadataResponse ModelQueries::server_metadata() const {
  inference::ServerMetadataResponse out;
  out.set_name(server_name_);
  out.set_version(server_version_);
  for (const std::string& extension : extensions_) out.add_extensions(extension);
  return out;
}

std::vector<std::string> ModelQueries::model_names() const {
  std::vector<std::string> names;
  const auto table = catalog_.table();
  for (const ModelEntry* entry : table->entries()) names.push_back(entry->name);
  return names;
}

Result<bool> ModelQueries::model_ready(std::string_view name, std::string_view version) const {
  if (name.empty()) return invalid_argument("Missing model name in ModelReady request");
  if (const auto found = graph(name)) return found->ready;
  const Result<VersionPin> found = pin(name, version);
  if (found.ok()) return (*found)->availability().ok();
  if (found.status().code() == Code::kUnavailable) return false;
  return found.status();
}

Result<inference::ModelMetadataResponse> ModelQueries::model_metadata(std::string_view name,
                                                                      std::string_view version) const {
  if (name.empty()) return invalid_argument("Missing model name in ModelMetadata request");
  inference::ModelMetadataResponse out;
  out.set_name(std::string(name));
  if (graph(name)) {
    out.set_platform(std::string(graphs::kGraphPlatform));
    return out;
  }
  MM_ASSIGN_OR_RETURN(const VersionPin found, pin(name, version));
  if (!version.empty()) {
    out.add_versions(std::to_string(found->version()));
  } else {
    const auto table = catalog_.table();
    if (const ModelEntry* entry = table->find(found->name())) {
      for (const auto& ready : entry->versions) out.add_versions(std::to_string(ready->version()));
    }
  }
  const ModelDefinition& definition = found->definition();
  out.set_platform(definition.platform.empty() ? definition.backend : definition.platform);
  for (const TensorSpec& spec : found->signature().inputs) add_tensor(spec, *out.add_inputs());
  for (const TensorSpec& spec : found->signature().outputs) add_tensor(spec, *out.add_outputs());
  return out;
}

Result<inference::ModelConfig> ModelQueries::model_config(std::string_view name, std::string_view version) const {
  if (name.empty()) return invalid_argument("Missing model name in ModelConfig request");
  MM_ASSIGN_OR_RETURN(const VersionPin found, pin(name, version));
  return complete_triton_config(found->definition(), found->signature());
}

Result<inference::ModelStatisticsResponse> ModelQueries::statistics(std::string_view name,
                                                                    std::string_view version) const {
  int64_t number = 0;
  if (is_version_number(version)) {
    MM_ASSIGN_OR_RETURN(number, parse_version(name, version));
  } else {
    MM_ASSIGN_OR_RETURN(const VersionPin pin, catalog_.pin(name, version));
    number = pin->version();
  }
  inference::ModelStatisticsResponse out;
  const auto table = catalog_.table();
  for (const ModelEntry* entry : table->entries()) {
    if (!name.empty() && entry->name != name) continue;
    for (const auto& ready : entry->versions) {
      if (number == 0 || ready->version() == number) add_statistics(*ready, *out.add_model_stats());
    }
  }
  if (name.empty() || out.model_stats_size() != 0) return out;
  const ModelEntry* entry = table->find(name);
  if (entry == nullptr || entry->versions.empty()) {
    return invalid_argument("requested model '" + std::string(name) + "' is not available");
  }
  return invalid_argument("requested model version is not available for model '" + std::string(name) + "'");
}

inference::RepositoryIndexResponse ModelQueries::repository_index(bool ready_only) const {
  inference::RepositoryIndexResponse out;
  const auto table = catalog_.table();
  for (const ModelEntry* entry : table->entries()) {
    for (const VersionStatus& status : entry->statuses) {
      if (ready_only && status.state != VersionState::kReady) continue;
      auto& index = *out.add_models();
      index.set_name(entry->name);
      index.set_version(std::to_string(status.version));
      index.set_state(state_name(status.state));
      index.set_reason(status.reason);
      for (const auto& version : entry->versions) {
        if (version->version() != status.version || status.state != VersionState::kReady) continue;
        const Status available = version->availability();
        if (available.ok()) continue;
        index.set_state(state_name(VersionState::kUnavailable));
        index.set_reason(available.message());
      }
    }
    if (entry->statuses.empty() && !ready_only) out.add_models()->set_name(entry->name);
  }
  for (const graphs::GraphState& graph : graphs_ == nullptr ? std::vector<graphs::GraphState>() : graphs_->list()) {
    if ((ready_only && !graph.ready) || is_model(graph.name)) continue;
    auto& index = *out.add_models();
    index.set_name(graph.name);
    index.set_state(state_name(graph.ready ? VersionState::kReady : VersionState::kUnavailable));
    index.set_reason(graph.reason);
  }
  return out;
}

}  // namespace modelmill::kserve_v2
