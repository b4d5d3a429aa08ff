#include "dialect/tfserving/serving_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"

namespace modelmill::tfserving {
namespace {

using std::chrono::microseconds;
using ::testing::HasSubstr;
using ::testing::Not;

RequestTimes times_of(microseconds ran) {
  RequestTimes times;
  times.compute_start = TimePoint{} + std::chrono::seconds(1);
  times.compute_end = times.compute_start + ran;
  return times;
}

class ServingMetricsPage : public ::testing::Test {
 protected:
  ServingMetricsPage() { catalog_.add(testing::simple_description("m")); }
  std::string page() { return metrics_.render(catalog_.catalog()); }
  VersionStats& stats() { return (*catalog_.catalog().table()->find("m")->find(0))->stats(); }
  void execute(microseconds took) {
    ExecutionRecord record;
    record.requests = record.rows = 1;
    record.infer = took;
    stats().executed(record, CutReason::kFull);
  }

  testing::FakeCatalog catalog_;
  ServingMetrics metrics_;
};

TEST_F(ServingMetricsPage, WhatRanIsByRuntime) {
  metrics_.ran("m", "Predict", "TF1", times_of(microseconds(50)));
  metrics_.ran("m", "Predict", "TF1", times_of(microseconds(70)));
  metrics_.ran("m", "Classify", "onnxruntime", times_of(microseconds(5)));
  metrics_.ran("m", "Regress", "TF1", RequestTimes{});
  const std::string text = page();
  const std::string name = ":tensorflow:serving:runtime_latency_";
  EXPECT_THAT(text, HasSubstr(name + R"(sum{model_name="m",API="Predict",runtime="TF1"} 120)"));
  EXPECT_THAT(text, HasSubstr(name + R"(count{model_name="m",API="Predict",runtime="TF1"} 2)"));
  EXPECT_THAT(text, HasSubstr(name + R"(bucket{model_name="m",API="Classify",runtime="onnxruntime",le="10"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("Regress"))) << "it never ran";
}

TEST_F(ServingMetricsPage, ExamplesAreCounted) {
  metrics_.had_examples("m", 3);
  metrics_.had_examples("m", 1);
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr(R"(:tensorflow:serving:request_example_counts_bucket{model="m",le="1"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(:tensorflow:serving:request_example_counts_count{model="m"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(:tensorflow:serving:request_example_count_total{model="m"} 4)"));
}

TEST_F(ServingMetricsPage, RunsOfAllModelsGoOnWhereVersionsGo) {
  execute(microseconds(30));
  execute(microseconds(10));
  EXPECT_THAT(page(), HasSubstr(":tensorflow:core:graph_runs 2\n"));
  EXPECT_THAT(page(), HasSubstr(":tensorflow:core:graph_run_time_usecs 40\n")) << "looking counts nothing twice";
  catalog_.catalog().publish(std::make_shared<ModelTable>());
  EXPECT_THAT(page(), HasSubstr(":tensorflow:core:graph_runs 2\n"));
  testing::FakeCatalog others;
  others.add(testing::simple_description("m"));
  (*others.catalog().table()->find("m")->find(0))->stats().executed({.rows = 1, .requests = 1}, CutReason::kFull);
  EXPECT_THAT(metrics_.render(others.catalog()), HasSubstr(":tensorflow:core:graph_runs 3\n"));
}

}  // namespace
}  // namespace modelmill::tfserving
