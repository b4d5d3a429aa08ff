#include "runtime/metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <thread>

namespace modelmill {
namespace {

TEST(MetricsTest, CountersAndGaugesInOrderOfAppearance) {
  MetricRegistry registry;
  const auto b = registry.counter("b_total", "second by name", {{"model", "x"}});
  const auto a = registry.gauge("a", "first by name", {});
  const auto b2 = registry.counter("b_total", "second by name", {{"model", "y"}});
  b->add();
  b->add(41);
  b2->add(0.5);
  a->set(-3);
  EXPECT_EQ(registry.render(),
            "# HELP b_total second by name\n# TYPE b_total counter\n"
            "b_total{model=\"x\"} 42\nb_total{model=\"y\"} 0.5\n"
            "# HELP a first by name\n# TYPE a gauge\na -3\n");
}

TEST(MetricsTest, TheSameLabelsAreTheSameSeries) {
  MetricRegistry registry;
  const auto one = registry.counter("n_total", "n", {{"a", "1"}});
  EXPECT_EQ(registry.counter("n_total", "n", {{"a", "1"}}), one);
  EXPECT_NE(registry.counter("n_total", "n", {{"a", "2"}}), one);
}

TEST(MetricsTest, ASeriesLeavesWithItsLastHolder) {
  MetricRegistry registry;
  auto one = registry.counter("n_total", "n", {});
  one->add();
  one.reset();
  EXPECT_EQ(registry.render(), "");
  EXPECT_EQ(registry.counter("n_total", "n", {})->value(), 0) << "a new one starts anew";
}

TEST(MetricsTest, Escapes) {
  MetricRegistry registry;
  const auto g = registry.gauge("g", "a \\ b\n\"c\"", {{"l", "x\\y\n\"z\""}});
  EXPECT_EQ(registry.render(), "# HELP g a \\\\ b\\n\"c\"\n# TYPE g gauge\ng{l=\"x\\\\y\\n\\\"z\\\"\"} 0\n");
}

TEST(MetricsTest, Numbers) {
  MetricRegistry registry;
  const auto g = registry.gauge("g", "g", {});
  const auto printed = [&](double v) {
    g->set(v);
    const std::string text = registry.render();
    const size_t at = text.rfind("g ") + 2;
    return text.substr(at, text.size() - at - 1);
  };
  EXPECT_EQ(printed(1e15), "1000000000000000");
  EXPECT_EQ(printed(0.1), "0.1");
  EXPECT_EQ(printed(1e300), "1e+300");
  EXPECT_EQ(printed(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(printed(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(printed(std::numeric_limits<double>::quiet_NaN()), "NaN");
}

TEST(MetricsTest, HistogramsAreCumulated) {
  MetricRegistry registry;
  constexpr std::array<double, 2> kBounds{1, 2.5};
  const auto h = registry.histogram("h", "h", {{"m", "x"}}, kBounds);
  for (const double v : {0.5, 1.0, 2.0, 100.0}) h->observe(v);
  EXPECT_EQ(registry.render(),
            "# HELP h h\n# TYPE h histogram\n"
            "h_bucket{m=\"x\",le=\"1\"} 2\nh_bucket{m=\"x\",le=\"2.5\"} 3\nh_bucket{m=\"x\",le=\"+Inf\"} 4\n"
            "h_sum{m=\"x\"} 103.5\nh_count{m=\"x\"} 4\n");
}

TEST(MetricsTest, SeriesKeptElsewhere) {
  MetricRegistry registry;
  double value = 7;
  auto n = registry.counter_from("n_total", "n", {}, [&] { return value; });
  constexpr std::array<double, 1> kBounds{10};
  auto h = registry.histogram_from("h", "h", {}, kBounds, [] { return HistogramValue{{2, 1}, 30}; });
  EXPECT_EQ(registry.render(),
            "# HELP n_total n\n# TYPE n_total counter\nn_total 7\n"
            "# HELP h h\n# TYPE h histogram\nh_bucket{le=\"10\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 30\nh_count 3\n");
  auto newer = registry.counter_from("n_total", "n", {}, [] { return 8.0; });
  EXPECT_NE(registry.render().find("n_total 8\n"), std::string::npos) << "the newer takes the older's place";
  n.reset();
  EXPECT_NE(registry.render().find("n_total 8\n"), std::string::npos);
  newer.reset();
  h.reset();
  EXPECT_EQ(registry.render(), "");
}

TEST(MetricsTest, CollectorsRunFirstAndMayUseTheRegistry) {
  MetricRegistry registry;
  std::shared_ptr<Gauge> g;
  registry.on_collect([&] {
    g = registry.gauge("g", "g", {});
    g->add(1);
  });
  registry.render();
  EXPECT_NE(registry.render().find("g 2\n"), std::string::npos);
}

TEST(MetricsTest, ManyThreads) {
  MetricRegistry registry;
  const auto keep = registry.counter("n_total", "n", {});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        registry.counter("n_total", "n", {})->add();
        const auto passing = registry.gauge("g", "g", {{"i", std::to_string(i)}});
        if (i % 50 == 0) registry.render();
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(keep->value(), 2'000);
}

TEST(MetricsTest, BoundsAscend) {
  EXPECT_TRUE(std::is_sorted(latency_bounds_us().begin(), latency_bounds_us().end()));
  EXPECT_EQ(latency_bounds_us().back(), 1e7);
  EXPECT_EQ(batch_size_bounds().back(), 1'024);
}

TEST(MetricsTest, SummariesHaveTheirQuantiles) {
  MetricRegistry registry;
  const auto handle = registry.summary_from("s", "what", {{"a", "b"}}, [] {
    return SummaryValue{{{0.5, 12.5}, {0.999, std::nan("")}}, 3, 40};
  });
  const auto bare = registry.summary_from("s", "what", {}, [] { return SummaryValue{{{1, 7}}, 1, 7}; });
  EXPECT_EQ(registry.render(),
            "# HELP s what\n# TYPE s summary\n"
            "s{a=\"b\",quantile=\"0.5\"} 12.5\ns{a=\"b\",quantile=\"0.999\"} NaN\n"
            "s_sum{a=\"b\"} 40\ns_count{a=\"b\"} 3\n"
            "s{quantile=\"1\"} 7\ns_sum 7\ns_count 1\n");
}

}  // namespace
}  // namespace modelmill
