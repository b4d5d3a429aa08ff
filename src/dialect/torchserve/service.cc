#include "dialect/torchserve/service.h"

#include <utility>
#include <vector>

#include "dialect/metric_names.h"
#include "dialect/model_wait.h"
#include "dialect/route_facts.h"
#include "dialect/torchserve/answers.h"
#include "dialect/torchserve/customized.h"
#include "dialect/torchserve/grpc_infer.h"
#include "dialect/torchserve/grpc_management.h"
#include "dialect/torchserve/infer_codec.h"
#include "dialect/torchserve/key_service.h"
#include "dialect/torchserve/model_version.h"
#include "dialect/torchserve/older_prediction.h"
#include "dialect/torchserve/open_api.h"
#include "dialect/torchserve/query_values.h"
#include "dialect/torchserve/refusal.h"
#include "dialect/torchserve/rest_infer.h"
#include "dialect/torchserve/rest_management.h"
#include "dialect/torchserve/rest_workflows.h"
#include "dialect/unary_proto.h"
#include "torchserve_inference.pb.h"

namespace modelmill::torchserve {

using wire::ApiGroup;
using Exchange = std::shared_ptr<wire::HttpExchange>;

namespace {

constexpr const char* kPrefix = "torchserve";

/// SageMaker's path of a model's inference: models/MODEL/invoke.
bool is_invocation(const wire::HttpRequest& request, const std::vector<std::string>& path) {
  return request.method == "POST" && path.size() == 3 && path[0] == "models" && path[2] == "invoke";
}

/// Whether an older prediction is TorchServe's where models' code may have such paths of its own: then only those that
/// name a model of another kind, or a route, are.
bool is_for_model(const Inference& inference, const std::string& name) {
  const Catalog& catalog = inference.catalog();
  if (!catalog.has_open() || inference.find_route(name) != nullptr) return true;
  const auto entry = catalog.table()->share(name);
  if (!entry) return false;
  const auto* served = entry->find(0);
  return served == nullptr || !(*served)->signature().open;
}

/// The segments of a path, without the prefix; none of a path that is no path.
std::vector<std::string> segments_of(const wire::HttpRequest& request) {
  auto segments = split_path(request.path);
  if (!segments.ok()) return {};
  if (!segments->empty() && segments->front() == kPrefix) segments->erase(segments->begin());
  return *std::move(segments);
}

/// What most requests are, seen without taking the path apart.
bool is_plain_prediction(const wire::HttpRequest& request) {
  return request.method == "POST" && request.path.starts_with("/predictions/");
}

/// models/MODEL[/VERSION]?customized=true, for which a handler is run.
bool asks_customized(const wire::HttpRequest& request, const std::vector<std::string>& path) {
  if (request.method != "GET" || path.size() < 2 || path.size() > 3 || path[0] != "models" || path.back() == "all")
    return false;
  const auto query = parse_query(request.query);
  return query.ok() && flag_in(*query, "customized", false);
}

ApiGroup group_of(const wire::HttpRequest& request) {
  if (is_plain_prediction(request)) return ApiGroup::kInference;
  const std::vector<std::string> path = segments_of(request);
  if (path.empty() || request.method == "OPTIONS") return ApiGroup::kMetadata;
  if (path[0] == "ping") return ApiGroup::kHealth;
  if (path[0] == "metrics") return ApiGroup::kMetrics;
  if (path[0] == "predictions" || path[0] == "explanations" || path[0] == "wfpredict") return ApiGroup::kInference;
  if (path[0] == "token") return ApiGroup::kManagement;
  if (is_invocation(request, path) || is_older_prediction(path)) return ApiGroup::kInference;
  if ((path[0] == "models" || path[0] == "workflows") && request.method != "GET") return ApiGroup::kManagement;
  // It has a handler run, and belongs to the port of management where there is one.
  if (asks_customized(request, path)) return ApiGroup::kManagement;
  return ApiGroup::kMetadata;
}

InferPath infer_path(const std::vector<std::string>& path) {
  InferPath out{path[1]};
  if (path.size() > 2) out.version = path[2];
  for (size_t i = 3; i < path.size(); ++i) out.url_path += (i > 3 ? "/" : "") + path[i];
  out.explain = path[0] == "explanations";
  return out;
}

}  // namespace

struct Service::Rep : std::enable_shared_from_this<Rep> {
  Rep(Inference& i, ModelControl& control, Options o)
      : inference(i),
        options(std::move(o)),
        metrics(std::make_shared<TorchMetrics>()),
        management(std::make_shared<const Management>(i.catalog(), control, options.usual_workers)) {}

