#include "dialect/kserve_v2/grpc_control.h"

#include <utility>

#include "dialect/unary_proto.h"

namespace modelmill::kserve_v2 {
namespace {

using wire::ApiGroup;

template <typename Request, typename Answer>
void add(wire::GrpcMethods& methods, ApiGroup group, std::string_view name, Answer answer) {
  add_unary<Request>(methods, group, method_path(name), std::move(answer));
}

void add_health(wire::GrpcMethods& methods, const std::shared_ptr<const ModelQueries>& queries) {
  using namespace inference;
  add<ServerLiveRequest>(methods, ApiGroup::kHealth, "ServerLive",
                         [](const ServerLiveRequest&) -> Result<ServerLiveResponse> {
                           ServerLiveResponse out;
                           out.set_live(true);
                           return out;
                         });
  add<ServerReadyRequest>(methods, ApiGroup::kHealth, "ServerReady",
                          [queries](const ServerReadyRequest&) -> Result<ServerReadyResponse> {
                            ServerReadyResponse out;
                            out.set_ready(queries->server_ready());
                            return out;
                          });
  add<ModelReadyRequest>(methods, ApiGroup::kHealth, "ModelReady",
                         [queries](const ModelReadyRequest& in) -> Result<ModelReadyResponse> {
                           MM_ASSIGN_OR_RETURN(const bool ready, queries->model_ready(in.name(), in.version()));
                           ModelReadyResponse out;
                           out.set_ready(ready);
                           return out;
                         });
}

void add_descriptions(wire::GrpcMethods& methods, const std::shared_ptr<const ModelQueries>& queries) {
  using namespace inference;
  add<ServerMetadataRequest>(
      methods, ApiGroup::kMetadata, "ServerMetadata",
      [queries](const ServerMetadataRequest&) -> Result<ServerMetadataResponse> { return queries->server_metadata(); });
  add<ModelMetadataRequest>(methods, ApiGroup::kMetadata, "ModelMetadata", [queries](const ModelMetadataRequest& in) {
    return queries->model_metadata(in.name(), in.version());
  });
  add<ModelConfigRequest>(methods, ApiGroup::kMetadata, "ModelConfig",
                          [queries](const ModelConfigRequest& in) -> Result<ModelConfigResponse> {
                            ModelConfigResponse out;
                            MM_ASSIGN_OR_RETURN(*out.mutable_config(), queries->model_config(in.name(), in.version()));
                            return out;
                          });
  add<ModelStatisticsRequest>(
      methods, ApiGroup::kMetadata, "ModelStatistics",
      [queries](const ModelStatisticsRequest& in) { return queries->statistics(in.name(), in.version()); });
  add<RepositoryIndexRequest>(methods, ApiGroup::kMetadata, "RepositoryIndex",
                              [queries](const RepositoryIndexRequest& in) -> Result<RepositoryIndexResponse> {
                                if (!in.repository_name().empty()) {
                                  return unimplemented("'repository_name' specification is not supported");
                                }
                                return queries->repository_index(in.ready());
                              });
}

}  // namespace

std::string method_path(std::string_view method) { return "/inference.GRPCInferenceService/" + std::string(method); }

void add_control_methods(wire::GrpcMethods& methods, std::shared_ptr<const ModelQueries> queries) {
  add_health(methods, queries);
  add_descriptions(methods, queries);
}

}  // namespace modelmill::kserve_v2
