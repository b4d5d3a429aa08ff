#include "dialect/admin/service.h"

#include <utility>

#include "dialect/admin/explain.h"
#include "dialect/http_compression.h"

namespace modelmill::admin {
namespace {

/// What the metrics are served as: Prometheus' text format.
constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

bool refuse_other_methods(wire::HttpExchange& exchange) {
  if (exchange.request().method == "GET") return false;
  wire::HttpReply reply = json_reply(405, R"({"error":"Method Not Allowed"})");
  reply.headers.emplace_back("Allow", "GET");
  exchange.reply(std::move(reply));
  return true;
}

void reply_text(wire::HttpExchange& exchange, std::string_view type, std::string text) {
  wire::HttpReply reply = wire::HttpReply::text(200, type, std::move(text));
  compress_reply(reply, exchange.request());
  exchange.reply(std::move(reply));
}

std::string signature_line(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    text += (text.empty() ? "" : ", ") + spec.name + " " + std::string(dtype_name(spec.dtype)) +
            shape_text(dims(spec.shape));
  }
  return text;
}

std::string describe(const Catalog& catalog, const std::string& server_version) {
  std::string text = "modelmill " + server_version + ", a model server\n\nModels\n";
  const auto table = catalog.table();
  for (const ModelEntry* entry : table->entries()) {
    const std::string& name = entry->name;
    if (entry->versions.empty()) {
      text += "  " + name + "  (not ready)\n";
      continue;
    }
    const ModelVersion& version = **entry->find(0);
    text += "  " + name + "  version " + std::to_string(version.version()) +
            "\n    in:  " + signature_line(version.signature().inputs) +
            "\n    out: " + signature_line(version.signature().outputs) + "\n";
  }
  if (table->empty()) text += "  none\n";
  text +=
      "\nPaths\n"
      "  GET  /predict/MODEL            how to ask a model, with a command to paste\n"
      "  POST /predict/MODEL            JSON, CSV or .npy in and out\n"
      "  GET  /v2/models/MODEL          inputs and outputs (KServe V2 protocol; also by gRPC on this port)\n"
      "  POST /v2/models/MODEL/infer    inference (KServe V2 protocol)\n"
      "  POST /v1/models/MODEL:predict  inference (TensorFlow Serving's protocol, also by gRPC, and KServe V1)\n"
      "  POST /predictions/MODEL        inference (TorchServe's protocol, also by gRPC)\n"
      "  GET  /explain/MODEL            why a model runs as it does\n"
      "  GET  /v2/health/ready          200 when ready\n"
      "  GET  /metrics                  for Prometheus\n";
  return text;
}

}  // namespace

void add_to(HttpRouter& router, const Catalog& catalog, const MetricRegistry& metrics, std::string server_version,
            const Routes* routes, std::function<std::string()> more_metrics) {
  router.add(
      "metrics",
      [&metrics, more = std::move(more_metrics)](std::shared_ptr<wire::HttpExchange> exchange) {
        if (refuse_other_methods(*exchange)) return;
        reply_text(*exchange, kMetricsType, (more ? more() : std::string()) + metrics.render());
      },
      wire::ApiGroup::kMetrics);
  router.add(
      "",
      [&catalog, version = std::move(server_version)](std::shared_ptr<wire::HttpExchange> exchange) {
        if (refuse_other_methods(*exchange)) return;
        reply_text(*exchange, "text/plain; charset=utf-8", describe(catalog, version));
      },
      wire::ApiGroup::kMetadata);
  router.add(
      "explain",
      [&catalog, routes](std::shared_ptr<wire::HttpExchange> exchange) {
        if (!refuse_other_methods(*exchange)) exchange->reply(explain(catalog, routes, exchange->request()));
      },
      wire::ApiGroup::kMetadata);
}

}  // namespace modelmill::admin
