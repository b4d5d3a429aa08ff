#include "cli/top/prometheus_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/metrics.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(PrometheusText, ReadsNamesLabelsAndValues) {
  const auto samples = parse_prometheus_text(
      "# HELP a what\n# TYPE a counter\n"
      "a 1\n"
      "b{} 2.5e3\r\n"
      "c{x=\"1\",y=\"a \\\"b\\\" \\\\ \\n}\"} -3 1700000000000\n"
      "\n"
      "d:e{ le=\"+Inf\" , } +Inf\n"
      "f NaN");
  ASSERT_TRUE(samples.ok()) << samples.status().message();
  ASSERT_THAT(*samples, SizeIs(5));
  EXPECT_EQ((*samples)[0].name, "a");
  EXPECT_EQ((*samples)[0].value, 1);
  EXPECT_EQ((*samples)[1].value, 2500);
  EXPECT_EQ((*samples)[2].label("x"), "1");
  EXPECT_EQ((*samples)[2].label("y"), "a \"b\" \\ \n}");
  EXPECT_EQ((*samples)[2].label("z"), "");
  EXPECT_EQ((*samples)[2].value, -3);
  EXPECT_EQ((*samples)[3].name, "d:e");
  EXPECT_EQ((*samples)[3].label("le"), "+Inf");
  EXPECT_TRUE(std::isinf((*samples)[3].value));
  EXPECT_TRUE(std::isnan((*samples)[4].value));
}

TEST(PrometheusText, NamesTheLineThatIsNone) {
  for (const char* page : {"<html>", "a", "a{", "a{x} 1", "a{x=1} 1", "a{x=\"1} 1", "a 1x", "a{x=\"1\"}"}) {
    const auto samples = parse_prometheus_text(std::string("fine 1\n") + page + "\n");
    ASSERT_FALSE(samples.ok()) << page;
    EXPECT_THAT(samples.status().message(), HasSubstr(page));
  }
}

TEST(PrometheusText, ReadsWhatTheServerWrites) {
  MetricRegistry registry;
  const auto handle = registry.counter("requests", "By \"name\"", {{"name", "a\\b\n\"c\""}});
  handle->add(3);
  const auto samples = parse_prometheus_text(registry.render());
  ASSERT_TRUE(samples.ok()) << samples.status().message();
  ASSERT_THAT(*samples, SizeIs(1));
  EXPECT_EQ(samples->front().label("name"), "a\\b\n\"c\"");
  EXPECT_EQ(samples->front().value, 3);
}

}  // namespace
}  // namespace modelmill
