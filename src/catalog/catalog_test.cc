#include "catalog/catalog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace modelmill {
namespace {

class FakeVersion final : public ModelVersion {
 public:
  FakeVersion(MetricRegistry& metrics, int64_t version, std::atomic<int>* alive = nullptr)
      : ModelVersion(describe(version), std::make_shared<VersionStats>(metrics, "m", version)), alive_(alive) {
    if (alive_) ++*alive_;
  }
  ~FakeVersion() override {
    if (alive_) --*alive_;
  }
  void submit(InferRequestPtr request) override { request->complete({}); }

 private:
  static Description describe(int64_t version) {
    Description d;
    d.definition.name = "m";
    d.version = version;
    return d;
  }
  std::atomic<int>* alive_;
};

std::shared_ptr<ModelTable> table_of(std::vector<std::shared_ptr<ModelVersion>> versions,
                                     std::vector<VersionStatus> statuses = {}) {
  auto table = std::make_shared<ModelTable>();
  table->put(std::make_shared<ModelEntry>(ModelEntry{"m", std::move(versions), std::move(statuses)}));
  return table;
}

TEST(CatalogTest, PinsTheVersionAskedForOrTheLast) {
  MetricRegistry metrics;
  Catalog catalog;
  catalog.publish(table_of({std::make_shared<FakeVersion>(metrics, 1), std::make_shared<FakeVersion>(metrics, 3)}));
  EXPECT_EQ(catalog.pin("m", 0).value()->version(), 3);
  EXPECT_EQ(catalog.pin("m", 1).value()->version(), 1);
  const auto pin = catalog.pin("m", 3);
  EXPECT_EQ(pin.value()->gate().inside_approx(), 1u);
}

TEST(CatalogTest, PinsTheDefaultAndWhatALabelStandsFor) {
  MetricRegistry metrics;
  Catalog catalog;
  ModelEntry entry{"m", {std::make_shared<FakeVersion>(metrics, 1), std::make_shared<FakeVersion>(metrics, 3)}, {}};
  entry.default_version = 1;
  entry.labels = {{"stable", 1}, {"canary", 3}, {"next", 4}};
  auto table = std::make_shared<ModelTable>();
  table->put(std::make_shared<ModelEntry>(entry));
  catalog.publish(table);
  EXPECT_EQ(catalog.pin("m", 0).value()->version(), 1);
  EXPECT_EQ(catalog.pin("m", "canary").value()->version(), 3);
  EXPECT_EQ(catalog.pin("m", "next").status(), not_found("Request for unknown model: 'm' version 4 is not found"));
  EXPECT_EQ(catalog.pin("m", "old").status(), not_found("Request for unknown model: 'm' has no version labelled 'old'; "
                                                        "its labels are canary, next, stable"));
  entry.labels.clear();
  table = std::make_shared<ModelTable>();
  table->put(std::make_shared<ModelEntry>(entry));
  catalog.publish(table);
  EXPECT_EQ(catalog.pin("m", "one").status().code(), Code::kInvalidArgument) << "where nothing has labels, it is none";
  entry.default_version = 2;
  table = std::make_shared<ModelTable>();
  table->put(std::make_shared<ModelEntry>(entry));
  catalog.publish(table);
  EXPECT_EQ(catalog.pin("m", 0).value()->version(), 3) << "one that is not served is no default";
}

TEST(CatalogTest, TellsThatNamesMayLeadElsewhere) {
  Catalog catalog;
  const uint64_t before = catalog.publications();
  EXPECT_EQ(catalog.publications(), before);
  catalog.publish(std::make_shared<const ModelTable>());
  EXPECT_GT(catalog.publications(), before);
}

TEST(CatalogTest, SaysWhatIsMissing) {
  MetricRegistry metrics;
  Catalog catalog;
  EXPECT_EQ(catalog.pin("m", 0).status(), not_found("Request for unknown model: 'm' is not found"));
  const auto closing = std::make_shared<FakeVersion>(metrics, 5);
  closing->gate().close();
  catalog.publish(table_of({closing}, {{2, VersionState::kLoading, "loading"}}));
  EXPECT_EQ(catalog.pin("m", 1).status(), not_found("Request for unknown model: 'm' version 1 is not found"));
  EXPECT_EQ(catalog.pin("m", 2).status(),
            unavailable("Request for unknown model: 'm' version 2 is not at ready state"));
  EXPECT_EQ(catalog.pin("m", 5).status(),
            unavailable("Request for unknown model: 'm' version 5 is not at ready state"));
  EXPECT_EQ(catalog.pin("m", 0).status(), not_found("Request for unknown model: 'm' has no available versions"));
}

TEST(CatalogTest, ARequestCarriesThePin) {
  class Sink final : public ResponseSink {
   public:
    explicit Sink(Gate& gate) : gate_(gate) {}
    void on_response(InferResponse, bool, bool) override { inside = gate_.inside_approx(); }
    uint64_t inside = 0;

   private:
    Gate& gate_;
  };
  MetricRegistry metrics;
  FakeVersion version(metrics, 1);
  const auto sink = std::make_shared<Sink>(version.gate());
  auto request = std::make_unique<InferRequest>(sink);
  VersionPin pin(version);
  std::move(pin).hand_to(*request);
  EXPECT_FALSE(pin);
  EXPECT_EQ(version.gate().inside_approx(), 1u);
  version.submit(std::move(request));
  EXPECT_EQ(sink->inside, 1u) << "the sink is still under the pin";
  EXPECT_EQ(version.gate().inside_approx(), 0u);
}

/// Versions are swapped while threads pin: nobody is refused, and nothing outlives its unloading.
TEST(CatalogTest, ASwapRefusesNobodyAndLeavesNothing) {
  MetricRegistry metrics;
  std::atomic<int> alive{0};
  Catalog catalog;
  auto current = std::make_shared<FakeVersion>(metrics, 1, &alive);
  catalog.publish(table_of({current}));
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t)
    readers.emplace_back([&] {
      while (!stop) refused += !catalog.pin("m", 0).ok();
    });
  for (int64_t v = 2; v < 100; ++v) {
    auto next = std::make_shared<FakeVersion>(metrics, v, &alive);
    catalog.publish(table_of({next}));
    current->gate().close();
    current->gate().wait_empty();
    current = std::move(next);
    EXPECT_EQ(alive, 1) << "the old version is gone, though readers slept or not";
  }
  stop = true;
  for (auto& t : readers) t.join();
  EXPECT_EQ(refused, 0);
}

}  // namespace
}  // namespace modelmill