  void handle(const Exchange& exchange) const;
  void reply(const Exchange& exchange, wire::HttpReply reply) const {
    metrics->replied(reply.status);
    exchange->reply(std::move(reply));
  }
  Status answer(const Exchange& exchange, std::vector<std::string> path) const;
  Status infer(const Exchange& exchange, const std::vector<std::string>& path) const;
  Status describe_path(const Exchange& exchange, const InferPath& asked, const RoutedRequestPtr& routed) const;
  bool wants_customized(const Exchange& exchange, const std::vector<std::string>& path, VersionPin& handler) const;
  void describe(const Exchange& exchange, const std::vector<std::string>& path, VersionPin handler) const;
  Status answer_of_workflows(const Exchange& exchange, const std::vector<std::string>& path) const;
  std::string health(bool ready) const { return status_json(ready ? "Healthy" : "Unhealthy"); }

  Inference& inference;
  const Options options;
  const std::shared_ptr<TorchMetrics> metrics;
  const std::shared_ptr<const Management> management;
};

void Service::Rep::handle(const Exchange& exchange) const {
  const Status status = answer(exchange, segments_of(exchange->request()));
  if (!status.ok()) reply(exchange, refusal(status, exchange->request()));
}

Status Service::Rep::answer(const Exchange& exchange, std::vector<std::string> path) const {
  const wire::HttpRequest& request = exchange->request();
  if (path.empty() || path[0] == "api-description") {
    if (path.empty() && request.method != "OPTIONS")  // or it has escapes that are none
      return split_path(request.path).ok() ? method_not_allowed() : no_such_resource();
    if (path.size() > 1) return no_such_resource();
    reply(exchange, plain_reply(200, describe_all(options.server_version)));
    return ok_status();
  }
  if (path[0] == "predictions" || path[0] == "explanations") return infer(exchange, path);
  if (is_invocation(request, path)) return infer(exchange, {"predictions", path[1]});
  if (path[0] == "models" && request.method != "OPTIONS") {
    if (VersionPin handler; wants_customized(exchange, path, handler)) {
      describe(exchange, path, std::move(handler));
      return ok_status();
    }
    handle_rest_management(*management, metrics, exchange, {path.begin() + 1, path.end()});
    return ok_status();
  }
  if (path[0] == "models") {
    if (path.size() != 1) MM_RETURN_IF_ERROR(management->describe(path[1], path.size() > 2 ? path[2] : "").status());
    reply(exchange, plain_reply(200, describe_all(options.server_version)));
    return ok_status();
  }
  if (options.workflows != nullptr && (path[0] == "workflows" || path[0] == "wfpredict"))
    return answer_of_workflows(exchange, path);
  if (is_older_prediction(path)) {
    path.pop_back();
    path.insert(path.begin(), "predictions");
    return infer(exchange, path);
  }
  if (path.size() != 1) return no_such_resource();
  if (path[0] == "ping") {
    const bool ready = options.ready();
    reply(exchange, plain_reply(ready ? 200 : 500, health(ready)));
    return ok_status();
  }
  if (path[0] == "token" && options.keys) {
    handle_token(options.keys, metrics, options.http.offload, exchange);
    return ok_status();
  }
  if (path[0] != "metrics") return no_such_resource();
  if (request.method != "GET") return method_not_allowed();
  wire::HttpReply page =
      wire::HttpReply::text(200, "text/plain; version=0.0.4; charset=utf-8",
                            only_metrics(metrics->render(inference.catalog()), asked_metrics(request.query)));
  compress_reply(page, request);
  reply(exchange, std::move(page));
  return ok_status();
}

Status Service::Rep::infer(const Exchange& exchange, const std::vector<std::string>& path) const {
  const std::string& method = exchange->request().method;
  if (path.size() < 2) return no_such_resource();
  const InferPath asked = infer_path(path);
  RoutedRequestPtr routed =
      asked.version.empty() ? inference.route(asked.model, facts_of(exchange->request())) : nullptr;
  Result<VersionPin> pin = pin_model(inference.catalog(), asked.model, asked.version, routed);
  const std::string model = routed ? routed->target().model : asked.model;
  if (method == "OPTIONS") return describe_path(exchange, asked, routed);
  if (method != "POST" && method != "PUT" && method != "GET") return method_not_allowed();
  if (pin.ok() || !inference.loads_on_demand(model)) {
    handle_rest_inference(inference, exchange, asked, std::move(pin), options.http, metrics, std::move(routed));
    return ok_status();
  }
  wait_for_model(
      inference, exchange, model, [self = shared_from_this()](const Exchange& again) { self->handle(again); },
      [counted = metrics](const Status& status) {
        wire::HttpReply refused = failure_reply(status);
        counted->replied(refused.status);
        return refused;
      });
  return ok_status();
}

/// How a model is asked, whether it has workers or not.
Status Service::Rep::describe_path(const Exchange& exchange, const InferPath& asked,
                                   const RoutedRequestPtr& routed) const {
  MM_ASSIGN_OR_RETURN(const VersionPin pin,
                      routed ? pin_model(inference.catalog(), routed->target().model, routed->target().version_text())
                             : pin_model(inference.catalog(), asked.model, asked.version));
  reply(exchange, plain_reply(200, describe_model(options.server_version, asked.model, *pin)));
  return ok_status();
}

/// models/MODEL[/VERSION]?customized=true of a handler, which then is `handler`.
bool Service::Rep::wants_customized(const Exchange& exchange, const std::vector<std::string>& path,
                                    VersionPin& handler) const {
  if (!asks_customized(exchange->request(), path)) return false;
  Result<VersionPin> pin = pin_model(inference.catalog(), path[1], path.size() > 2 ? path[2] : "");
  if (!pin.ok() || !takes_bodies(**pin)) return false;
  handler = *std::move(pin);
  return true;
}

void Service::Rep::describe(const Exchange& exchange, const std::vector<std::string>& path, VersionPin handler) const {
  const InferPath asked{path[1], path.size() > 2 ? path[2] : ""};
  const auto cancel = std::make_shared<CancelToken>();
  exchange->on_abandoned([cancel] { cancel->cancel(CancelToken::Reason::kClientGone); });
  const auto done = [self = shared_from_this(), exchange](const Management::Outcome& outcome) {
    exchange->loop().post([self, exchange, outcome] {
      self->reply(exchange,
                  outcome.failure ? failure_reply(*outcome.failure) : plain_reply(outcome.status, outcome.text));
    });
  };
  describe_customized(inference, *management, std::move(handler), asked, exchange->request().headers, cancel, done);
}

Status Service::Rep::answer_of_workflows(const Exchange& exchange, const std::vector<std::string>& path) const {
  if (path[0] == "workflows") {
    handle_workflow_management(*options.workflows, metrics, exchange, {path.begin() + 1, path.end()});
    return ok_status();
  }
  const std::string& method = exchange->request().method;
  if (path.size() != 2) return no_such_resource();
  if (method != "POST" && method != "PUT" && method != "GET") return method_not_allowed();
  if (auto workflow = options.workflows->find(path[1]))
    handle_workflow_inference(inference, std::move(workflow), metrics, options.http, exchange);
  else
    reply(exchange, no_such_workflow(path[1]));
  return ok_status();
}

Service::Service(Inference& inference, ModelControl& control, Options options)
    : rep_(std::make_shared<const Rep>(inference, control, std::move(options))) {}

void Service::add_to(HttpRouter& router) const {
  const auto handle = [rep = rep_](const Exchange& exchange) { rep->handle(exchange); };
  for (const char* segment : {"ping", "predictions", "explanations", "api-description", kPrefix})
    router.add(segment, handle, group_of);
  if (!rep_->options.without_models) router.add("models", handle, group_of);
  if (rep_->options.workflows != nullptr)
    for (const char* segment : {"wfpredict", "workflows"}) router.add(segment, handle, group_of);
  if (rep_->options.keys) router.add("token", handle, group_of);
  router.add_options("", handle, ApiGroup::kMetadata);
  router.add_last(
      [rep = rep_](const wire::HttpRequest& request) {
        if (!request.path.ends_with("/predict")) return false;
        const std::vector<std::string> path = segments_of(request);
        return is_older_prediction(path) && is_for_model(rep->inference, path.front());
      },
      handle, group_of);
}

std::string Service::metrics_page() const { return rep_->metrics->render(rep_->inference.catalog()); }

void Service::add_to(wire::GrpcMethods& methods) const {
  namespace api = org::pytorch::serve::grpc::inference;
  add_inference_methods(methods, rep_->inference, rep_->options.http.server_timing, rep_->options.http.offload,
                        rep_->metrics, rep_->options.sequence_names ? *rep_->options.sequence_names : SequenceNames());
  add_unary<google::protobuf::Empty>(
      methods, ApiGroup::kHealth, "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping",
      [rep = rep_](const google::protobuf::Empty&) -> Result<api::TorchServeHealthResponse> {
        api::TorchServeHealthResponse response;
        std::string text = indented(rep->health(rep->options.ready()));
        text.pop_back();
        response.set_health(std::move(text));
        return response;
      });
  methods.describe(api::PredictionsRequest::descriptor()->file()->FindServiceByName("InferenceAPIsService"));
  add_management_methods(methods, rep_->inference, rep_->management);
}

}  // namespace modelmill::torchserve
