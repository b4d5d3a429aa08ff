#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include "base/clock.h"
#include "base/mutex.h"
#include "catalog/catalog.h"
#include "runtime/metrics.h"
#include "wire/grpc.h"
#include "wire/http.h"

namespace modelmill::mlserver {

/// What came by V2's paths and methods, and the inferences of each model, under the names of MLServer's metrics: a page
/// of its own. Thread-safe.
class ServerMetrics {
 public:
  /// `prefix`: what the names of those of HTTP begin with.
  explicit ServerMetrics(std::string prefix) : prefix_(std::move(prefix)) {}

  /// `handler`, with its requests counted. The metrics must outlive them.
  wire::HttpHandler counted(wire::HttpHandler handler);
  /// A call of gRPC has ended.
  void ended(const wire::GrpcCallRecord& call);

  /// In Prometheus' text format.
  std::string render(const Catalog& catalog);

 private:
  class Counted;
  struct Series {
    std::shared_ptr<Counter> count;
    std::shared_ptr<Histogram> time;
  };
  using Request = std::tuple<std::string, std::string, int>;  // method, route, status
  using Call = std::pair<std::string, std::string>;           // method, code

  std::shared_ptr<Gauge> in_progress(const std::string& method);
  void answered(const std::string& method, const std::string& route, int status, Duration time);

  const std::string prefix_;
  MetricRegistry registry_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Gauge>> in_progress_ MM_GUARDED_BY(mutex_);
  std::map<Request, Series> requests_ MM_GUARDED_BY(mutex_);
  std::map<Call, std::shared_ptr<Counter>> calls_ MM_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Histogram>> call_times_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::mlserver
