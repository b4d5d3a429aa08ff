#include "dialect/tfserving/server_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill::tfserving {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// A table with a model 'm' that has these versions.
ModelTable table_with(std::vector<int64_t> versions) {
  ModelTable table;
  auto entry = std::make_shared<ModelEntry>();
  entry->name = "m";
  for (const int64_t version : versions) entry->statuses.push_back({version, VersionState::kReady, ""});
  table.put(std::move(entry));
  return table;
}

class CountedRecords final : public RequestRecorder {
 public:
  void record(const std::string& /*model*/, const std::string& /*file_prefix*/, std::string /*bytes*/) override {}
  std::map<std::string, Counts> counts() const override { return all; }
  std::map<std::string, Counts> all;
};

TEST(ServerSeriesTest, BatchesHaveTheirNamesAndLabels) {
  MetricRegistry registry;
  const auto batches = std::make_shared<BatchSeries>("pool");
  ServerSeries series(registry, {batches, true, nullptr, nullptr});
  batches->request(130us, 3);
  batches->execution(4, 1, 1500us);
  series.look(ModelTable());
  const std::string text = registry.render(), name = ":tensorflow:serving:batching_session:";
  EXPECT_THAT(text, HasSubstr(name + R"(queuing_latency_sum{thread_pool_name="pool"} 130)"));
  EXPECT_THAT(text, HasSubstr(name + R"(queuing_latency_bucket{thread_pool_name="pool",le="120"} 0)"));
  EXPECT_THAT(text, HasSubstr(name + R"(queuing_latency_bucket{thread_pool_name="pool",le="144"} 1)"));
  EXPECT_THAT(text, HasSubstr(name + "input_batch_size_sum 3\n"));
  EXPECT_THAT(text, HasSubstr(name + R"(processed_batch_size_bucket{le="4"} 1)"));
  EXPECT_THAT(text, HasSubstr(name + R"(padding_size_sum{execution_batch_size="4"} 1)"));
  EXPECT_THAT(text, HasSubstr(name + "wrapped_run_count 1\n"));
  EXPECT_THAT(text, HasSubstr(R"(:tensorflow:core:graph_run_time_usecs_histogram_bucket{le="2000"} 1)"));
  batches->execution(8, 3, 1500us);
  EXPECT_EQ(registry.render(), text) << "until the next look";
  series.look(ModelTable());
  EXPECT_THAT(registry.render(), HasSubstr(name + R"(padding_size_sum{execution_batch_size="8"} 3)"));
  EXPECT_THAT(registry.render(), HasSubstr(name + "wrapped_run_count 2\n"));
}

TEST(ServerSeriesTest, WithoutBatchingExecutionsAlone) {
  MetricRegistry registry;
  const auto batches = std::make_shared<BatchSeries>("pool");
  ServerSeries series(registry, {batches, false, nullptr, nullptr});
  batches->execution(4, 1, 1500us);
  series.look(ModelTable());
  EXPECT_THAT(registry.render(), AllOf(HasSubstr(":tensorflow:core:graph_run_time_usecs_histogram_count 1\n"),
                                       Not(HasSubstr("batching_session"))));
}

TEST(ServerSeriesTest, LoadsAreToldByTheirPath) {
  MetricRegistry registry;
  const auto loads = std::make_shared<LoadAttempts>();
  ServerSeries series(registry, {nullptr, false, loads, nullptr});
  loads->succeeded("m", 1, "models/m/1", 2ms);
  loads->failed("m", 2, "models/m/2");
  series.look(table_with({1, 2}));
  const std::string name = ":tensorflow:cc:saved_model:load_";
  const std::string success = name + R"(attempt_count{model_path="models/m/1",status="success"} )";
  EXPECT_THAT(registry.render(), HasSubstr(success + "1\n"));
  EXPECT_THAT(registry.render(), HasSubstr(name + R"(attempt_count{model_path="models/m/2",status="fail"} 1)"));
  EXPECT_THAT(registry.render(), HasSubstr(name + R"(latency{model_path="models/m/1"} 2000)"));
  EXPECT_THAT(registry.render(), Not(HasSubstr(R"(latency{model_path="models/m/2"})")));
  loads->succeeded("m", 1, "models/m/1", 3ms);
  series.look(table_with({1, 2}));
  series.look(table_with({1, 2}));
  EXPECT_THAT(registry.render(), HasSubstr(success + "2\n"));
  EXPECT_THAT(registry.render(), HasSubstr(name + R"(latency{model_path="models/m/1"} 5000)"));
}

