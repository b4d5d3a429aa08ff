#include "serve/trace/request_spans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "otlp/testing/collector.h"
#include "serve/inference.h"
#include "serve/testing/fake_version.h"
#include "serve/trace/tracer.h"

namespace modelmill {
namespace {

using testing::answer;
using testing::Collector;
using ::testing::ElementsAre;
using testing::FakeCatalog;
using ::testing::HasSubstr;
using testing::RecordingSink;
using testing::simple_description;
using ::testing::UnorderedElementsAre;
using Caller = SpanSampling::Caller;

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kCaller = "00f067aa0ba902b7";

TraceContext caller(bool sampled) {
  return *parse_traceparent("00-" + kTrace + "-" + kCaller + (sampled ? "-01" : "-00"));
}

std::string hex(const std::string& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) out.append({kDigits[static_cast<uint8_t>(c) >> 4], kDigits[c & 15]});
  return out;
}

std::map<std::string, std::string> attributes(const otlp::Span& span) {
  std::map<std::string, std::string> out;
  for (const otlp::KeyValue& one : span.attributes())
    out[one.key()] = one.value().has_int_value() ? std::to_string(one.value().int_value()) : one.value().string_value();
  return out;
}

std::vector<std::string> events(const otlp::Span& span) {
  std::vector<std::string> out;
  for (const otlp::Span::Event& event : span.events()) out.push_back(event.name());
  return out;
}

/// `a` answers, `b` asks `a` first, `wrong` fails.
class RequestSpansTest : public ::testing::Test {
 protected:
  void start(const TraceSettings& settings, SpanSampling sampling = {}) {
    ExportOptions options = collector_.options();
    options.delay = std::chrono::hours(1);
    tracer_.emplace(settings, "", SpanTarget{std::make_shared<SpanExporter>(options, metrics_), sampling, {}});
    inference_.emplace(catalog_.catalog(), nullptr, nullptr, &*tracer_);
    catalog_.add(simple_description("a", 3), [this](InferRequestPtr request) {
      seen_ = request->trace;
      request->times.queued = request->times.compute_start = Clock::now();
      request->times.batch = {8, CutReason::kDelayOver};
      testing::echo(simple_description("a", 3), std::move(request));
    });
    catalog_.add(simple_description("b"), [this](InferRequestPtr request) {
      ask("a", request->trace);
      testing::echo(simple_description("b"), std::move(request));
    });
    catalog_.add(simple_description("wrong"), [](InferRequestPtr request) { request->fail(internal("broken")); });
  }

  void ask(const std::string& model, TraceContext place = {}, const std::string& id = "seven") {
    auto request = std::make_unique<InferRequest>(std::make_shared<RecordingSink>());
    request->model = model;
    request->id = id;
    request->trace = place;
    request->times.received = Clock::now();
    Tensor& x = request->inputs.emplace_back();
    x.name = "x";
    x.dtype = DataType::kFp32;
    x.shape = {1, 4};
    x.data.push_back(Bytes::copy_of(std::string(16, '\0')));
    inference_->submit(std::move(request));
  }
  /// What has been recorded; nothing is from then on.
  std::vector<otlp::Span> spans() {
    tracer_->stop();
    return collector_.spans();
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const otlp::Span& span : spans()) out.push_back(span.name());
    return out;
  }

  MetricRegistry metrics_;
  Collector collector_{{answer(200)}};
  FakeCatalog catalog_;
  std::optional<Tracer> tracer_;
  std::optional<Inference> inference_;
  TraceContext seen_;
};

constexpr TraceSettings kAll{kTraceTimestamps, 1, -1, 0};

