#include "catalog/version_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

const TimePoint kT{100s};

RequestTimes times() {
  RequestTimes t;
  t.received = kT;
  t.queued = kT + 1us;
  t.compute_start = kT + 31us;
  t.compute_end = kT + 150us;
  return t;
}

TEST(VersionStatsTest, FirstResponsesAreToldOfWhoGivesSeveral) {
  MetricRegistry metrics;
  VersionStats stats(metrics, "llm", 1);
  stats.request_succeeded(times(), 1);
  EXPECT_THAT(metrics.render(), Not(HasSubstr("nv_inference_first_response")));
  stats.tell_first_responses();
  stats.tell_first_responses();
  RequestTimes several = times();
  several.compute_end = kT + 7s;
  several.first_response = kT + 300ms;
  stats.request_succeeded(several, 1);
  stats.request_succeeded(times(), 1);
  const std::string text = metrics.render(), name = "nv_inference_first_response_histogram_ms";
  EXPECT_THAT(text, HasSubstr(name + R"(_bucket{model="llm",version="1",le="100"} 1)"));
  EXPECT_THAT(text, HasSubstr(name + R"(_bucket{model="llm",version="1",le="500"} 2)"));
  EXPECT_THAT(text, HasSubstr(name + R"(_sum{model="llm",version="1"} 300.15)"));
}

