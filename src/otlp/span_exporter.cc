#include "otlp/span_exporter.h"

#include <algorithm>
#include <utility>

#include "base/chance.h"
#include "base/log.h"
#include "otlp/export_message.h"

namespace modelmill {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kEnded = "the server has ended before they could be sent";
/// An answer has next to nothing to say.
constexpr uint64_t kMostReplyBytes = 64 * 1024;

HttpClient::Options client_options(const ExportOptions& options) {
  HttpClient::Options out;
  out.connect_timeout = options.timeout;
  out.call_timeout = options.timeout;
  out.max_reply_bytes = kMostReplyBytes;
  out.cut_replies = true;  // its status says what became of the spans
  out.ca_file = options.ca_file;
  out.ca_setting = options.ca_setting;
  return out;
}

std::shared_ptr<Counter> counter(MetricRegistry& metrics, const char* result) {
  return metrics.counter("modelmill_trace_spans_total", "Spans for the OpenTelemetry collector by what became of them",
                         {{"result", result}});
}

}  // namespace

SpanExporter::SpanExporter(ExportOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      exported_(counter(metrics, "exported")),
      dropped_(counter(metrics, "dropped")),
      failed_(counter(metrics, "failed")),
      client_(options_.server, client_options(options_)),
      losses_([this](int64_t spans, const std::string& why) {
        Log::warning("spans are lost", {{"spans", spans}, {"collector", options_.server.text()}, {"reason", why}});
      }),
      thread_([this] { work(); }) {}

size_t SpanExporter::batch_size() const {
  return std::max<size_t>(1, std::min(options_.max_batch, options_.max_queue));
}

void SpanExporter::add(Span span) {
  bool late = false;
  {
    const MutexLock lock(mutex_);
    late = stopping_;
    if (!late && queue_.size() < options_.max_queue) {
      queue_.push_back(std::move(span));
      if (queue_.size() == 1 || queue_.size() == batch_size()) changed_.notify_all();
      return;
    }
  }
  lost(*dropped_, 1,
       late ? "their requests ended after the last spans were sent, at the end of the server"
            : "they come faster than the collector takes them; trace fewer requests, or let more spans wait");
}

void SpanExporter::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    const TimePoint until = Clock::now() + options_.flush;
    while (!over_ && changed_.wait_until(mutex_, until) != std::cv_status::timeout) {
    }
  }
  cancelled_ = true;
  if (thread_.joinable()) thread_.join();
  losses_.flush();
}

bool SpanExporter::is_stopping() {
  const MutexLock lock(mutex_);
  return stopping_;
}

void SpanExporter::work() {
  client_.cancel_by(&cancelled_);
  for (std::vector<Span> batch = next_batch(); !batch.empty(); batch = next_batch()) send(batch);
  const MutexLock lock(mutex_);
  over_ = true;
  changed_.notify_all();
}

/// Waits for a full one, or until its first span has waited long enough; empty when all is over.
std::vector<Span> SpanExporter::next_batch() {
  const MutexLock lock(mutex_);
  while (!stopping_ && queue_.empty()) changed_.wait(mutex_);
  const TimePoint due = Clock::now() + options_.delay;
  while (!stopping_ && queue_.size() < batch_size() && changed_.wait_until(mutex_, due) != std::cv_status::timeout) {
  }
  const auto end = queue_.begin() + static_cast<ptrdiff_t>(std::min(queue_.size(), batch_size()));
  std::vector<Span> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  return batch;
}

void SpanExporter::wait_for(milliseconds pause) {
  const TimePoint until = Clock::now() + pause;
  const MutexLock lock(mutex_);
  while (!stopping_ && Clock::now() < until) changed_.wait_until(mutex_, until);
}

ExportOutcome SpanExporter::post(const std::string& body) {
  HttpClient::Headers headers(options_.headers.begin(), options_.headers.end());
  headers.emplace_back("content-type", "application/x-protobuf");
  return outcome_of(client_.call("POST", options_.path, std::move(headers), body));
}

void SpanExporter::send(const std::vector<Span>& spans) {
  const auto all = static_cast<int64_t>(spans.size());
  if (given_up_) return lost(*failed_, all, kEnded);
  const std::string body = export_message(options_, spans, monotonic_epoch());
  for (int attempts = 1;; ++attempts) {
    if (cancelled_) return lost(*failed_, all, kEnded);
    const bool last = is_stopping();  // then there is no time for another
    const ExportOutcome outcome = post(body);
    if (outcome.kind == ExportOutcome::Kind::kTaken) {
      const int64_t rejected = std::min(outcome.rejected, all);
      exported_->add(static_cast<double>(all - rejected));
      if (!outcome.doubt.empty()) doubt(outcome.doubt);
      if (rejected > 0) lost(*failed_, rejected, "the collector rejects them: " + outcome.why);
      return;
    }
    const auto pause = pause_after(attempts, outcome, options_.first_pause, chance());
    if (!pause || last) {
      given_up_ = last;
      return lost(*failed_, all, cancelled_ ? std::string(kEnded) : "the collector does not take them: " + outcome.why);
    }
    wait_for(*pause);  // cut short by the end, which is worth one attempt more
  }
}

void SpanExporter::lost(Counter& counter, int64_t spans, std::string_view why) {
  counter.add(static_cast<double>(spans));
  losses_.add(spans, why);
}

/// Once is enough.
void SpanExporter::doubt(const std::string& why) {
  if (std::exchange(doubted_, true)) return;
  Log::warning("spans may go to what is no collector", {{"collector", options_.server.text()}, {"reason", why}});
}

}  // namespace modelmill
