#include "dialect/mlserver/custom_routes.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dialect/method_check.h"
#include "dialect/mlserver/route_book.h"
#include "dialect/mlserver/route_call.h"

namespace modelmill::mlserver {
namespace {

using Exchange = std::shared_ptr<wire::HttpExchange>;

/// Gives requests to the code whose path they name.
struct Handler {
  const HttpRouter& router;
  Inference& inference;
  HttpOptions options;
  std::shared_ptr<RouteBook> book;

  void operator()(const Exchange& exchange) const {
    auto versions = book->versions();
    book->learn(versions, [self = *this, exchange, versions](const Status& status) {
      exchange->loop().post([self, exchange, versions, status] { self.choose(exchange, versions, status); });
    });
  }

  void choose(const Exchange& exchange, const std::vector<RouteBook::Version>& versions, const Status& learned) const {
    const wire::HttpRequest& request = exchange->request();
    const auto path = split_path(request.path);
    if (!path.ok()) return exchange->reply(error_reply(path.status()));
    std::string methods;  // that the path has
    for (const RouteBook::Version& version : versions) {
      const auto routes = book->routes_of(version);
      if (!routes) continue;
      for (const CustomRoute& route : *routes) {
        if (!route.path.matches(*path)) continue;
        methods += (methods.empty() ? "" : ", ") + route.method;
        if (route.method != request.method) continue;
        if (VersionPin pin(version); pin) return answer_route(inference, exchange, std::move(pin), options);
      }
    }
    if (!methods.empty()) return exchange->reply(wrong_method(methods));
    exchange->reply(learned.ok() ? router.no_such_path(request) : error_reply(learned));
  }
};

}  // namespace

void add_custom_routes(HttpRouter& router, Inference& inference, HttpOptions options) {
  const auto book = std::make_shared<RouteBook>(inference);
  router.add_last([book](const wire::HttpRequest&) { return !book->versions().empty(); },
                  Handler{router, inference, std::move(options), book},
                  [](const wire::HttpRequest&) { return wire::ApiGroup::kInference; });
}

}  // namespace modelmill::mlserver
