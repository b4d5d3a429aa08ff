#include "dialect/invocations/service.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "dialect/invocations/call.h"
#include "dialect/invocations/errors.h"
#include "dialect/invocations/multi_model.h"
#include "dialect/invocations/target.h"
#include "dialect/kserve_v1/handler_call.h"
#include "dialect/kserve_v2/binary_type.h"
#include "dialect/method_check.h"
#include "dialect/model_wait.h"
#include "dialect/route_facts.h"
#include "dialect/torchserve/infer_codec.h"
#include "dialect/version_text.h"

namespace modelmill::invocations {
namespace {

using Exchange = std::shared_ptr<wire::HttpExchange>;
using wire::ApiGroup;

/// All requests for inference.
struct Handler {
  Inference& inference;
  std::shared_ptr<const Options> options;
  /// See InvocationsCall.
  std::string_view binary;

  void operator()(Exchange exchange) const {
    const wire::HttpRequest& request = exchange->request();
    if (request.method != "POST") return exchange->reply(wrong_method("POST"));
    const Result<std::string> model = asked_model(inference, request, options->default_model);
    if (!model.ok()) return exchange->reply(any_failure(model.status()));
    ask(std::move(exchange), *model);
  }

  void ask(Exchange exchange, const std::string& model) const {
    RoutedRequestPtr routed = inference.route(model, facts_of(exchange->request()));
    Result<VersionPin> pin = pin_path_version(inference.catalog(), model, "", routed);
    if (pin.ok() && torchserve::takes_bodies(**pin))
      return kserve_v1::handle_by_handler(inference, std::move(exchange), model, std::move(pin).value(),
                                          /*explain=*/false, options->http, std::move(routed));
    const std::string& asked = routed ? routed->target().model : model;
    if (!pin.ok() && inference.loads_on_demand(asked))
      return wait_for_model(
          inference, exchange, asked, [self = *this, model](Exchange again) { self.ask(std::move(again), model); },
          any_failure);
    std::make_shared<InvocationsCall>(inference, std::move(exchange), model, *options->regions, binary)
        ->start(std::move(pin), options->http, std::move(routed));
  }
};

void reply_health(const Options& options, wire::HttpExchange& exchange) {
  if (refuse_all_but_get(exchange)) return;
  exchange.reply(wire::HttpReply::text(options.ready() ? 200 : 503, "text/plain", "\n"));
}

/// `handler` for the path of one segment and for no other.
wire::HttpHandler only_at(std::string path, wire::HttpHandler handler) {
  return [path = std::move(path), handler = std::move(handler)](Exchange exchange) {
    const std::string_view asked = exchange->request().path;
    if (asked == path || (asked.size() == path.size() + 1 && asked.starts_with(path)))  // with '/' at its end
      return handler(std::move(exchange));
    exchange->reply(error_reply(not_found("no such path: '" + std::string(asked) + "'; it is " + path)));
  };
}

/// Who serves a path that Vertex AI was told of already. Its own, by default, begin as TensorFlow Serving's do.
std::optional<ApiGroup> served_as(const HttpRouter& router, const std::string& path) {
  if (path == "/" || path == "/predict" || path.starts_with("/v1/endpoints/")) return std::nullopt;
  wire::HttpRequest request;
  request.method = "POST";
  request.path = path;
  return router.group(request);
}

bool may_add(const HttpRouter& router, const char* variable, const std::string& path, ApiGroup wanted) {
  if (path.empty()) return false;
  const std::optional<ApiGroup> group = served_as(router, path);
  if (!group) return true;
  if (*group == wanted) return false;  // /ping and the like answer the same question
  Log::warning("a path of Vertex AI's is another's already, and stays that",
               {{"variable", variable}, {"path", path}, {"served_as", wire::api_group_name(*group)}});
  return false;
}

/// The paths that the environment names. They may be one, which then goes by the method.
void add_routes(HttpRouter& router, const CloudRoutes& routes, wire::HttpHandler predict, wire::HttpHandler health) {
  const bool one = routes.predict == routes.health;
  if (!one && may_add(router, "AIP_HEALTH_ROUTE", routes.health, ApiGroup::kHealth))
    router.add_path(routes.health, health, [](const wire::HttpRequest&) { return ApiGroup::kHealth; });
  if (!may_add(router, "AIP_PREDICT_ROUTE", routes.predict, ApiGroup::kInference)) return;
  const auto is_health = [one](const wire::HttpRequest& request) { return one && request.method == "GET"; };
  router.add_path(
      routes.predict,
      [is_health, predict = std::move(predict), health = std::move(health)](Exchange exchange) {
        const wire::HttpHandler& handler = is_health(exchange->request()) ? health : predict;
        handler(std::move(exchange));
      },
      [is_health](const wire::HttpRequest& request) {
        return is_health(request) ? ApiGroup::kHealth : ApiGroup::kInference;
      });
}

ApiGroup group_of_models(const wire::HttpRequest& request) {
  if (request.method == "GET") return ApiGroup::kMetadata;
  const bool invokes = request.method == "POST" && request.path.ends_with("/invoke");
  return invokes ? ApiGroup::kInference : ApiGroup::kManagement;
}

void add_multi_model(HttpRouter& router, const Options& options, const Handler& handler) {
  if (options.multi_model_folders.empty() || options.control == nullptr) return;
  const auto endpoint = std::make_shared<MultiModel>(
      *options.control, handler.inference.catalog(), options.http.offload, options.multi_model_folders,
      [handler](Exchange exchange, const std::string& model) { handler.ask(std::move(exchange), model); });
  router.add(
      "models", [endpoint](const Exchange& exchange) { endpoint->handle(exchange); }, group_of_models);
}

}  // namespace

void add_to(HttpRouter& router, Inference& inference, Options options) {
  const auto shared = std::make_shared<const Options>(std::move(options));
  const auto health = [shared](const Exchange& exchange) { reply_health(*shared, *exchange); };
  // Before this API's own paths, which answer below their first segment that there is nothing.
  add_routes(router, shared->routes, Handler{inference, shared, kserve_v2::kVertexBinary}, health);
  const Handler of_sagemaker{inference, shared, kserve_v2::kSageMakerBinary};
  router.add("invocations", only_at("/invocations", of_sagemaker), ApiGroup::kInference);
  add_multi_model(router, *shared, of_sagemaker);
  router.add("health", only_at("/health", health), ApiGroup::kHealth);
  router.add("version",
             only_at("/version",
                     [shared](const Exchange& exchange) {
                       if (refuse_all_but_get(*exchange)) return;
                       exchange->reply(wire::HttpReply::text(200, "text/plain", shared->server_version));
                     }),
             ApiGroup::kMetadata);
}

}  // namespace modelmill::invocations
