#include "otlp/export_message.h"

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "otlp_trace.pb.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;

Span span() {
  Span span;
  span.trace_id[15] = 7;
  span.id[7] = 8;
  span.parent[7] = 9;
  span.name = "a";
  span.kind = Span::Kind::kServer;
  span.start = TimePoint(std::chrono::nanoseconds(100));
  span.end = TimePoint(std::chrono::nanoseconds(300));
  span.set("text", "x");
  span.set("number", int64_t{-1});
  span.add_event("BEGAN", TimePoint(std::chrono::nanoseconds(200)));
  span.add_event("NEVER", TimePoint{});
  return span;
}

otlp::ExportTraceServiceRequest sent(const std::vector<Span>& spans, const ExportOptions& options = {}) {
  otlp::ExportTraceServiceRequest request;
  EXPECT_TRUE(request.ParseFromString(export_message(options, spans, std::chrono::nanoseconds(1'000))));
  return request;
}

otlp::Span sent(const Span& span) { return sent(std::vector<Span>{span}).resource_spans(0).scope_spans(0).spans(0); }

TEST(ExportMessage, HasASpansParts) {
  const otlp::Span out = sent(span());
  EXPECT_EQ(out.trace_id(), std::string(15, '\0') + '\7');
  EXPECT_EQ(out.span_id(), std::string(7, '\0') + '\10');
  EXPECT_EQ(out.parent_span_id(), std::string(7, '\0') + '\11');
  EXPECT_EQ(out.kind(), otlp::Span::SPAN_KIND_SERVER);
  EXPECT_EQ(out.start_time_unix_nano(), 1'100U);
  EXPECT_EQ(out.end_time_unix_nano(), 1'300U);
  EXPECT_EQ(out.flags(), 1U | 256U);
  ASSERT_EQ(out.attributes_size(), 2);
  EXPECT_EQ(out.attributes(0).value().string_value(), "x");
  EXPECT_EQ(out.attributes(1).value().int_value(), -1);
  ASSERT_EQ(out.events_size(), 1);
  EXPECT_EQ(out.events(0).time_unix_nano(), 1'200U);
  EXPECT_FALSE(out.has_status());
}

TEST(ExportMessage, NumbersOfFieldsAreOtlps) {
  Span failed = span();
  failed.status = internal("no");
  google::protobuf::UnknownFieldSet fields;
  ASSERT_TRUE(fields.ParseFromString(sent(failed).SerializeAsString()));
  std::vector<int> numbers;
  for (int i = 0; i < fields.field_count(); ++i) numbers.push_back(fields.field(i).number());
  EXPECT_THAT(numbers, ElementsAre(1, 2, 4, 5, 6, 7, 8, 9, 9, 11, 15, 16));
}

TEST(ExportMessage, TheFirstOfATraceHasNoParent) {
  Span first = span();
  first.parent = {};
  EXPECT_EQ(sent(first).parent_span_id(), "");
  Span remote = span();
  remote.parent_is_remote = true;
  EXPECT_EQ(sent(remote).flags(), 1U | 256U | 512U);
}

TEST(ExportMessage, FailuresAndLongTexts) {
  Span failed = span();
  failed.status = invalid_argument("bad \xff byte");
  failed.set("long", std::string(10'000, 'x'));
  const otlp::Span out = sent(failed);
  EXPECT_EQ(out.status().code(), otlp::Status::STATUS_CODE_ERROR);
  EXPECT_EQ(out.status().message(), "bad \xEF\xBF\xBD byte");
  EXPECT_EQ(out.attributes(2).value().string_value().size(), kMostAttributeBytes);
  Span backwards = span();
  backwards.end = TimePoint(std::chrono::nanoseconds(50));
  EXPECT_EQ(sent(backwards).end_time_unix_nano(), 1'100U);
}

TEST(ExportMessage, TheLastResourceOfANameCounts) {
  ExportOptions options;
  options.resource = {{"service.name", "one"}, {"k", "v"}, {"service.name", "two"}};
  options.scope_version = "1.2";
  const otlp::ResourceSpans all = sent({span(), span()}, options).resource_spans(0);
  ASSERT_EQ(all.resource().attributes_size(), 2);
  EXPECT_EQ(all.resource().attributes(0).key(), "k");
  EXPECT_EQ(all.resource().attributes(1).value().string_value(), "two");
  EXPECT_EQ(all.scope_spans(0).scope().name(), "modelmill");
  EXPECT_EQ(all.scope_spans(0).scope().version(), "1.2");
  EXPECT_EQ(all.scope_spans(0).spans_size(), 2);
}

TEST(MonotonicEpoch, IsWhenTheClockBegan) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto by_epoch = monotonic_epoch() + std::chrono::nanoseconds(to_ns(Clock::now()));
  EXPECT_LT(std::chrono::abs(by_epoch - now), std::chrono::minutes(1));
}

TEST(AsUtf8, CutsBetweenCharacters) {
  EXPECT_EQ(as_utf8("a\xC3\xA9z", 3), "a\xC3\xA9");
  EXPECT_EQ(as_utf8("a\xC3\xA9z", 2), "a");
  EXPECT_EQ(as_utf8("\xC3", 10), "\xEF\xBF\xBD");
  EXPECT_EQ(as_utf8("", 10), "");
}

TEST(SpanIds, AreRandom) {
  EXPECT_NE(make_trace_id(), make_trace_id());
  EXPECT_NE(make_span_id(), make_span_id());
  EXPECT_NE(make_span_id(), SpanId{});
}

}  // namespace
}  // namespace modelmill