TEST_F(RequestSpansTest, ARequestHasThree) {
  start(kAll);
  ask("a");
  std::map<std::string, otlp::Span> by_name;
  for (const otlp::Span& span : spans()) by_name[span.name()] = span;
  ASSERT_EQ(by_name.size(), 3U);
  const otlp::Span &request = by_name["InferRequest"], &model = by_name["a"], &compute = by_name["compute"];
  EXPECT_EQ(request.kind(), otlp::Span::SPAN_KIND_SERVER);
  EXPECT_EQ(request.parent_span_id(), "");
  EXPECT_THAT(events(request), ElementsAre("INFER_RESPONSE_COMPLETE"));
  EXPECT_EQ(attributes(request)["modelmill.model"], "a");
  EXPECT_EQ(attributes(request)["modelmill.version"], "3");
  EXPECT_EQ(model.kind(), otlp::Span::SPAN_KIND_INTERNAL);
  EXPECT_EQ(model.parent_span_id(), request.span_id());
  EXPECT_THAT(events(model), ElementsAre("REQUEST_START", "QUEUE_START", "REQUEST_END"));
  auto of_model = attributes(model);
  EXPECT_EQ(of_model["triton.model_name"], "a");
  EXPECT_EQ(of_model["triton.model_version"], "3");
  EXPECT_EQ(of_model["triton.request_id"], "seven");
  EXPECT_EQ(of_model["triton.trace_parent_id"], "0");
  EXPECT_EQ(of_model["modelmill.rows"], "1");
  EXPECT_EQ(of_model["modelmill.queue_us"], "0");
  EXPECT_EQ(compute.parent_span_id(), model.span_id());
  EXPECT_THAT(events(compute), ElementsAre("COMPUTE_START", "COMPUTE_END"));
  EXPECT_EQ(attributes(compute)["modelmill.batch_size"], "8");
  EXPECT_EQ(attributes(compute)["modelmill.cut_reason"], "delay over");
  for (const otlp::Span* span : {&request, &model, &compute}) {
    EXPECT_EQ(span->trace_id(), request.trace_id());
    EXPECT_LE(request.start_time_unix_nano(), span->start_time_unix_nano());
    EXPECT_GE(request.end_time_unix_nano(), span->end_time_unix_nano());
    EXPECT_FALSE(span->has_status());
  }
  // What the model passes on leads to its span.
  EXPECT_EQ(traceparent_text(seen_), "00-" + hex(request.trace_id()) + "-" + hex(model.span_id()) + "-01");
}

TEST_F(RequestSpansTest, BelongsToItsCallersTrace) {
  start(kAll);
  ask("a", caller(true));
  for (const otlp::Span& span : spans()) {
    EXPECT_EQ(hex(span.trace_id()), kTrace);
    if (span.name() == "InferRequest") {
      EXPECT_EQ(hex(span.parent_span_id()), kCaller);
      EXPECT_EQ(span.flags(), 1U | 256U | 512U);
    }
  }
  EXPECT_EQ(hex({reinterpret_cast<const char*>(seen_.trace_id.data()), 16}), kTrace);
}

TEST_F(RequestSpansTest, WhatIsAskedForARequestBelongsToIt) {
  start(kAll);
  ask("b");
  std::map<std::string, otlp::Span> by_name;
  const auto all = spans();
  EXPECT_EQ(all.size(), 4U);  // `b` has not said when it computed
  for (const otlp::Span& span : all) by_name[span.name()] = span;
  EXPECT_EQ(by_name["a"].parent_span_id(), by_name["b"].span_id());
  EXPECT_EQ(by_name["b"].parent_span_id(), by_name["InferRequest"].span_id());
  EXPECT_EQ(attributes(by_name["a"])["triton.trace_parent_id"], attributes(by_name["b"])["triton.trace_id"]);
}

TEST_F(RequestSpansTest, OfARequestThatIsNotRecordedNothingIs) {
  start({kTraceTimestamps, 2, -1, 0});
  ask("b");
  EXPECT_FALSE(seen_.present());
  ask("b");
  EXPECT_TRUE(seen_.present());
  EXPECT_THAT(names(), UnorderedElementsAre("InferRequest", "b", "a", "compute"));
}

TEST_F(RequestSpansTest, FailuresAreTold) {
  start(kAll);
  ask("wrong");
  ask("nobody");
  std::map<std::string, otlp::Span> by_model;
  for (const otlp::Span& span : spans()) {
    EXPECT_EQ(span.status().code(), otlp::Status::STATUS_CODE_ERROR);
    if (span.name() == "InferRequest") by_model[attributes(span)["modelmill.model"]] = span;
  }
  EXPECT_EQ(by_model["wrong"].status().message(), "broken");
  EXPECT_THAT(by_model["nobody"].status().message(), HasSubstr("nobody"));
}

