#include "otlp/span_exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>

#include "otlp/testing/collector.h"

namespace modelmill {
namespace {

using testing::answer;
using testing::Collector;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Waits for what must become true.
bool wait_until(const std::function<bool()>& condition) {
  for (const TimePoint end = Clock::now() + std::chrono::minutes(1); Clock::now() < end;) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

Span span() {
  Span span;
  span.trace_id = make_trace_id();
  span.id = make_span_id();
  return span;
}

class SpanExporterTest : public ::testing::Test {
 protected:
  double count(const std::string& result) {
    return metrics_
        .counter("modelmill_trace_spans_total", "Spans for the OpenTelemetry collector by what became of them",
                 {{"result", result}})
        ->value();
  }
  void add(SpanExporter& exporter, int spans) {
    for (int i = 0; i < spans; ++i) exporter.add(span());
  }

  MetricRegistry metrics_;
};

TEST_F(SpanExporterTest, SendsWhatWaitsAtTheEnd) {
  Collector collector({answer(200)});
  ExportOptions options = collector.options();
  options.delay = std::chrono::hours(1);
  options.headers = {{"x-key", "secret"}};
  options.path = "/otlp/v1/traces";
  SpanExporter exporter(options, metrics_);
  add(exporter, 3);
  exporter.stop();
  EXPECT_THAT(collector.posts(), ElementsAre(3));
  EXPECT_THAT(collector.head(), HasSubstr("POST /otlp/v1/traces HTTP/1.1\r\n"));
  EXPECT_THAT(collector.head(), HasSubstr("x-key: secret\r\n"));
  EXPECT_THAT(collector.head(), HasSubstr("content-type: application/x-protobuf\r\n"));
  EXPECT_EQ(count("exported"), 3);
  exporter.stop();
  add(exporter, 1);
  EXPECT_EQ(count("dropped"), 1);
}

TEST_F(SpanExporterTest, SendsAfterTheDelay) {
  Collector collector({answer(200)});
  SpanExporter exporter(collector.options(), metrics_);
  add(exporter, 1);
  EXPECT_TRUE(wait_until([&] { return count("exported") == 1; }));
}

TEST_F(SpanExporterTest, SendsNoMoreThanABatchAtATime) {
  Collector collector({answer(200)});
  ExportOptions options = collector.options();
  options.delay = std::chrono::hours(1);
  options.max_batch = 2;
  SpanExporter exporter(options, metrics_);
  add(exporter, 5);
  EXPECT_TRUE(wait_until([&] { return count("exported") >= 4; }));
  exporter.stop();
  EXPECT_THAT(collector.posts(), ElementsAre(2, 2, 1));
}

TEST_F(SpanExporterTest, WhatFindsNoRoomIsLost) {
  Collector silent({""});
  ExportOptions options = silent.options();
  options.max_queue = 4;
  options.flush = std::chrono::milliseconds(1);
  SpanExporter exporter(options, metrics_);
  add(exporter, 1);
  EXPECT_TRUE(wait_until([&] { return silent.posts().size() == 1; }));
  add(exporter, 6);  // while the first is under way
  EXPECT_EQ(count("dropped"), 2);
  exporter.stop();
  EXPECT_EQ(count("failed"), 5);
  EXPECT_EQ(count("exported"), 0);
}

TEST_F(SpanExporterTest, OnlyTheStatusOfAPageCounts) {
  const std::string page(1'000'000, 'x');
  const auto with_page = [&](const std::string& status) {
    return "HTTP/1.1 " + status + " x\r\nContent-Type: text/html\r\nContent-Length: 1000000\r\n\r\n" + page;
  };
  Collector collector({with_page("200"), with_page("503"), with_page("200")});
  ExportOptions options = collector.options();
  options.max_batch = 1;
  SpanExporter exporter(options, metrics_);
  add(exporter, 2);
  EXPECT_TRUE(wait_until([&] { return count("exported") == 2; }));
  EXPECT_THAT(collector.posts(), ElementsAre(1, 1, 1));
  EXPECT_EQ(count("failed"), 0);
}

TEST_F(SpanExporterTest, TriesAgain) {
  Collector collector({answer(503), answer(429, "Retry-After: 0\r\n"), answer(200)});
  SpanExporter exporter(collector.options(), metrics_);
  add(exporter, 1);
  EXPECT_TRUE(wait_until([&] { return count("exported") == 1; }));
  EXPECT_THAT(collector.posts(), ElementsAre(1, 1, 1));
  EXPECT_EQ(count("failed"), 0);
}

TEST_F(SpanExporterTest, GivesUp) {
  Collector collector({answer(503)});
  SpanExporter exporter(collector.options(), metrics_);
  add(exporter, 1);
  EXPECT_TRUE(wait_until([&] { return count("failed") == 1; }));
  EXPECT_EQ(collector.posts().size(), static_cast<size_t>(kMostAttempts));
}

TEST_F(SpanExporterTest, WhatIsRefusedIsNotTriedAgain) {
  Collector collector({answer(400), answer(200)});
  SpanExporter exporter(collector.options(), metrics_);
  add(exporter, 1);
  EXPECT_TRUE(wait_until([&] { return count("failed") == 1; }));
  add(exporter, 1);
  EXPECT_TRUE(wait_until([&] { return count("exported") == 1; }));
  EXPECT_THAT(collector.posts(), ElementsAre(1, 1));
}

TEST_F(SpanExporterTest, CountsWhatWasRejected) {
  const std::string body("\x0a\x02\x08\x02", 4);
  Collector collector({"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + body});
  ExportOptions options = collector.options();
  options.delay = std::chrono::hours(1);
  SpanExporter exporter(options, metrics_);
  add(exporter, 3);
  exporter.stop();
  EXPECT_EQ(count("exported"), 1);
  EXPECT_EQ(count("failed"), 2);
}

TEST_F(SpanExporterTest, ACollectorThatHangsDoesNotHoldUpTheEnd) {
  Collector collector({""});
  ExportOptions options = collector.options();
  options.timeout = std::chrono::hours(1);
  options.flush = std::chrono::milliseconds(10);
  options.max_batch = 1;
  SpanExporter exporter(options, metrics_);
  add(exporter, 3);
  exporter.stop();
  EXPECT_EQ(count("failed"), 3);
}

TEST_F(SpanExporterTest, NobodyIsThere) {
  boost::asio::io_context context;
  const boost::asio::ip::tcp::socket taken(context, {boost::asio::ip::address_v4::loopback(), 0});  // listens to nobody
  ExportOptions options;
  options.server = {"127.0.0.1", taken.local_endpoint().port(), ""};
  options.first_pause = std::chrono::hours(1);  // which the end cuts short
  options.flush = std::chrono::hours(1);
  options.max_batch = 1;
  SpanExporter exporter(options, metrics_);
  add(exporter, 3);
  exporter.stop();
  EXPECT_EQ(count("failed"), 3);
}

}  // namespace
}  // namespace modelmill
