#include "server/metrics_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(MetricsConfig, TakesTritonsSettings) {
  SeriesSettings series;
  for (const char* text : {"counter_latencies=false", "summary_latencies=true", "histogram_latencies=true",
                           "summary_quantiles=0.1:0.0.1,0.75:0.01,1:0"})
    EXPECT_TRUE(add_metrics_setting(text, series).ok()) << text;
  EXPECT_FALSE(series.counters);
  EXPECT_TRUE(series.summaries);
  EXPECT_TRUE(series.histograms);
  EXPECT_TRUE(series.all_first_responses);
  EXPECT_THAT(series.quantiles, ElementsAre(0.1, 0.75, 1));
  EXPECT_TRUE(add_metrics_setting("histogram_latencies=false", series).ok());
  EXPECT_FALSE(series.histograms);
  EXPECT_FALSE(series.all_first_responses);
}

TEST(MetricsConfig, SaysWhatIsWrong) {
  SeriesSettings series;
  const auto refusal = [&](const char* text) { return add_metrics_setting(text, series).message(); };
  for (const char* text : {"", "summary_latencies", "summary_latencies=", "summary_latencies=1", "latencies=true"})
    EXPECT_THAT(refusal(text), HasSubstr("summary_quantiles=QUANTILE:ERROR")) << text;
  for (const char* text :
       {"summary_quantiles=0.5", "summary_quantiles=0.5:", "summary_quantiles=1.5:0.1", "summary_quantiles=-1:0.1",
        "summary_quantiles=0.5:0.1,,0.9:0.1", "summary_quantiles=half:0.1", "summary_quantiles=nan:0.1"})
    EXPECT_THAT(refusal(text), HasSubstr("is no QUANTILE:ERROR")) << text;
  EXPECT_THAT(refusal("summary_quantiles=0.5:0.1,0.9:0.1,0.50:0.2"),
              HasSubstr("'0.50:0.2' has a quantile that is there already"));
  EXPECT_THAT(refusal("summary_quantiles="), HasSubstr("is no setting of metrics"));
  EXPECT_EQ(series.quantiles.size(), 5U) << "what is wrong changes nothing";
}

}  // namespace
}  // namespace modelmill
