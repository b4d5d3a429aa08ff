#include "dialect/metric_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kPage =
    "# HELP a_total of a\n# TYPE a_total counter\na_total{m=\"x\"} 1\na_total{m=\"y\"} 2\n"
    "# HELP b of b\n# TYPE b histogram\nb_bucket{le=\"+Inf\"} 3\nb_sum 4\nb_count 3\n"
    "# TYPE c gauge\nc 5\n";

TEST(MetricNames, AreReadFromTheQuery) {
  EXPECT_THAT(asked_metrics("name[]=a_total&x=1&name%5B%5D=b"), ElementsAre("a_total", "b"));
  EXPECT_THAT(asked_metrics(""), IsEmpty());
  EXPECT_THAT(asked_metrics("name=a"), IsEmpty());
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "name[]=c&";
  EXPECT_EQ(asked_metrics(many).size(), 2000U) << "however many they are, the others are not asked for";
}

TEST(MetricNames, ChooseSeries) {
  EXPECT_EQ(only_metrics(kPage, {}), kPage);
  EXPECT_EQ(only_metrics(kPage, {"a_total"}),
            "# HELP a_total of a\n# TYPE a_total counter\na_total{m=\"x\"} 1\na_total{m=\"y\"} 2\n");
  EXPECT_EQ(only_metrics(kPage, {"b", "c"}),
            "# HELP b of b\n# TYPE b histogram\nb_bucket{le=\"+Inf\"} 3\nb_sum 4\nb_count 3\n# TYPE c gauge\nc 5\n");
  EXPECT_EQ(only_metrics(kPage, {"b_count"}), "# HELP b of b\n# TYPE b histogram\nb_count 3\n");
  EXPECT_EQ(only_metrics(kPage, {"a"}), "");
  EXPECT_EQ(only_metrics("c 5", {"c"}), "c 5");
  EXPECT_EQ(only_metrics(kPage, {"a_total", "a_total", "no", "b_sum"}),
            "# HELP a_total of a\n# TYPE a_total counter\na_total{m=\"x\"} 1\na_total{m=\"y\"} 2\n"
            "# HELP b of b\n# TYPE b histogram\nb_sum 4\n");
}

}  // namespace
}  // namespace modelmill
