#include "dialect/tfserving/service.h"

#include <memory>
#include <string>
#include <utility>

#include "base/json_text.h"
#include "dialect/kserve_v1/cloud_events.h"
#include "dialect/kserve_v1/handler_call.h"
#include "dialect/method_check.h"
#include "dialect/model_wait.h"
#include "dialect/openai/models.h"
#include "dialect/route_facts.h"
#include "dialect/tfserving/grpc_examples.h"
#include "dialect/tfserving/grpc_predict.h"
#include "dialect/tfserving/metadata.h"
#include "dialect/tfserving/rest_call.h"
#include "dialect/tfserving/rest_path.h"
#include "dialect/torchserve/infer_codec.h"
#include "dialect/unary_proto.h"

namespace modelmill::tfserving {
namespace {

namespace api = tensorflow::serving;
using wire::ApiGroup;

constexpr const char* kSignatureDef = "signature_def";

ModelTarget target_of(const api::ModelSpec& spec) {
  ModelTarget target;
  target.model = spec.name();
  target.signature = spec.signature_name();
  target.label = spec.version_label();
  if (spec.has_version()) target.version = spec.version().value();
  return target;
}

Result<api::GetModelMetadataResponse> metadata(const Catalog& catalog, const api::GetModelMetadataRequest& request) {
  if (!request.has_model_spec()) return invalid_argument("Missing ModelSpec");
  if (request.metadata_field().empty())
    return invalid_argument("GetModelMetadataRequest must specify at least one metadata_field");
  for (const std::string& field : request.metadata_field())
    if (field != kSignatureDef) return invalid_argument("Metadata field " + field + " is not supported");
  MM_ASSIGN_OR_RETURN(const VersionPin pin, pin_target(catalog, target_of(request.model_spec())));
  api::GetModelMetadataResponse out;
  out.mutable_model_spec()->set_name(pin->name());
  out.mutable_model_spec()->mutable_version()->set_value(pin->version());
  (*out.mutable_metadata())[kSignatureDef].PackFrom(signatures_of(*pin));
  return out;
}

Result<api::GetModelStatusResponse> status(const Catalog& catalog, const api::GetModelStatusRequest& request) {
  if (!request.has_model_spec()) return invalid_argument("Missing ModelSpec");
  return model_status(catalog, target_of(request.model_spec()));
}

/// KServe V1's list of models, with OpenAI's in the same object where both are meant.
std::string list_json(const Catalog& catalog, Dialects dialects) {
  JsonWriter json;
  json.begin_object().key("models").begin_array();
  const auto table = catalog.table();
  for (const ModelEntry* entry : table->entries()) json.value(entry->name);
  json.end_array();
  if (dialects == Dialects::kBoth) openai::write_list_members(json, *table);
  json.end_object();
  return json.take();
}

/// KServe V1's readiness of a model and OpenAI's description of it, for their clients, and TensorFlow Serving's status
/// of its versions.
Result<std::string> status_json(const Catalog& catalog, const RestPath& path) {
  MM_ASSIGN_OR_RETURN(const api::GetModelStatusResponse status, model_status(catalog, path.target));
  if (path.dialects == Dialects::kTfServing) return json_of(status);
  const bool ready = pin_target(catalog, path.target).ok();
  if (!ready && path.dialects == Dialects::kKserveV1)
    return unavailable("Model with name " + path.target.model + " is not ready.");
  JsonWriter json;
  json.begin_object().field("name", path.target.model).field("ready", ready);
  if (path.dialects == Dialects::kBoth) openai::write_model_members(json, path.target.model);
  json.end_object();
  std::string text = json.take();
  if (path.dialects == Dialects::kKserveV1) return text;
  text.back() = ',';
  return text + json_of(status).substr(1);
}

Result<std::string> describe(const Catalog& catalog, const RestPath& path) {
  switch (path.ask) {
    case Ask::kList:
      if (path.dialects == Dialects::kTfServing) return invalid_argument("Missing model name in request.");
      return list_json(catalog, path.dialects);
    case Ask::kStatus: return status_json(catalog, path);
    default: break;
  }
  if (path.target.model.empty()) return invalid_argument("Missing model name in request.");
  MM_ASSIGN_OR_RETURN(const VersionPin pin, pin_target(catalog, path.target));
  return metadata_json(*pin);
}

/// KServe's explanations, and what it asks a handler of TorchServe's.
bool is_for_handler(const RestPath& path, const ModelVersion& version) {
  if (path.ask == Ask::kExplain) return true;
  return path.ask == Ask::kPredict && path.dialects != Dialects::kTfServing && torchserve::takes_bodies(version);
}

/// What requests are answered with.
struct Rest {
  Inference& inference;
  const HttpOptions options;
  const std::shared_ptr<Observers> observers;
  const Dialects at_v1;
};
using RestPtr = std::shared_ptr<const Rest>;

void handle(const RestPtr& rest, const std::shared_ptr<wire::HttpExchange>& exchange);

void infer(const RestPtr& rest, const RestPath& path, const std::shared_ptr<wire::HttpExchange>& exchange) {
  Inference& inference = rest->inference;
  RoutedRequestPtr routed = find_route(inference, path.target, facts_of(exchange->request()));
  Result<VersionPin> pin = pin_target(inference.catalog(), path.target, routed);
  const std::string& model = routed ? routed->target().model : path.target.model;
  if (pin.ok() && is_for_handler(path, **pin))
    return kserve_v1::handle_by_handler(inference, exchange, path.target.model, std::move(pin).value(),
                                        path.ask == Ask::kExplain, rest->options, std::move(routed));
  const bool waits = !pin.ok() && inference.loads_on_demand(model);
  if (pin.ok() || (routed && !waits && path.ask != Ask::kExplain))  // the route may have an answer of its own
    return handle_rest_inference(inference, exchange, path, std::move(pin), rest->options, rest->observers,
                                 std::move(routed));
  if (!waits) return exchange->reply(error_reply(pin.status()));
  wait_for_model(inference, exchange, model, [rest](const auto& again) { handle(rest, again); });
}

/// The same of an event's data. Who means a model that there is not is told so before the event is read.
void infer_by_event(const RestPtr& rest, const RestPath& path, const std::shared_ptr<wire::HttpExchange>& exchange) {
  const ModelTarget& target = path.target;
  if (!rest->inference.find_route(target.model) && !rest->inference.loads_on_demand(target.model))
    if (const Status found = pin_target(rest->inference.catalog(), target).status(); !found.ok())
      return exchange->reply(error_reply(found));
  kserve_v1::open_event(exchange, target.model, rest->options.offload, [rest, path, exchange](const auto& event) {
    if (!event.ok()) return exchange->reply(error_reply(event.status()));
    infer(rest, path, *event);
  });
}

void handle(const RestPtr& rest, const std::shared_ptr<wire::HttpExchange>& exchange) {
  Inference& inference = rest->inference;
  const wire::HttpRequest& request = exchange->request();
  Result<RestPath> path = parse_rest_path(request.method, request.path);
  if (!path.ok()) return exchange->reply(error_reply(path.status()));
  if (path->dialects == Dialects::kBoth) path->dialects = rest->at_v1;
  if (request.method != "POST") {
    // TensorFlow Serving has no routes, and OpenAI's clients take one for a model.
    const bool of_name = path->ask == Ask::kStatus && !path->target.version && path->target.label.empty();
    if (of_name && path->dialects == Dialects::kBoth && inference.find_route(path->target.model))
      return exchange->reply(openai::describe_model(inference, path->target.model));
    Result<std::string> body = describe(inference.catalog(), *path);
    wire::HttpReply reply = body.ok() ? json_reply(200, std::move(body).value()) : error_reply(body.status());
    compress_reply(reply, request);
    return exchange->reply(std::move(reply));
  }
  const bool may_be_event =
      path->dialects != Dialects::kTfServing && (path->ask == Ask::kPredict || path->ask == Ask::kExplain);
  if (may_be_event && kserve_v1::is_event(request)) return infer_by_event(rest, *path, exchange);
  infer(rest, *path, exchange);
}

ApiGroup group_of(const wire::HttpRequest& request) {
  if (request.method == "POST") return ApiGroup::kInference;
  const Result<RestPath> path = parse_rest_path(request.method, request.path);
  return path.ok() && path->ask == Ask::kStatus ? ApiGroup::kHealth : ApiGroup::kMetadata;
}

void reply_metrics(Observers& observers, const Catalog& catalog, wire::HttpExchange& exchange) {
  const wire::HttpRequest& request = exchange.request();
  if (request.path == observers.metrics_path && refuse_all_but_get(exchange)) return;
  if (request.path != observers.metrics_path)
    return exchange.reply(
        error_reply(not_found("no such path: '" + request.path + "'; it is GET " + observers.metrics_path)));
  wire::HttpReply reply = wire::HttpReply::text(200, "text/plain", observers.metrics.render(catalog));
  compress_reply(reply, request);
  exchange.reply(std::move(reply));
}

}  // namespace

void add_to(wire::GrpcMethods& methods, Inference& inference, ModelControl& control, const HttpOptions& options,
            const std::shared_ptr<Observers>& observers) {
  const Catalog& catalog = inference.catalog();
  methods.add("/tensorflow.serving.PredictionService/Predict",
              predict_method(inference, options.server_timing, options.offload, observers), ApiGroup::kInference);
  add_example_methods(methods, inference, options.offload, observers);
  add_unary<api::GetModelMetadataRequest>(
      methods, ApiGroup::kMetadata, "/tensorflow.serving.PredictionService/GetModelMetadata",
      [&catalog](const api::GetModelMetadataRequest& request) { return metadata(catalog, request); });
  add_unary<api::GetModelStatusRequest>(
      methods, ApiGroup::kHealth, "/tensorflow.serving.ModelService/GetModelStatus",
      [&catalog](const api::GetModelStatusRequest& request) { return status(catalog, request); });
  api::ReloadConfigResponse reloaded;
  reloaded.mutable_status();
  add_unary_control<api::ReloadConfigRequest>(
      methods, "/tensorflow.serving.ModelService/HandleReloadConfigRequest", std::move(reloaded),
      [&control](const api::ReloadConfigRequest& request, ModelControl::Done done) {
        control.serve_listed(read_tf_serving_config(request.config()), std::move(done));
      });
  const google::protobuf::FileDescriptor* file = api::PredictRequest::descriptor()->file();
  methods.describe(file->FindServiceByName("PredictionService"));
  methods.describe(file->FindServiceByName("ModelService"));
}

void add_to(HttpRouter& router, Inference& inference, const HttpOptions& options,
            const std::shared_ptr<Observers>& observers, Dialects at_v1) {
  const RestPtr rest = std::make_shared<const Rest>(Rest{inference, options, observers, at_v1});
  for (const char* segment : {"v1", "tfserving", "kserve"})
    router.add(
        segment, [rest](const std::shared_ptr<wire::HttpExchange>& exchange) { handle(rest, exchange); }, group_of);
  const std::string& path = observers->metrics_path;
  router.add(
      path.substr(1, path.find('/', 1) - 1),
      [observers, &catalog = inference.catalog()](std::shared_ptr<wire::HttpExchange> exchange) {
        reply_metrics(*observers, catalog, *exchange);
      },
      ApiGroup::kMetrics);
}

}  // namespace modelmill::tfserving
