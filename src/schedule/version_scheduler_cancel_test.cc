#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "schedule/testing/fakes.h"
#include "schedule/version_scheduler.h"

namespace modelmill {
namespace {

using testing::describe;
using testing::FakeModel;
using ::testing::HasSubstr;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;
using testing::Stage;
using testing::StagedInstance;

TEST(VersionSchedulerCancel, WhileAllInstancesAreBusyTheAnswerComesAtOnce) {
  ManualTime time;
  MetricRegistry metrics;
  Stage stage;
  const auto stats = std::make_shared<VersionStats>(metrics, "m", 1);
  std::vector<std::unique_ptr<BackendInstance>> instances;
  instances.push_back(std::make_unique<StagedInstance>(stage));
  VersionScheduler version(describe(), stats, {}, std::make_unique<FakeModel>(), std::move(instances), time);
  const auto submit = [&](const char* id, std::shared_ptr<CancelToken> cancel) {
    auto sink = std::make_shared<RecordingSink>();
    auto request = make_request(sink, id);
    request->cancel = std::move(cancel);
    version.submit(std::move(request));
    return sink;
  };
  submit("a", nullptr);
  PendingBatch running = stage.take();
  const auto cancel = std::make_shared<CancelToken>();
  const auto sink = submit("b", cancel);
  version.drop_unwanted();
  EXPECT_FALSE(sink->finished());
  cancel->cancel(CancelToken::Reason::kDeadline);
  version.drop_unwanted();
  EXPECT_EQ(sink->wait().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(stats->view().pending, 0u);
  running.finish();
  const std::string text = metrics.render();
  const auto count = [](const std::string& name, const char* reason) {
    return name + "{model=\"m\",version=\"1\",reason=\"" + reason + "\"} ";
  };
  EXPECT_THAT(text, HasSubstr(count("nv_inference_request_failure", "CANCELED") + "1\n"));
  EXPECT_THAT(text, HasSubstr(count("modelmill_request_cancelled_total", "deadline") + "1\n"));
  EXPECT_THAT(text, HasSubstr(count("modelmill_request_cancelled_total", "client gone") + "0\n"));
}

}  // namespace
}  // namespace modelmill
