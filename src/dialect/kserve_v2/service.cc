#include "dialect/kserve_v2/service.h"

#include <utility>

#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/kserve_v2/grpc_infer.h"
#include "dialect/kserve_v2/grpc_stream.h"
#include "dialect/kserve_v2/http_routes.h"
#include "dialect/kserve_v2/model_loading.h"
#include "dialect/kserve_v2/model_queries.h"

namespace modelmill::kserve_v2 {
namespace {

constexpr const char* kServiceName = "inference.GRPCInferenceService";

}  // namespace

struct Service::Rep {
  Inference& inference;
  std::shared_ptr<const ModelQueries> queries;
  HttpOptions http;
  ModelControl* control;
};

Service::Service(Inference& inference, Options options)
    : rep_(std::make_shared<Rep>(
          Rep{inference,
              std::make_shared<const ModelQueries>(inference, std::move(options.server_name),
                                                   std::move(options.server_version), std::move(options.ready)),
              std::move(options.http), options.control})) {}

Service::~Service() = default;

wire::HttpHandler Service::http() const {
  return make_http_handler(rep_->inference, rep_->queries, rep_->control, rep_->http);
}

void Service::add_to(wire::GrpcMethods& methods) const {
  methods.add(method_path("ModelInfer"),
              model_infer_method(rep_->inference, rep_->http.server_timing, rep_->http.offload),
              wire::ApiGroup::kInference);
  methods.add(method_path("ModelStreamInfer"), model_stream_infer_method(rep_->inference), wire::ApiGroup::kInference);
  add_control_methods(methods, rep_->queries);
  add_loading_methods(methods, rep_->control);
  const google::protobuf::FileDescriptor* file = inference::ModelInferRequest::descriptor()->file();
  methods.describe(file->FindServiceByName("GRPCInferenceService"));
}

int Service::health(std::string_view service) const {
  if (!service.empty() && service != kServiceName) return 3;
  return rep_->queries->server_ready() ? 1 : 2;
}

}  // namespace modelmill::kserve_v2
