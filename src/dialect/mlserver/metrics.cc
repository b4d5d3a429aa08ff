#include "dialect/mlserver/metrics.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "dialect/mlserver/rest_paths.h"
#include "dialect/passing_exchange.h"
#include "dialect/python_bounds.h"

namespace modelmill::mlserver {
namespace {

constexpr std::string_view kService = "inference.GRPCInferenceService";

/// What clients write decides which series there are: nothing else does.
constexpr std::array<std::string_view, 7> kHttpMethods = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"};
constexpr std::array<std::string_view, 10> kGrpcMethods = {
    "ServerLive", "ServerReady",      "ModelReady",      "ServerMetadata",      "ModelMetadata",
    "ModelInfer", "ModelStreamInfer", "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"};

template <typename Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

double seconds(Duration time) { return static_cast<double>(to_ns(time)) / 1e9; }

/// Series of this moment alone: of the models that there are now.
std::string render_models(const Catalog& catalog) {
  MetricRegistry registry;
  std::vector<MetricRegistry::Handle> held;
  const auto table = catalog.table();
  for (const ModelEntry* entry : table->entries()) {
    for (const auto& version : entry->versions) {
      const MetricLabels labels{{"model", entry->name}, {"version", std::to_string(version->version())}};
      const VersionStats::View view = version->stats().view();
      const auto count = [&](const char* name, const char* help, uint64_t number) {
        held.push_back(registry.counter_from(name, help, labels, [number] { return static_cast<double>(number); }));
      };
      count("model_infer_request_success_total", "Inferences that succeeded.", view.success.count);
      count("model_infer_request_failure_total", "Inferences that failed.", view.fail.count);
      HistogramValue durations{{view.success.count + view.fail.count},
                               static_cast<double>(view.success.ns + view.fail.ns) / 1e9};
      held.push_back(registry.histogram_from("model_infer_request_duration", "Seconds of inferences.", labels, {},
                                             [durations] { return durations; }));
    }
  }
  return registry.render();
}

}  // namespace

/// Tells the metrics of the answer.
class ServerMetrics::Counted final : public PassingExchange {
 public:
  Counted(std::shared_ptr<wire::HttpExchange> inner, ServerMetrics& metrics, std::string route)
      : PassingExchange(std::move(inner)),
        metrics_(metrics),
        route_(std::move(route)),
        in_progress_(metrics.in_progress(request().method)) {
    in_progress_->add(1);
  }
  ~Counted() override { end_progress(); }  // of a client that went away

  void reply(wire::HttpReply reply) override {
    answered(reply.status);
    PassingExchange::reply(std::move(reply));
  }
  void begin(wire::HttpReply head) override {
    status_ = head.status;
    PassingExchange::begin(std::move(head));
  }
  void end() override {
    answered(status_);
    PassingExchange::end();
  }

 private:
  void answered(int status) {
    metrics_.answered(request().method, route_, status, Clock::now() - start_);
    end_progress();
  }
  void end_progress() {
    if (const auto gauge = std::exchange(in_progress_, nullptr)) gauge->add(-1);
  }

  ServerMetrics& metrics_;
  const std::string route_;
  const TimePoint start_ = Clock::now();
  std::shared_ptr<Gauge> in_progress_;  // null: it is over
  int status_ = 0;
};

wire::HttpHandler ServerMetrics::counted(wire::HttpHandler handler) {
  return [this, handler = std::move(handler)](std::shared_ptr<wire::HttpExchange> exchange) {
    const wire::HttpRequest& request = exchange->request();
    std::string route = is_among(kHttpMethods, request.method) ? route_of(request.path) : std::string();
    if (!route.empty()) exchange = std::make_shared<Counted>(std::move(exchange), *this, std::move(route));
    handler(std::move(exchange));
  };
}

std::shared_ptr<Gauge> ServerMetrics::in_progress(const std::string& method) {
  const MutexLock lock(mutex_);
  auto& gauge = in_progress_[method];
  if (!gauge)
    gauge = registry_.gauge(prefix_ + "_requests_in_progress", "Requests over HTTP that are not answered yet.",
                            {{"method", method}, {"app_name", "mlserver"}});
  return gauge;
}

void ServerMetrics::answered(const std::string& method, const std::string& route, int status, Duration time) {
  std::shared_ptr<Histogram> histogram;
  {
    const MutexLock lock(mutex_);
    Series& series = requests_[{method, route, status}];
    if (!series.count) {
      const MetricLabels labels{
          {"method", method}, {"path", route}, {"status_code", std::to_string(status)}, {"app_name", "mlserver"}};
      series.count = registry_.counter(prefix_ + "_requests_total", "Requests over HTTP.", labels);
      series.time = registry_.histogram(prefix_ + "_request_duration_seconds", "Seconds of requests over HTTP.", labels,
                                        kPythonBounds);
    }
    series.count->add();
    histogram = series.time;
  }
  histogram->observe(seconds(time));
}

void ServerMetrics::ended(const wire::GrpcCallRecord& call) {
  std::string_view method = call.method;
  if (!method.starts_with('/') || !method.substr(1).starts_with(kService)) return;
  method.remove_prefix(1 + kService.size());
  if (!method.starts_with('/') || !is_among(kGrpcMethods, method.substr(1))) return;
  method.remove_prefix(1);
  const std::string name(method), code = code_name(call.code);
  const MetricLabels labels{{"grpc_type", name == "ModelStreamInfer" ? "BIDI_STREAMING" : "UNARY"},
                            {"grpc_service", std::string(kService)},
                            {"grpc_method", name}};
  std::shared_ptr<Histogram> histogram;
  {
    const MutexLock lock(mutex_);
    auto& count = calls_[{name, code}];
    if (!count) {
      MetricLabels with_code = labels;
      with_code.emplace_back("code", code);
      count = registry_.counter("grpc_server_handled_total", "Calls of gRPC that have ended.", with_code);
    }
    count->add();
    auto& times = call_times_[name];
    if (!times)
      times = registry_.histogram("grpc_server_handling_seconds", "Seconds of calls of gRPC.", labels, kPythonBounds);
    histogram = times;
  }
  histogram->observe(static_cast<double>(call.microseconds) / 1e6);
}

std::string ServerMetrics::render(const Catalog& catalog) { return render_models(catalog) + registry_.render(); }

}  // namespace modelmill::mlserver
