#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "client/http_client.h"
#include "otlp/export_options.h"
#include "otlp/export_outcome.h"
#include "otlp/span.h"
#include "otlp/span_losses.h"
#include "runtime/metrics.h"

namespace modelmill {

/// Sends spans to a collector by OTLP over HTTP, from a thread of its own, in batches. Who has a span never waits: what
/// finds no room is lost, and so is what the collector doesn't take after some attempts; both are counted, and the log
/// tells of it once a minute at most. Thread-safe.
class SpanExporter {
 public:
  SpanExporter(ExportOptions options, MetricRegistry& metrics);
  ~SpanExporter() { stop(); }
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;

  void add(Span span);

  /// Sends what waits, once and for as long as the options allow; what is left then is lost, and the log tells of all
  /// that is untold. Later spans are lost, too.
  /// Idempotent.
  void stop();

 private:
  void work();
  std::vector<Span> next_batch();
  void send(const std::vector<Span>& spans);
  ExportOutcome post(const std::string& body);
  /// Or until stop().
  void wait_for(std::chrono::milliseconds pause);
  bool is_stopping();
  void doubt(const std::string& why);
  void lost(Counter& counter, int64_t spans, std::string_view why);
  size_t batch_size() const;

  const ExportOptions options_;
  const std::shared_ptr<Counter> exported_, dropped_, failed_;
  // The thread's.
  HttpClient client_;
  bool given_up_ = false;  // at the end: the collector has not taken a batch
  bool doubted_ = false;   // that it is a collector

  std::atomic<bool> cancelled_{false};
  Mutex mutex_;
  CondVar changed_;
  std::deque<Span> queue_ MM_GUARDED_BY(mutex_);
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  bool over_ MM_GUARDED_BY(mutex_) = false;  // the thread's work
  SpanLosses losses_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace modelmill