TEST_F(RequestSpansTest, CallersAreTracedWhateverTheRate) {
  start({kTraceTimestamps, 0, 0, 0});
  ask("a");
  ask("a", caller(false));
  ask("a", caller(true));
  EXPECT_EQ(names().size(), 6U);
}

TEST_F(RequestSpansTest, CallersDecideWhereTheyAreFollowed) {
  start(kAll, {Caller::kFollowed, 0});
  ask("a");
  ask("a", caller(false));
  EXPECT_FALSE(seen_.sampled());
  ask("a", caller(true));
  EXPECT_EQ(names().size(), 3U);
}

TEST_F(RequestSpansTest, CallersDecideNothingWhereTheyAreIgnored) {
  start({kTraceTimestamps, 1, 1, 0}, {Caller::kIgnored, 1});
  ask("a", caller(false));
  ask("a", caller(true));
  EXPECT_EQ(tracer_->settings("").count, 0);
  EXPECT_EQ(names().size(), 3U);
}

TEST_F(RequestSpansTest, AModelHasItsOwnSettings) {
  start({kTraceOff, 1, -1, 0});
  ask("a", caller(true));
  TraceChange on, none;
  on.level.set(kTraceTimestamps);
  none.rate.set(0);
  EXPECT_TRUE(tracer_->update("a", on).ok());
  ask("a");
  ask("wrong");
  EXPECT_TRUE(tracer_->update("a", none).ok());
  ask("a");
  EXPECT_THAT(names(), UnorderedElementsAre("InferRequest", "a", "compute"));
}

TEST_F(RequestSpansTest, ATraceGoesOnWhenSettingsChange) {
  start(kAll);
  InferRequestPtr waiting;
  catalog_.add(simple_description("slow"), [&](InferRequestPtr request) { waiting = std::move(request); });
  ask("slow");
  TraceChange off;
  off.level.set(kTraceOff);
  EXPECT_TRUE(tracer_->update("", off).ok());
  ask("a", waiting->trace);
  testing::echo(simple_description("slow"), std::move(waiting));
  EXPECT_THAT(names(), UnorderedElementsAre("a", "compute", "slow", "InferRequest"));
}

TEST_F(RequestSpansTest, WhatClientsSayIsKeptShort) {
  start(kAll);
  const std::string much(1'000'000, 'x');
  catalog_.add(simple_description("says"), [&](InferRequestPtr request) { request->fail(internal(much)); });
  ask("says", {}, much);
  ask(much);
  int cut = 0;
  for (const otlp::Span& span : spans()) {
    EXPECT_LT(span.ByteSizeLong(), 4 * kMostAttributeBytes) << span.name();
    if (const auto found = attributes(span); found.contains("triton.request_id"))
      cut += found.at("triton.request_id") == much.substr(0, kMostAttributeBytes);
  }
  EXPECT_EQ(cut, 2);
}

TEST(SpanSampling, AShareIsTheSameForAll) {
  SpanSampling half{Caller::kIgnored, 0.5};
  TraceId low{}, high{};
  low[9] = 0x7f;
  high[9] = 0x80;
  low[0] = 0xff;  // what is not random decides nothing
  EXPECT_FALSE(half.in_share(low));
  EXPECT_TRUE(half.in_share(high));
  EXPECT_TRUE((SpanSampling{Caller::kIgnored, 1}).in_share(TraceId{}));
  TraceId all;
  all.fill(0xff);
  EXPECT_FALSE((SpanSampling{Caller::kIgnored, 0}).in_share(all));
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) taken += (SpanSampling{Caller::kIgnored, 0.25}).in_share(make_trace_id());
  EXPECT_GT(taken, 2'000);
  EXPECT_LT(taken, 3'000);
}

}  // namespace
}  // namespace modelmill
