#include "serve/trace/request_spans.h"

#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace modelmill {
namespace {

/// A span that is open, with its place in the trace of `request`.
Span begin_span(const InferRequest& request, std::string_view name) {
  Span span;
  span.trace_id = request.trace.trace_id;
  span.id = make_span_id();
  span.parent = request.trace.parent_id;
  span.name = short_text(name);
  return span;
}

/// What follows belongs to the span.
void enter(const Span& span, SpanRecording recording, TraceContext& place) {
  place.trace_id = span.trace_id;
  place.parent_id = span.id;
  place.flags |= kTraceSampled;
  place.recording = recording;
}

/// A span's number where Triton's traces have small ones.
int64_t number_of(const SpanId& id) {
  uint64_t number = 0;
  std::memcpy(&number, id.data(), sizeof number);
  return static_cast<int64_t>(number & INT64_MAX);
}

void put_route(const RoutedRequest& routed, Span& span) {
  span.set("modelmill.route", routed.route().name());
  Parameters parameters;
  routed.describe(parameters);
  for (const auto& [name, value] : parameters)
    std::visit(
        [&, &name = name](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, uint64_t>)
            span.set("modelmill." + name, static_cast<int64_t>(v));
          else
            span.set("modelmill." + name, v);
        },
        value);
}

/// Stands before a request's sink, with a span that ends with the last answer.
class SpanSink : public ResponseSink {
 public:
  void stand_before(std::shared_ptr<ResponseSink> sink) { next_ = std::move(sink); }

 protected:
  SpanSink(std::shared_ptr<SpanExporter> exporter, Span span)
      : exporter_(std::move(exporter)), span_(std::move(span)) {}

  void count(bool has_response) { answers_ += has_response ? 1 : 0; }
  void put_answers() {
    if (answers_ > 1) span_.set("modelmill.answers", answers_);
  }

  const std::shared_ptr<SpanExporter> exporter_;
  std::shared_ptr<ResponseSink> next_;
  Span span_;
  int64_t answers_ = 0;
};

class RequestSink final : public SpanSink {
 public:
  RequestSink(std::shared_ptr<SpanExporter> exporter, Span span, RoutedRequestPtr routed, std::string model)
      : SpanSink(std::move(exporter), std::move(span)), routed_(std::move(routed)), model_(std::move(model)) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    count(has_response);
    if (!final) return next_->on_response(std::move(response), final, has_response);
    span_.set_status(response.status);
    span_.add_event("INFER_RESPONSE_COMPLETE", Clock::now());
    if (routed_)
      put_route(*routed_, span_);
    else
      span_.set("modelmill.model", model_);
    if (!routed_ && response.version != 0) span_.set("modelmill.version", response.version);
    put_answers();
    next_->on_response(std::move(response), final, has_response);
    span_.end = Clock::now();
    exporter_->add(std::move(span_));
  }

 private:
  const RoutedRequestPtr routed_;
  const std::string model_;
};

class ModelSink final : public SpanSink {
 public:
  ModelSink(std::shared_ptr<SpanExporter> exporter, Span span, bool computes)
      : SpanSink(std::move(exporter), std::move(span)), computes_(computes) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    count(has_response);
    if (!final) return next_->on_response(std::move(response), final, has_response);
    span_.set_status(response.status);
    span_.end = Clock::now();
    put(response.times);
    next_->on_response(std::move(response), final, has_response);
    if (computing_) exporter_->add(*std::move(computing_));
    exporter_->add(std::move(span_));
  }

 private:
  void put(const RequestTimes& times) {
    span_.add_event("QUEUE_START", times.queued);
    span_.add_event("REQUEST_END", span_.end);
    put_answers();
    if (!computes_ || times.compute_start == TimePoint{}) return;
    if (times.queued != TimePoint{}) {
      const auto queued = std::chrono::duration_cast<std::chrono::microseconds>(times.compute_start - times.queued);
      span_.set("modelmill.queue_us", int64_t{queued.count()});
    }
    Span& span = computing_.emplace();
    span.trace_id = span_.trace_id;
    span.id = make_span_id();
    span.parent = span_.id;
    span.name = "compute";
    span.start = times.compute_start;
    span.end = times.compute_end == TimePoint{} ? span_.end : times.compute_end;
    span.add_event("COMPUTE_START", times.compute_start);
    span.add_event("COMPUTE_INPUT_END", times.input_end);
    span.add_event("COMPUTE_OUTPUT_START", times.infer_end);
    span.add_event("COMPUTE_END", span.end);
    if (times.batch.rows == 0) return;
    span.set("modelmill.batch_size", int64_t{times.batch.rows});
    span.set("modelmill.cut_reason", std::string(cut_reason_name(times.batch.reason)));
  }

  const bool computes_;
  std::optional<Span> computing_;
};

template <typename Sink>
void stand_before(std::shared_ptr<Sink> sink, InferRequest& request) {
  sink->stand_before(request.replace_sink(sink));
}

}  // namespace

void record_request(const std::shared_ptr<SpanExporter>& exporter, const TraceId& trace, InferRequest& request,
                    RoutedRequestPtr routed) {
  Span span = begin_span(request, "InferRequest");
  span.kind = Span::Kind::kServer;
  span.parent_is_remote = request.trace.present();
  if (!request.trace.present()) span.trace_id = trace;
  span.start = request.times.received == TimePoint{} ? Clock::now() : request.times.received;
  if (!request.id.empty()) span.set("triton.request_id", request.id);
  enter(span, SpanRecording::kRequest, request.trace);
  std::string model = routed ? std::string() : short_text(request.model);
  stand_before(std::make_shared<RequestSink>(exporter, std::move(span), std::move(routed), std::move(model)), request);
}

void record_model(const std::shared_ptr<SpanExporter>& exporter, const ModelVersion& version, InferRequest& request) {
  Span span = begin_span(request, version.name());
  span.start = Clock::now();
  span.add_event("REQUEST_START", span.start);
  span.set("triton.model_name", version.name());
  span.set("triton.model_version", version.version());
  span.set("triton.trace_id", number_of(span.id));
  const bool is_part = request.trace.recording == SpanRecording::kModel;
  span.set("triton.trace_parent_id", is_part ? number_of(request.trace.parent_id) : int64_t{0});
  if (!request.id.empty()) span.set("triton.request_id", request.id);
  span.set("modelmill.rows", request.batch_rows);
  enter(span, SpanRecording::kModel, request.trace);
  const bool computes = !version.definition().ensemble.has_value();
  stand_before(std::make_shared<ModelSink>(exporter, std::move(span), computes), request);
}

}  // namespace modelmill
