#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"
#include "dialect/graphs/graph_states.h"
#include "grpc_service.pb.h"
#include "serve/inference.h"

namespace modelmill::kserve_v2 {

/// The protocol's questions about the server and its models, answered as the gRPC messages; HTTP writes the same
/// answers as JSON. Thread-safe: each reads one table of the catalog. Versions are texts as clients send them; empty:
/// the default, or all where the answer is a list. A route's name stands for the version with its largest share.
/// Inference graphs are told of beside the models: as ready, in the index, and without tensors. `extensions`: what the
/// server's own description says that it has.
class ModelQueries {
 public:
  ModelQueries(const Inference& inference, std::string server_name, std::string server_version,
               std::function<bool()> ready, std::vector<std::string> extensions,
               const graphs::GraphStates* graphs = nullptr);

  /// Versions of the model can be named by labels.
  bool has_labels(std::string_view name) const;
  bool server_ready() const { return ready_(); }
  inference::ServerMetadataResponse server_metadata() const;

  std::vector<std::string> model_names() const;
  /// Whether a version (the default one) takes requests. NOT_FOUND for an unknown one.
  Result<bool> model_ready(std::string_view name, std::string_view version) const;
  Result<inference::ModelMetadataResponse> model_metadata(std::string_view name, std::string_view version) const;
  Result<inference::ModelConfig> model_config(std::string_view name, std::string_view version) const;
  /// An empty name: all models.
  Result<inference::ModelStatisticsResponse> statistics(std::string_view name, std::string_view version) const;
  inference::RepositoryIndexResponse repository_index(bool ready_only) const;

 private:
  /// nullopt: no graph, declared or refused, has that name, or a model or a route has it, which then is what is asked.
  std::optional<graphs::GraphState> graph(std::string_view name) const;
  bool is_model(std::string_view name) const;
  Result<VersionPin> pin(std::string_view name, std::string_view version) const;

  const Inference& inference_;
  const Catalog& catalog_;
  const std::string server_name_;
  const std::string server_version_;
  const std::function<bool()> ready_;
  const std::vector<std::string> extensions_;
  const graphs::GraphStates* const graphs_;  // null: there are none
};

}  // namespace modelmill::kserve_v2
