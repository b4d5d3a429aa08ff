#include "dialect/kserve_v2/service.h"

#include <utility>

#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/kserve_v2/grpc_infer.h"
#include "dialect/kserve_v2/grpc_stream.h"
#include "dialect/kserve_v2/http_routes.h"
#include "dialect/kserve_v2/log_settings_codec.h"
#include "dialect/kserve_v2/model_loading.h"
#include "dialect/kserve_v2/model_queries.h"
#include "dialect/kserve_v2/settings.h"
#include "dialect/kserve_v2/shared_memory_grpc.h"
#include "dialect/kserve_v2/trace_settings_codec.h"

namespace modelmill::kserve_v2 {
namespace {

constexpr const char* kServiceName = "inference.GRPCInferenceService";

/// The protocol extensions that work here, and no others: clients decide by this list what to try.
std::vector<std::string> extensions(const Service::Options& options, const SharedRegions& regions) {
  std::vector<std::string> names = {"classification", "model_repository", "schedule_policy", "model_configuration"};
  if (regions.on()) names.emplace_back("system_shared_memory");
  if (regions.cuda_on()) names.emplace_back("cuda_shared_memory");
  names.insert(names.end(), {"binary_tensor_data", "parameters", "statistics"});
  if (options.tracer != nullptr) names.emplace_back("trace");
  names.insert(names.end(), {"logging", "generate"});
  return names;
}

}  // namespace

struct Service::Rep {
  Rep(Inference& i, Options options)
      : inference(i),
        settings{std::make_shared<SharedRegions>(options.shared_memory_keys, options.shared_memory_bytes, options.cuda),
                 std::make_shared<LogSettings>(), options.tracer},
        queries(std::make_shared<const ModelQueries>(i, options.server_name, options.server_version, options.ready,
                                                     extensions(options, *settings.regions), options.graphs)),
        http(options.http),
        grpc(std::move(options.http)),
        control(options.control) {
    grpc.forwarding = std::move(options.grpc_forwarding);
  }

  Inference& inference;
  Settings settings;
  std::shared_ptr<const ModelQueries> queries;
  HttpOptions http;
  HttpOptions grpc;
  ModelControl* control;
};

Service::Service(Inference& inference, Options options) : rep_(std::make_shared<Rep>(inference, std::move(options))) {}

Service::~Service() = default;

wire::HttpHandler Service::http() const {
  return make_http_handler(rep_->inference, rep_->queries, rep_->settings, rep_->control, rep_->http);
}

std::shared_ptr<const SharedRegions> Service::regions() const { return rep_->settings.regions; }

void Service::add_to(wire::GrpcMethods& methods) const {
  methods.add(method_path("ModelInfer"), model_infer_method(rep_->inference, rep_->grpc, rep_->settings.regions),
              wire::ApiGroup::kInference);
  methods.add(method_path("ModelStreamInfer"),
              model_stream_infer_method(rep_->inference, rep_->grpc, rep_->settings.regions),
              wire::ApiGroup::kInference);
  add_control_methods(methods, rep_->queries);
  add_shared_memory_methods(methods, rep_->settings.regions);
  add_log_settings_method(methods, rep_->settings.log);
  add_trace_settings_method(methods, rep_->settings.tracer, rep_->queries);
  add_loading_methods(methods, rep_->control);
  const google::protobuf::FileDescriptor* file = inference::ModelInferRequest::descriptor()->file();
  methods.describe(file->FindServiceByName("GRPCInferenceService"));
}

int Service::health(std::string_view service) const {
  if (!service.empty() && service != kServiceName) return 3;
  return rep_->queries->server_ready() ? 1 : 2;
}

}  // namespace modelmill::kserve_v2
