#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "rollout/rollout_keeper.h"
#include "rollout/route_keeper.h"

namespace modelmill {

/// A version that is there, or has crashed.
class FakeVersion final : public ModelVersion {
 public:
  using ModelVersion::ModelVersion;
  void submit(InferRequestPtr request) override { request->fail(internal("not asked in this test")); }
  Status availability() const override { return crashed ? unavailable("its worker has died") : ok_status(); }
  ProcessHealth process_health() const override { return health; }
  bool crashed = false;
  ProcessHealth health;
};

/// A server, as its rollouts see it, of the model m, which has the versions 1 (the default one), 2 and 3, and of the
/// model other; without traffic but what the test says. Made again over the same store it is that server after a
/// restart.
class RolloutServer {
 public:
  explicit RolloutServer(StateStore* store, const std::string& replica = "one") : store_(store) {
    table_ = std::make_shared<ModelTable>();
    for (const auto& [name, count] : {std::pair("m", 3), std::pair("other", 1)}) {
      auto entry = std::make_shared<ModelEntry>();
      entry->name = name;
      for (int64_t version = 1; version <= count; ++version) {
        ModelVersion::Description description;
        description.definition.name = name;
        description.version = version;
        auto made = std::make_shared<FakeVersion>(std::move(description),
                                                  std::make_shared<VersionStats>(metrics_, name, version));
        if (entry->name == "m") versions_[version] = made;
        entry->versions.push_back(made);
        entry->statuses.push_back({version, VersionState::kReady, ""});
      }
      entry->default_version = 1;
      entry->labels = {{"canary", 1}};
      table_->put(entry);
    }
    catalog_.publish(table_);
    RouteKeeper::Options of_routes;
    RolloutKeeper::Options options;
    if (store_ != nullptr) of_routes.store = options.store = [this](bool) -> Result<StateStore*> { return store_; };
    of_routes.publish = [this](const std::vector<RouteDefinition>& routes) {
      const MutexLock lock(mutex_);
      published_ = routes;
    };
    of_routes.now = options.now = [] { return "2026-01-31T12:00:00Z"; };
    options.count = [this](const std::string&, const RouteTarget& arm) { return counts_[arm.text()]; };
    options.count_copies = [this](const std::string&, const RouteTarget& shadow) { return copies_[shadow.text()]; };
    options.make_default = [this](const std::string& model, int64_t version) {
      if (!defaults_change) return unavailable("clients may not");
      made_default += model + "@" + std::to_string(version) + " ";
      return ok_status();
    };
    options.time = &time_;
    options.replica = replica;
    routes_ = std::make_unique<RouteKeeper>(catalog_, std::move(of_routes));
    EXPECT_TRUE(routes_->restore().ok());
    rollouts_ = std::make_unique<RolloutKeeper>(catalog_, *routes_, metrics_, std::move(options));
    rollouts_->look();
  }

  RouteKeeper& routes() { return *routes_; }
  RolloutKeeper& rollouts() { return *rollouts_; }
  FakeVersion& version(int64_t number) { return *versions_.at(number); }

  /// Requests of an arm, of 5 ms each.
  void serve(const std::string& arm, uint64_t requests, uint64_t errors = 0) {
    ArmCounts& counts = counts_[arm];
    counts.requests += requests;
    counts.errors += errors;
    counts.latency.resize(kLatencyHistogramBuckets);
    counts.latency[latency_bucket(5'000'000)] += requests - errors;
  }
  /// A model, besides, that compares answers.
  void add_function(const std::string& name) {
    table_ = std::make_shared<ModelTable>(*table_);
    auto entry = std::make_shared<ModelEntry>();
    entry->name = name;
    ModelVersion::Description description;
    description.definition.name = name;
    description.version = 1;
    description.signature.inputs = {{kComparisonInput, DataType::kUint8, {-1}, {}, false}};
    entry->versions.push_back(
        std::make_shared<FakeVersion>(std::move(description), std::make_shared<VersionStats>(metrics_, name, 1)));
    entry->statuses.push_back({1, VersionState::kReady, ""});
    table_->put(entry);
    catalog_.publish(table_);
  }
  /// Moves a label of m.
  void label(const std::string& label, int64_t version) {
    table_ = std::make_shared<ModelTable>(*table_);
    auto entry = std::make_shared<ModelEntry>(*table_->find("m"));
    entry->labels[label] = version;
    table_->put(entry);
    catalog_.publish(table_);
  }
  /// Copies to a shadow.
  void copy(const std::string& shadow, uint64_t compared, uint64_t disagreed = 0, uint64_t failed = 0,
            uint64_t not_compared = 0) {
    add_to(copies_[shadow], CopyCounts{compared, disagreed, failed, 0, not_compared});
  }
  void look(std::chrono::milliseconds after = std::chrono::milliseconds(200)) {
    time_.advance(after);
    rollouts_->look();
  }
  /// The split of the route m, or "none".
  std::string split() const {
    std::string out;
    for (const RouteDefinition& route : published())
      for (const RouteArm& arm : route.split)
        if (route.name == "m")
          out += (out.empty() ? "" : " ") + arm.to.text() + "=" + std::to_string(std::lround(arm.percent));
    return out.empty() ? "none" : out;
  }
  /// The shadows of the route m, each with what it gets: "m@2 10% of m@1".
  std::string shadows() const {
    std::string out;
    for (const RouteDefinition& route : published())
      for (const RouteShadow& shadow : route.shadows)
        if (route.name == "m")
          out += (out.empty() ? "" : ", ") + shadow.to.text() + " " + share_text(shadow.percent) +
                 (shadow.of ? " of " + shadow.of->text() : "");
    return out;
  }
  std::string show(const std::string& name = "m") { return rollouts_->show(name).value(); }
  /// What was decided, oldest first.
  std::vector<std::string> decisions() {
    std::vector<std::string> out;
    const std::string json = rollouts_->history("m").value();
    const std::string key = R"("what":")";
    for (size_t at = json.find(key); at != std::string::npos; at = json.find(key, at + 1))
      out.insert(out.begin(), json.substr(at + key.size(), json.find('"', at + key.size()) - at - key.size()));
    return out;
  }

  std::string made_default;
  bool defaults_change = true;

 private:
  /// The store tells of changes on a thread of its own.
  std::vector<RouteDefinition> published() const {
    const MutexLock lock(mutex_);
    return published_;
  }

  StateStore* const store_;
  MetricRegistry metrics_;
  Catalog catalog_;
  std::shared_ptr<ModelTable> table_;
  std::map<int64_t, std::shared_ptr<FakeVersion>> versions_;
  std::map<std::string, ArmCounts> counts_;
  std::map<std::string, CopyCounts> copies_;
  ManualTime time_;
  mutable Mutex mutex_;
  std::vector<RouteDefinition> published_ MM_GUARDED_BY(mutex_);
  std::unique_ptr<RouteKeeper> routes_;
  std::unique_ptr<RolloutKeeper> rollouts_;
};

}  // namespace modelmill