TEST(VersionStatsTest, HitsAndMissesAreToldWhereThereIsACache) {
  MetricRegistry metrics;
  SeriesSettings settings;
  settings.summaries = true;
  settings.quantiles = {0.5};
  VersionStats stats(metrics, "m", 1, {}, settings);
  EXPECT_THAT(metrics.render(), Not(HasSubstr("nv_cache")));
  EXPECT_EQ(stats.view().cache_hit.count, 0U);
  stats.tell_cache();
  stats.tell_cache();
  RequestTimes hit = times();
  hit.compute_start = hit.queued;
  stats.answered_from_cache(hit, 3us);
  stats.answered_from_cache(hit, 5us);
  stats.missed_in_cache(40us);
  const std::string text = metrics.render(), labels = R"({model="m",version="1"})";
  EXPECT_THAT(text, HasSubstr("nv_cache_num_hits_per_model" + labels + " 2\n"));
  EXPECT_THAT(text, HasSubstr("nv_cache_hit_duration_per_model" + labels + " 8\n"));
  EXPECT_THAT(text, HasSubstr("nv_cache_num_misses_per_model" + labels + " 1\n"));
  EXPECT_THAT(text, HasSubstr("nv_cache_miss_duration_per_model" + labels + " 40\n"));
  EXPECT_THAT(text, HasSubstr("nv_cache_hit_summary_per_model_count" + labels + " 2\n"));
  EXPECT_THAT(text, HasSubstr("nv_cache_miss_summary_per_model_sum" + labels + " 40\n"));
  EXPECT_THAT(text, HasSubstr("nv_cache_hit_summary_per_model{model=\"m\",version=\"1\",quantile=\"0.5\"}"));
  EXPECT_THAT(text, HasSubstr("nv_inference_request_success" + labels + " 2\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_count" + labels + " 0\n"));
  const auto view = stats.view();
  EXPECT_EQ(view.success.count, 2U);
  EXPECT_EQ(view.cache_hit.ns, 8'000U);
  EXPECT_EQ(view.cache_miss.count, 1U);
}

TEST(VersionStatsTest, LoadingTakesItsTime) {
  MetricRegistry metrics;
  VersionStats stats(metrics, "m", 1);
  stats.loaded_in(1500ms);
  EXPECT_THAT(metrics.render(), HasSubstr(R"(nv_model_load_duration_secs{model="m",version="1"} 1.5)"));
}

TEST(VersionStatsTest, SuccessAndExecution) {
  MetricRegistry metrics;
  VersionStats stats(metrics, "ocr", 3, {{"team", "a"}});
  stats.request_queued();
  stats.request_queued();
  EXPECT_THAT(metrics.render(),
              HasSubstr("nv_inference_pending_request_count{model=\"ocr\",version=\"3\",team=\"a\"} 2\n"));
  stats.requests_dequeued(2);
  stats.request_succeeded(times(), 4);
  stats.request_succeeded(times(), 1);
  stats.executed({.rows = 5, .requests = 2, .failed = 0, .input = 10us, .infer = 100us, .output = 5us},
                 CutReason::kFull);

  const std::string text = metrics.render();
  const auto expect = [&](const std::string& name, const std::string& more, const std::string& value) {
    EXPECT_THAT(text, HasSubstr(name + "{model=\"ocr\",version=\"3\",team=\"a\"" + more + "} " + value + "\n"));
  };
  expect("nv_inference_request_success", "", "2");
  expect("nv_inference_count", "", "5");
  expect("nv_inference_exec_count", "", "1");
  expect("nv_inference_request_duration_us", "", "300");
  expect("nv_inference_queue_duration_us", "", "60");
  expect("nv_inference_compute_input_duration_us", "", "20");
  expect("nv_inference_compute_infer_duration_us", "", "200");
  expect("nv_inference_compute_output_duration_us", "", "10");
  expect("nv_inference_pending_request_count", "", "0");
  expect("nv_inference_request_failure", ",reason=\"REJECTED\"", "0");
  expect("nv_inference_request_duration_histogram_us_bucket", ",le=\"100\"", "0");
  expect("nv_inference_request_duration_histogram_us_bucket", ",le=\"200\"", "2");
  expect("nv_inference_request_duration_histogram_us_sum", "", "300");
  expect("nv_inference_queue_duration_histogram_us_count", "", "2");
  expect("modelmill_batch_size_bucket", ",le=\"4\"", "0");
  expect("modelmill_batch_size_bucket", ",le=\"8\"", "1");
  expect("modelmill_batch_size_sum", "", "5");
  expect("modelmill_batch_cut_total", ",reason=\"full\"", "1");
  expect("modelmill_batch_cut_total", ",reason=\"idle instance\"", "0");
  expect("modelmill_batch_cut_total", ",reason=\"delay over\"", "0");
  expect("modelmill_batch_cut_total", ",reason=\"deadline\"", "0");

  const auto view = stats.view();
  EXPECT_EQ(view.success.count, 2u);
  EXPECT_EQ(view.success.ns, 300'000u);
  EXPECT_EQ(view.queue.ns, 60'000u);
  EXPECT_EQ(view.compute_infer.count, 2u);
  EXPECT_EQ(view.inference_count, 5u);
  EXPECT_EQ(view.execution_count, 1u);
  EXPECT_GT(view.last_inference_ms, 0u);
  ASSERT_EQ(view.batches.size(), 1u);
  EXPECT_EQ(view.batches.at(5).infer.count, 1u);
  EXPECT_EQ(view.batches.at(5).infer.ns, 100'000u);
}

TEST(VersionStatsTest, Failures) {
  MetricRegistry metrics;
  VersionStats stats(metrics, "m", 1);
  stats.request_failed(times(), FailureReason::kBackend);
  stats.request_failed({}, FailureReason::kOther);
  stats.executed({.rows = 2, .requests = 2, .failed = 1, .infer = 1us}, CutReason::kIdleInstance);
  const auto view = stats.view();
  EXPECT_EQ(view.fail.count, 2u);
  EXPECT_EQ(view.fail.ns, 150'000u) << "a request that never got anywhere took no time";
  EXPECT_EQ(view.success.count, 0u);
  EXPECT_EQ(view.compute_infer.count, 1u) << "of those that succeeded";
  EXPECT_THAT(metrics.render(),
              HasSubstr("nv_inference_request_failure{model=\"m\",version=\"1\",reason=\"BACKEND\"} 1\n"));
}

TEST(VersionStatsTest, InstancesComeAndGoForReasons) {
  MetricRegistry metrics;
  VersionStats stats(metrics, "m", 1);
  const auto expect = [&](const std::string& direction, const std::string& reason, int value) {
    EXPECT_THAT(metrics.render(),
                HasSubstr("modelmill_instance_changes_total{model=\"m\",version=\"1\",direction=\"" + direction +
                          "\",reason=\"" + reason + "\"} " + std::to_string(value) + "\n"));
  };
  stats.instances_are(2);
  expect("up", "reload", 0);
  stats.instances_are(2, ScalingReason::kBusy);
  expect("up", "busy", 0);
  stats.instances_are(4, ScalingReason::kBusy);
  stats.instances_are(3, ScalingReason::kNoGain);
  stats.instances_are(0, ScalingReason::kIdle);
  stats.instances_are(1, ScalingReason::kRequest);
  expect("up", "busy", 2);
  expect("down", "no gain", 1);
  expect("down", "idle", 3);
  expect("up", "request", 1);
  expect("up", "client", 0);
  stats.instances_are(2);
  expect("up", "reload", 1);
  // Every reason has a series in the direction that it can have.
  for (int reason = 0; reason < kScalingReasons; ++reason)
    EXPECT_THAT(
        metrics.render(),
        HasSubstr("\",reason=\"" + std::string(scaling_reason_name(static_cast<ScalingReason>(reason))) + "\"}"));
}

TEST(VersionStatsTest, SeriesLeaveWithTheVersion) {
  MetricRegistry metrics;
  { VersionStats stats(metrics, "m", 1); }
  EXPECT_EQ(metrics.render(), "");
}

TEST(VersionStatsTest, ManyThreads) {
  MetricRegistry metrics;
  VersionStats stats(metrics, "m", 1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1'000; ++i) {
        stats.request_queued();
        stats.requests_dequeued(1);
        stats.request_succeeded(times(), 1);
        stats.executed({.rows = t + 1, .requests = 1, .infer = 1us}, CutReason::kFull);
        if (i % 100 == 0) {
          metrics.render();
          EXPECT_LE(stats.view().pending, 4u);
        }
      }
    });
  for (auto& t : threads) t.join();
  const auto view = stats.view();
  EXPECT_EQ(view.success.count, 4'000u);
  EXPECT_EQ(view.execution_count, 4'000u);
  EXPECT_EQ(view.batches.size(), 4u);
  EXPECT_EQ(view.pending, 0u);
}

TEST(VersionStatsTest, EachEntryPointIsCounted) {
  MetricRegistry metrics;
  VersionStats stats(metrics, "ocr", 3, {{"team", "a"}});
  EXPECT_THAT(metrics.render(), Not(HasSubstr("signature")));
  stats.signature("add").asked();
  stats.signature("add").asked();
  stats.signature("add").instances_are(2);
  stats.signature("default");
  const std::string labels = "{model=\"ocr\",version=\"3\",team=\"a\",signature=";
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("modelmill_signature_requests_total" + labels + "\"add\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_signature_requests_total" + labels + "\"default\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_signature_instances" + labels + "\"add\"} 2\n"));
}

}  // namespace
}  // namespace modelmill
