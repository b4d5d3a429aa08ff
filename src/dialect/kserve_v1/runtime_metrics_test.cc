#include "dialect/kserve_v1/runtime_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "serve/testing/fake_version.h"

namespace modelmill::kserve_v1 {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// 20 ms of waiting, 3 of preparing, 40 of running and 7 of taking outputs.
RequestTimes times() {
  RequestTimes out;
  out.queued = TimePoint{} + milliseconds(1000);
  out.compute_start = out.queued + milliseconds(20);
  out.input_end = out.compute_start + milliseconds(3);
  out.infer_end = out.input_end + milliseconds(40);
  out.compute_end = out.infer_end + milliseconds(7);
  return out;
}

class KserveRuntimeMetrics : public ::testing::Test {
 protected:
  KserveRuntimeMetrics() { catalog_.add(modelmill::testing::simple_description("m")); }
  std::string page() { return metrics_.render(catalog_.catalog()); }

  modelmill::testing::FakeCatalog catalog_;
  RuntimeMetrics metrics_;
};

TEST_F(KserveRuntimeMetrics, TheTimesOfAPrediction) {
  metrics_.answered("m", false, ok_status(), times());
  EXPECT_THAT(page(), HasSubstr("# TYPE request_predict_seconds histogram"));
  EXPECT_THAT(page(), HasSubstr("request_preprocess_seconds_bucket{model_name=\"m\",le=\"0.005\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr("request_postprocess_seconds_bucket{model_name=\"m\",le=\"0.005\"} 0\n"));
  EXPECT_THAT(page(), HasSubstr("request_postprocess_seconds_bucket{model_name=\"m\",le=\"0.01\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr("request_predict_seconds_bucket{model_name=\"m\",le=\"0.05\"} 0\n"));
  EXPECT_THAT(page(), HasSubstr("request_predict_seconds_bucket{model_name=\"m\",le=\"0.075\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr("request_predict_seconds_count{model_name=\"m\"} 1\n"));
  EXPECT_THAT(page(), Not(HasSubstr("request_explain_seconds")));
}

TEST_F(KserveRuntimeMetrics, AnExplanationIsNoPrediction) {
  metrics_.answered("m", true, ok_status(), times());
  EXPECT_THAT(page(), HasSubstr("request_explain_seconds_count{model_name=\"m\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr("request_predict_seconds_count{model_name=\"m\"} 0\n"));
}

TEST_F(KserveRuntimeMetrics, AFailureIsNotPostprocessedAndARefusalCountsNowhere) {
  metrics_.answered("m", false, not_found("unknown model"), RequestTimes());
  metrics_.answered("m", false, ok_status(), RequestTimes());  // by a route
  EXPECT_THAT(page(), IsEmpty());
  metrics_.answered("m", false, internal("it broke"), times());
  EXPECT_THAT(page(), HasSubstr("request_predict_seconds_count{model_name=\"m\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr("request_postprocess_seconds_count{model_name=\"m\"} 0\n"));
}

TEST_F(KserveRuntimeMetrics, SeriesGoWithTheirModel) {
  metrics_.answered("gone", false, ok_status(), times());
  metrics_.answered("m", false, ok_status(), times());
  EXPECT_THAT(page(), Not(HasSubstr("gone")));
}

}  // namespace
}  // namespace modelmill::kserve_v1