TEST(ServerSeriesTest, WarmUpsAreToldByTheirPath) {
  MetricRegistry registry;
  const auto loads = std::make_shared<LoadAttempts>();
  ServerSeries series(registry, {nullptr, false, loads, nullptr});
  loads->succeeded("m", 1, "models/m/1", 2ms);
  series.look(table_with({1}));
  EXPECT_THAT(registry.render(), Not(HasSubstr("warmup"))) << "it brings no requests along";
  loads->warmed_up("m", 1, "models/m/1", 15us);
  loads->warmed_up("m", 1, "models/m/1", 400us);
  series.look(table_with({1}));
  const std::string name = ":tensorflow:serving:model_warmup_latency_",
                    labels = R"({model_path="models/m/1",status="OK")";
  EXPECT_THAT(registry.render(),
              AllOf(HasSubstr(name + "count" + labels + "} 2\n"), HasSubstr(name + "sum" + labels + "} 415"),
                    HasSubstr(name + "bucket" + labels + R"(,le="18"} 1)")));
  loads->warmed_up("m", 1, "models/m/1", 1ms);
  EXPECT_THAT(registry.render(), HasSubstr(name + "count" + labels + "} 3\n"));
  series.look(table_with({2}));
  EXPECT_THAT(registry.render(), Not(HasSubstr("warmup")));
}

TEST(ServerSeriesTest, LoadsOfWhatIsGoneAreForgotten) {
  MetricRegistry registry;
  const auto loads = std::make_shared<LoadAttempts>();
  ServerSeries series(registry, {nullptr, false, loads, nullptr});
  loads->failed("m", 1, "models/m/1");
  series.look(ModelTable());
  EXPECT_THAT(registry.render(), HasSubstr("models/m/1")) << "a table that knows of it may yet come";
  series.look(table_with({1}));
  EXPECT_THAT(registry.render(), HasSubstr("models/m/1"));
  series.look(table_with({2}));
  EXPECT_THAT(registry.render(), Not(HasSubstr("models/m/1")));
  EXPECT_TRUE(loads->view().empty());
}

TEST(ServerSeriesTest, LoadsThatWereForgottenInBetweenAreCountedOn) {
  MetricRegistry registry;
  const auto loads = std::make_shared<LoadAttempts>();
  ServerSeries series(registry, {nullptr, false, loads, nullptr});
  const std::string latency = R"(load_latency{model_path="models/m/1"} )";
  loads->succeeded("m", 1, "models/m/1", 5ms);
  series.look(table_with({1}));
  loads->forget({"m", 1});
  loads->succeeded("m", 1, "models/m/1", 2ms);
  series.look(table_with({1}));
  EXPECT_THAT(registry.render(), HasSubstr(R"(load_attempt_count{model_path="models/m/1",status="success"} 2)"));
  EXPECT_THAT(registry.render(), HasSubstr(latency + "7000"));
  loads->forget({"m", 1});
  series.look(table_with({1}));
  EXPECT_THAT(registry.render(), Not(HasSubstr("models/m/1")));
}

TEST(ServerSeriesTest, RecordsOfTheRequestLogHaveAStatus) {
  MetricRegistry registry;
  CountedRecords records;
  ServerSeries series(registry, {nullptr, false, nullptr, &records});
  series.look(ModelTable());
  EXPECT_EQ(registry.render(), "");
  records.all["m"] = {.written = 3, .dropped = 1, .failed = 0};
  series.look(ModelTable());
  records.all["m"].written = 5;
  series.look(ModelTable());
  const std::string name = R"(:tensorflow:serving:request_log_count{model_name="m",status_code=)";
  EXPECT_THAT(registry.render(), AllOf(HasSubstr(name + "\"OK\"} 5\n"), HasSubstr(name + "\"RESOURCE_EXHAUSTED\"} 1\n"),
                                       Not(HasSubstr("UNKNOWN"))));
}

}  // namespace
}  // namespace modelmill::tfserving
