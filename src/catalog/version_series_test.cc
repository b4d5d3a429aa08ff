#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/version_stats.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLabels = R"({model="m",version="1")";

/// A request that waited so long, and took twice that in all, over now.
RequestTimes waited(TimePoint now, Duration queued) {
  RequestTimes times;
  times.received = times.queued = now - 2 * queued;
  times.compute_start = now - queued;
  times.compute_end = now;
  return times;
}

TEST(VersionSeries, SummariesHaveQuantilesOfTheLastMinute) {
  MetricRegistry metrics;
  ManualTime time;
  SeriesSettings settings;
  settings.summaries = true;
  settings.quantiles = {0.5, 0.99};
  VersionStats stats(metrics, "m", 1, {}, settings, time);
  const auto line = [&](const std::string& name, const std::string& labels) {
    const std::string text = metrics.render(), begin = "\n" + name + kLabels + labels + "} ";
    const size_t at = text.find(begin);
    return at == std::string::npos ? "none"
                                   : text.substr(at + begin.size(), text.find('\n', at + 1) - at - begin.size());
  };
  EXPECT_EQ(line("nv_inference_request_summary_us", R"(,quantile="0.5")"), "NaN");
  EXPECT_EQ(line("nv_inference_request_summary_us_count", ""), "0");
  for (int i = 1; i <= 100; ++i) stats.request_succeeded(waited(time.now(), i * 1ms), 1);
  stats.executed({.rows = 100, .requests = 100, .input = 1ms, .infer = 20ms, .output = 3ms}, CutReason::kFull);
  EXPECT_NEAR(std::stod(line("nv_inference_queue_summary_us", R"(,quantile="0.5")")), 50'000, 800);
  EXPECT_NEAR(std::stod(line("nv_inference_queue_summary_us", R"(,quantile="0.99")")), 99'000, 1'600);
  EXPECT_NEAR(std::stod(line("nv_inference_request_summary_us", R"(,quantile="0.99")")), 198'000, 3'200);
  EXPECT_NEAR(std::stod(line("nv_inference_compute_infer_summary_us", R"(,quantile="0.99")")), 20'000, 320);
  EXPECT_EQ(line("nv_inference_compute_input_summary_us_count", ""), "100") << "of requests, and not of executions";
  EXPECT_EQ(line("nv_inference_compute_output_summary_us_sum", ""), "300000");
  EXPECT_EQ(line("nv_inference_queue_summary_us_sum", ""), "5050000");
  time.advance(2min);
  EXPECT_EQ(line("nv_inference_queue_summary_us", R"(,quantile="0.99")"), "NaN") << "nothing of late";
  EXPECT_EQ(line("nv_inference_queue_summary_us_count", ""), "100") << "count and sum are of all times";
}

TEST(VersionSeries, AreThereAsTheSettingsSay) {
  MetricRegistry metrics;
  const VersionStats usual(metrics, "m", 1);
  EXPECT_THAT(metrics.render(),
              AllOf(HasSubstr("nv_inference_queue_duration_us{"),
                    HasSubstr("nv_inference_queue_duration_histogram_us_bucket{"), Not(HasSubstr("_summary_us"))));
  MetricRegistry others;
  SeriesSettings settings;
  settings.counters = settings.histograms = false;
  settings.tag_prefix = "_";
  VersionStats stats(others, "m", 1, {{"team", "a"}}, settings);
  stats.tell_first_responses();
  stats.request_succeeded(waited(TimePoint(10s), 1s), 1);
  EXPECT_THAT(others.render(), AllOf(Not(HasSubstr("_duration_us")), Not(HasSubstr("histogram_us")),
                                     Not(HasSubstr("nv_inference_first_response")),
                                     HasSubstr(R"(nv_inference_request_success{model="m",version="1",_team="a"} 1)")));
}

TEST(VersionSeries, FirstResponsesHaveTheBoundsOfTheirModel) {
  MetricRegistry metrics;
  VersionStats stats(metrics, "m", 1);
  stats.tell_first_responses({0.5, 4'000});
  stats.tell_first_responses({7});
  stats.request_succeeded(waited(TimePoint(10s), 1s), 1);
  const std::string name = "nv_inference_first_response_histogram_ms_bucket" + std::string(kLabels);
  EXPECT_THAT(metrics.render(), AllOf(HasSubstr(name + R"(,le="0.5"} 0)"), HasSubstr(name + R"(,le="4000"} 1)"),
                                      HasSubstr(name + R"(,le="+Inf"} 1)"), Not(HasSubstr(R"(le="7")"))));
}

TEST(VersionSeries, BatchesAreToldToWhoAsks) {
  MetricRegistry metrics;
  SeriesSettings settings;
  settings.batches = std::make_shared<BatchSeries>("pool");
  VersionStats one(metrics, "m", 1, {}, settings), other(metrics, "n", 1, {}, settings);
  one.request_succeeded(waited(TimePoint(10s), 1ms), 3);
  one.executed({.rows = 4, .padded = 1, .requests = 1, .infer = 2ms}, CutReason::kFull);
  other.request_succeeded(waited(TimePoint(10s), 1ms), 2);
  const BatchSeries::View view = settings.batches->view();
  EXPECT_EQ(view.input_rows.sum, 5);
  EXPECT_EQ(view.queued_us.sum, 2'000);
  EXPECT_EQ(view.processed_rows.sum, 4);
  EXPECT_EQ(view.padding.at(4).sum, 1);
  EXPECT_EQ(view.ran_us.sum, 2'000);
}

}  // namespace
}  // namespace modelmill
