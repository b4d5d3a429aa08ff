#include "dialect/mlserver/custom_routes.h"

#include <memory>
#include <string>
#include <utility>

#include "dialect/method_check.h"
#include "dialect/mlserver/route_book.h"
#include "dialect/mlserver/route_call.h"
#include "wire/loop.h"

namespace modelmill::mlserver {
namespace {

using Exchange = std::shared_ptr<wire::HttpExchange>;

/// One that waits for code to tell its paths, on its loop.
struct Undecided {
  Exchange exchange;  // null: it is decided
  std::unique_ptr<wire::Loop::Timer> timer;
};

/// Gives requests to the code whose path they name.
struct Handler {
  const HttpRouter& router;
  Inference& inference;
  HttpOptions options;
  std::shared_ptr<RouteBook> book;

  void operator()(const Exchange& exchange) const {
    if (const auto path = split_path(exchange->request().path); !path.ok())
      return exchange->reply(error_reply(path.status()));
    std::string methods;
    if (answers(exchange, methods)) return;
    wire::Loop& loop = exchange->loop();
    const TimePoint now = Clock::now();
    const auto undecided = std::make_shared<Undecided>(Undecided{exchange, nullptr});
    undecided->timer =
        loop.run_at(now + RouteBook::kPatience, [self = *this, weak = std::weak_ptr<Undecided>(undecided)] {
          if (const auto waited = weak.lock()) self.decide(*waited);
        });
    book->learn(now, [self = *this, &loop, undecided] { loop.post([self, undecided] { self.decide(*undecided); }); });
  }

  /// By what is known by now.
  void decide(Undecided& undecided) const {
    const Exchange exchange = std::exchange(undecided.exchange, nullptr);
    undecided.timer.reset();
    if (exchange == nullptr) return;
    std::string methods;
    if (answers(exchange, methods)) return;
    exchange->reply(methods.empty() ? router.no_such_path(exchange->request()) : wrong_method(methods));
  }

  /// False: none is known to. `methods`: what the path has.
  bool answers(const Exchange& exchange, std::string& methods) const {
    const wire::HttpRequest& request = exchange->request();
    const auto path = split_path(request.path);
    VersionPin pin = path.ok() ? book->find(request.method, *path, methods) : VersionPin();
    if (!pin) return false;
    answer_route(inference, exchange, std::move(pin), options);
    return true;
  }
};

}  // namespace

void add_custom_routes(HttpRouter& router, Inference& inference, HttpOptions options) {
  const auto book = std::make_shared<RouteBook>(inference);
  router.add_last([&inference](const wire::HttpRequest&) { return inference.catalog().has_open(); },
                  Handler{router, inference, std::move(options), book},
                  [](const wire::HttpRequest&) { return wire::ApiGroup::kInference; });
}

}  // namespace modelmill::mlserver
