#include "dialect/admin/service.h"

#include <utility>

#include "dialect/admin/explain.h"
#include "dialect/http_compression.h"
#include "dialect/method_check.h"
#include "dialect/metric_names.h"

namespace modelmill::admin {
namespace {

/// What the metrics are served as: Prometheus' text format.
constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

void reply_text(wire::HttpExchange& exchange, std::string_view type, std::string text) {
  wire::HttpReply reply = wire::HttpReply::text(200, type, std::move(text));
  compress_reply(reply, exchange.request());
  exchange.reply(std::move(reply));
}

}  // namespace

void add_to(HttpRouter& router, const Catalog& catalog, const MetricRegistry& metrics, const Routes* routes,
            std::function<std::string()> more_metrics) {
  router.add(
      "metrics",
      [&metrics, more = std::move(more_metrics)](std::shared_ptr<wire::HttpExchange> exchange) {
        if (refuse_all_but_get(*exchange)) return;
        std::string page = (more ? more() : std::string()) + metrics.render();
        reply_text(*exchange, kMetricsType, only_metrics(std::move(page), asked_metrics(exchange->request().query)));
      },
      wire::ApiGroup::kMetrics);
  router.add(
      "explain",
      [&catalog, routes](std::shared_ptr<wire::HttpExchange> exchange) {
        if (!refuse_all_but_get(*exchange)) exchange->reply(explain(catalog, routes, exchange->request()));
      },
      wire::ApiGroup::kMetadata);
}

}  // namespace modelmill::admin
