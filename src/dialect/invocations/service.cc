#include "dialect/invocations/service.h"

#include <string_view>
#include <utility>

#include "dialect/invocations/call.h"
#include "dialect/invocations/errors.h"
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
    RoutedRequestPtr routed = inference.route(*model, facts_of(request));
    Result<VersionPin> pin = pin_path_version(inference.catalog(), *model, "", routed);
    if (pin.ok() && torchserve::takes_bodies(**pin))
      return kserve_v1::handle_by_handler(inference, std::move(exchange), *model, std::move(pin).value(),
                                          /*explain=*/false, options->http, std::move(routed));
    const std::string& asked = routed ? routed->target().model : *model;
    if (!pin.ok() && inference.loads_on_demand(asked))
      return wait_for_model(inference, exchange, asked, *this, any_failure);
    std::make_shared<InvocationsCall>(inference, std::move(exchange), *model, *options->regions, binary)
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

/// Whether a path that Vertex AI was told of is served already. Its own, by default, begin as TensorFlow Serving's do.
bool is_served(const HttpRouter& router, const std::string& path) {
  if (path == "/" || path == "/predict" || path.starts_with("/v1/endpoints/")) return false;
  wire::HttpRequest request;
  request.method = "POST";
  request.path = path;
  return router.group(request).has_value();
}

}  // namespace

void add_to(HttpRouter& router, Inference& inference, Options options) {
  const auto shared = std::make_shared<const Options>(std::move(options));
  const auto health = [shared](const Exchange& exchange) { reply_health(*shared, *exchange); };
  router.add("invocations", only_at("/invocations", Handler{inference, shared, kserve_v2::kSageMakerBinary}),
             ApiGroup::kInference);
  router.add("health", only_at("/health", health), ApiGroup::kHealth);
  router.add("version",
             only_at("/version",
                     [shared](const Exchange& exchange) {
                       if (refuse_all_but_get(*exchange)) return;
                       exchange->reply(wire::HttpReply::text(200, "text/plain", shared->server_version));
                     }),
             ApiGroup::kMetadata);
  const CloudRoutes& routes = shared->routes;
  if (!routes.predict.empty() && !is_served(router, routes.predict))
    router.add_path(routes.predict, Handler{inference, shared, kserve_v2::kVertexBinary},
                    [](const wire::HttpRequest&) { return ApiGroup::kInference; });
  if (!routes.health.empty() && !is_served(router, routes.health))
    router.add_path(routes.health, health, [](const wire::HttpRequest&) { return ApiGroup::kHealth; });
}

}  // namespace modelmill::invocations
