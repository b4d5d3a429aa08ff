#include "route/shadow_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "route/shadow_budget.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ShadowStats, CountsAndTells) {
  MetricRegistry metrics;
  ShadowStatsTable table(metrics);
  const auto stats = table.of("r", "m@2");
  EXPECT_EQ(table.of("r", "m@2"), stats);
  stats->compared(false, 0.5);
  stats->compared(true, 3);
  stats->compared(true, 2);
  stats->took(150us, 300us);
  stats->took(150us, {});  // not known of both
  stats->shed();
  stats->failed(unavailable("it is gone"));
  const ShadowCounts counts = stats->counts();
  EXPECT_EQ(counts.compared, 3U);
  EXPECT_EQ(counts.disagreed, 2U);
  EXPECT_EQ(counts.shed, 1U);
  EXPECT_EQ(counts.failed, 1U);
  EXPECT_EQ(counts.copied(), 5U);
  EXPECT_EQ(counts.worst, 3);
  EXPECT_EQ(latency_quantile_us(counts.primary_us, 0.99), 200);
  EXPECT_EQ(latency_quantile_us(counts.shadow_us, 0.5), 500);
  EXPECT_EQ(stats->last_failure(), "it is gone");
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr(R"(modelmill_shadow_compared_total{route="r",shadow="m@2"} 3)"));
  EXPECT_THAT(page, HasSubstr(R"(modelmill_shadow_disagreed_total{route="r",shadow="m@2"} 2)"));
  EXPECT_THAT(page, HasSubstr(R"(modelmill_shadow_shed_total{route="r",shadow="m@2"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(modelmill_shadow_failed_total{route="r",shadow="m@2"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(modelmill_shadow_worst_distance{route="r",shadow="m@2"} 3)"));
  EXPECT_THAT(page, HasSubstr(R"(modelmill_shadow_latency_us_count{route="r",shadow="m@2",of="shadow"} 1)"));
}

TEST(ShadowStats, LeaveWithTheLastWhoUsesThem) {
  MetricRegistry metrics;
  ShadowStatsTable table(metrics);
  table.of("r", "m@2")->shed();
  EXPECT_THAT(metrics.render(), Not(HasSubstr("modelmill_shadow_shed_total{")));
  EXPECT_EQ(table.of("r", "m@2")->counts().shed, 0U);
}

TEST(ShadowStats, OtherRulesForgetTheWorst) {
  MetricRegistry metrics;
  ShadowStats stats(metrics, "r", "m@2");
  const std::map<std::string, OutputComparison> rules{{"y", {.kind = ComparisonKind::kTopK, .k = 5}}};
  stats.compare_by(rules);
  stats.compared(true, 7);
  stats.examples().add({}, 3);
  stats.compare_by(rules);
  EXPECT_EQ(stats.counts().worst, 7);
  EXPECT_EQ(stats.examples().list().size(), 1U);
  stats.compare_by({});
  EXPECT_EQ(stats.counts().worst, 0);
  EXPECT_TRUE(stats.examples().list().empty());
  EXPECT_EQ(stats.counts().compared, 1U);
}

TEST(ShadowCounts, OfSeveralAreTheirMerge) {
  const HistogramValue one{{1, 0, 2}, 30}, two{{0, 5, 1}, 12};
  ShadowCounts a{10, 1, 2, 3, 8, 0.5, one, two}, b{20, 4, 5, 6, 9, 7.5, two, one};
  ShadowCounts merged;
  merged.merge(a);
  merged.merge(b);
  EXPECT_EQ(merged.compared, 30U);
  EXPECT_EQ(merged.disagreed, 5U);
  EXPECT_EQ(merged.shed, 7U);
  EXPECT_EQ(merged.failed, 9U);
  EXPECT_EQ(merged.not_compared, 17U);
  EXPECT_EQ(merged.worst, 7.5);
  EXPECT_EQ(merged.primary_us.counts, (std::vector<uint64_t>{1, 5, 3}));
  EXPECT_EQ(merged.shadow_us.sum, 42);
}

TEST(LatencyQuantile, IsTheBoundOfItsBucket) {
  HistogramValue value;
  EXPECT_EQ(latency_quantile_us(value, 0.5), 0);
  value.counts.assign(latency_bounds_us().size() + 1, 0);
  value.counts[0] = 50;
  value.counts[3] = 49;
  value.counts.back() = 1;
  EXPECT_EQ(latency_quantile_us(value, 0.5), latency_bounds_us()[0]);
  EXPECT_EQ(latency_quantile_us(value, 0.51), latency_bounds_us()[3]);
  EXPECT_EQ(latency_quantile_us(value, 0.99), latency_bounds_us()[3]);
  EXPECT_EQ(latency_quantile_us(value, 1), latency_bounds_us().back());
}

ShadowExample example(double distance, const std::string& id) {
  ShadowExample out;
  out.id = id;
  out.worst.distance = distance;
  out.worst.limit = 1;
  return out;
}

TEST(ShadowExamples, KeepTheWorst) {
  ShadowExamples examples;
  EXPECT_FALSE(examples.wants(5, 0));
  for (const auto& [distance, id] : {std::pair{2.0, "a"}, {5.0, "b"}, {2.0, "c"}, {9.0, "d"}, {1.5, "e"}})
    if (examples.wants(distance, 3)) examples.add(example(distance, id), 3);
  std::vector<std::string> ids;
  for (const ShadowExample& kept : examples.list()) ids.push_back(kept.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"d", "b", "a"}));
  EXPECT_FALSE(examples.wants(2, 3));
  EXPECT_TRUE(examples.wants(3, 3));
  examples.add(example(3, "f"), 2);  // fewer are kept now
  EXPECT_EQ(examples.list().size(), 2U);
}

TEST(ShadowExamples, KeepWhatIsSmallInMemoryOfItsOwn) {
  const auto tensors = [](size_t bytes) {
    return std::vector<Tensor>{
        {"x", DataType::kUint8, {static_cast<int64_t>(bytes)}, {Bytes::copy_of(std::string(bytes, 'a'))}}};
  };
  const auto small = tensors(ShadowExample::kMostBytes);
  const auto kept = kept_for_example(small);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_NE(kept[0].data[0].data(), small[0].data[0].data());
  EXPECT_EQ(kept[0].data[0].view(), small[0].data[0].view());
  EXPECT_TRUE(kept_for_example(tensors(ShadowExample::kMostBytes + 1)).empty());
}

TEST(ShadowBudget, LetsInWhatHasRoom) {
  ShadowBudget budget({.requests = 3, .bytes = 100});
  auto first = budget.reserve(2, 60);
  ASSERT_TRUE(first);
  EXPECT_FALSE(budget.reserve(2, 1)) << "requests";
  EXPECT_FALSE(budget.reserve(1, 41)) << "bytes";
  auto second = budget.reserve(1, 40);
  EXPECT_TRUE(second);
  EXPECT_FALSE(second.resize(41));
  EXPECT_TRUE(first.resize(10));
  EXPECT_TRUE(second.resize(90));
  EXPECT_EQ(budget.bytes(), 100);
  ShadowBudget::Share moved = std::move(first);
  EXPECT_FALSE(first);
  EXPECT_EQ(budget.requests(), 3);
  moved = ShadowBudget::Share();
  EXPECT_EQ(budget.requests(), 1);
  second.give_back();
  second.give_back();
  EXPECT_EQ(budget.requests(), 0);
  EXPECT_EQ(budget.bytes(), 0);
}

}  // namespace
}  // namespace modelmill
