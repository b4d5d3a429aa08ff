#include "cli/top/activity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr TimePoint kStart{1'000s};

/// A page with one version's counters; latencies: requests up to 100 us, up to 200 us, and all.
std::string page(double succeeded, double rejected, double rows, double executions, std::vector<int> latencies,
                 const std::string& more = "") {
  const std::string labels = "{model=\"m\",version=\"1\"";
  const auto line = [&](const std::string& name, const std::string& extra, double value) {
    return name + labels + extra + "} " + std::to_string(value) + "\n";
  };
  const std::string bucket = "nv_inference_request_duration_histogram_us_bucket";
  return "process_start_time_seconds 5\n" + line("nv_inference_request_success", "", succeeded) +
         line("nv_inference_request_failure", ",reason=\"REJECTED\"", rejected) +
         line("nv_inference_request_failure", ",reason=\"OTHER\"", 0) + line("nv_inference_count", "", rows) +
         line("nv_inference_exec_count", "", executions) + line(bucket, ",le=\"100\"", latencies[0]) +
         line(bucket, ",le=\"200\"", latencies[1]) + line(bucket, ",le=\"+Inf\"", latencies[2]) + more;
}

ServerReading reading(const std::string& text, Duration after) {
  auto read = read_server(text, kStart + after);
  EXPECT_TRUE(read.ok()) << read.status().message();
  return *read;
}

TEST(Activity, IsWhatGrewBetweenTwoReadings) {
  const auto before = reading(page(100, 10, 500, 100, {50, 80, 100}), 0s);
  const auto after = reading(page(300, 20, 1'300, 200, {100, 230, 300},
                                  "modelmill_batch_cut_total{model=\"m\",version=\"1\",reason=\"full\"} 3\n"
                                  "modelmill_batch_cut_total{model=\"m\",version=\"1\",reason=\"idle instance\"} 9\n"
                                  "modelmill_batch_cut_total{model=\"m\",version=\"1\",reason=\"deadline\"} 0\n"
                                  "nv_inference_pending_request_count{model=\"m\",version=\"1\"} 7\n"
                                  "modelmill_instances{model=\"m\",version=\"1\"} 3\n"
                                  "process_cpu_seconds_total 3\nprocess_resident_memory_bytes 4096\n"
                                  "modelmill_wire_connections_open 2\n"),
                             2s);
  const ServerActivity activity = activity_between(before, after);
  EXPECT_EQ(activity.seconds, 2);
  EXPECT_EQ(activity.requests_per_second, 105);
  EXPECT_EQ(activity.failures_per_second, 5);
  EXPECT_EQ(activity.cpu_cores, 1.5);
  EXPECT_EQ(activity.memory_bytes, 4'096);
  EXPECT_EQ(activity.connections, 2);
  ASSERT_THAT(activity.versions, SizeIs(1));
  const auto& version = activity.versions.front();
  EXPECT_EQ(version.name, VersionName("m", "1"));
  EXPECT_EQ(version.requests_per_second, 105);
  EXPECT_EQ(version.mean_batch, 8);
  EXPECT_EQ(version.pending, 7);
  EXPECT_EQ(version.instances, 3);
  EXPECT_THAT(version.cuts, ElementsAre(Pair("full", 0.25), Pair("idle instance", 0.75)));
  // Of 200 requests 50 took up to 100 us and 100 more up to 200 us: half of them took up to 150 us.
  EXPECT_DOUBLE_EQ(*version.p50_us, 150);
  EXPECT_DOUBLE_EQ(*version.p99_us, 200) << "the largest bound there is";
}

TEST(Activity, TellsWhatTheCacheAnswered) {
  const std::string hits = "nv_cache_num_hits_per_model{model=\"m\",version=\"1\"} ";
  const auto before = reading(page(100, 0, 50, 50, {100, 100, 100}, hits + "50\n"), 0s);
  const auto after = reading(page(140, 0, 60, 60, {140, 140, 140}, hits + "80\n"), 1s);
  EXPECT_EQ(activity_between(before, after).versions.at(0).cached, 0.75);
  EXPECT_EQ(activity_between(after, after).versions.at(0).cached, 0);
  const auto none = reading(page(140, 0, 60, 60, {140, 140, 140}), 1s);
  EXPECT_EQ(activity_between(none, none).versions.at(0).cached, std::nullopt);
}

TEST(Activity, NothingIsSaidOfWhatDidNotHappen) {
  const auto before = reading(page(100, 10, 500, 100, {50, 80, 100}), 0s);
  auto after = before;
  after.at += 1s;
  const auto version = activity_between(before, after).versions.at(0);
  EXPECT_EQ(version.requests_per_second, 0);
  EXPECT_FALSE(version.p50_us.has_value());
  EXPECT_FALSE(version.p99_us.has_value());
  EXPECT_FALSE(version.mean_batch.has_value());
  EXPECT_FALSE(version.instances.has_value());
  EXPECT_THAT(version.cuts, IsEmpty());
}

TEST(Activity, ANewServerOrVersionBeginsAtZero) {
  const auto before = reading(page(100, 0, 100, 100, {100, 100, 100}), 0s);
  auto after = reading(page(150, 0, 150, 150, {150, 150, 150}), 1s);
  EXPECT_EQ(activity_between(before, after).requests_per_second, 50);
  after.started = 6;
  EXPECT_EQ(activity_between(before, after).requests_per_second, 150) << "another process";
  after.started = before.started;
  EXPECT_EQ(activity_between({.at = kStart, .started = 5}, after).requests_per_second, 150) << "loaded in between";
  after = reading(page(30, 0, 30, 30, {30, 30, 30}), 1s);
  EXPECT_EQ(activity_between(before, after).requests_per_second, 30) << "loaded again";
  EXPECT_THAT(activity_between(before, {.at = kStart + 1s, .started = 5}).versions, IsEmpty()) << "gone";
}

TEST(Activity, ReadsOnlyMetrics) {
  EXPECT_FALSE(read_server("<html>", kStart).ok());
  const auto other = reading("http_requests_total 5\n", 0s);
  EXPECT_THAT(other.versions, IsEmpty());
}

}  // namespace
}  // namespace modelmill
