#include "rollout/rollout_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/testing/temp_folder.h"
#include "rollout/route_keeper.h"
#include "state/file_store.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A version that is there, or has crashed.
class FakeVersion final : public ModelVersion {
 public:
  using ModelVersion::ModelVersion;
  void submit(InferRequestPtr request) override { request->fail(internal("not asked in this test")); }
  Status availability() const override { return crashed ? unavailable("its worker has died") : ok_status(); }
  bool crashed = false;
};

/// A server of the model m, which has the versions 1 (the default one), 2 and 3, and of the model other; without
/// traffic but what the test says. Made again over the same store it is that server after a restart.
class Server {
 public:
  explicit Server(StateStore* store) : store_(store) {
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
    of_routes.publish = [this](const std::vector<RouteDefinition>& routes) { published_ = routes; };
    of_routes.now = options.now = [] { return "2026-01-31T12:00:00Z"; };
    options.count = [this](const std::string&, const RouteTarget& arm) { return counts_[arm.text()]; };
    options.make_default = [this](const std::string& model, int64_t version) {
      if (!defaults_change) return unavailable("clients may not");
      made_default += model + "@" + std::to_string(version) + " ";
      return ok_status();
    };
    options.time = &time_;
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
  void look(std::chrono::milliseconds after = std::chrono::milliseconds(200)) {
    time_.advance(after);
    rollouts_->look();
  }
  /// The split of the route m, or "none".
  std::string split() const {
    std::string out;
    for (const RouteDefinition& route : published_)
      for (const RouteArm& arm : route.split)
        if (route.name == "m")
          out += (out.empty() ? "" : " ") + arm.to.text() + "=" + std::to_string(std::lround(arm.percent));
    return out.empty() ? "none" : out;
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
  StateStore* const store_;
  MetricRegistry metrics_;
  Catalog catalog_;
  std::shared_ptr<ModelTable> table_;
  std::map<int64_t, std::shared_ptr<FakeVersion>> versions_;
  std::map<std::string, ArmCounts> counts_;
  ManualTime time_;
  std::vector<RouteDefinition> published_;
  std::unique_ptr<RouteKeeper> routes_;
  std::unique_ptr<RolloutKeeper> rollouts_;
};

class RolloutKeeperTest : public ::testing::TestWithParam<bool> {
 protected:
  RolloutKeeperTest() : store_(FileStore::open(folder_ / "store").value()) {}
  StateStore* store() { return GetParam() ? store_.get() : nullptr; }

  TempFolder folder_;
  std::unique_ptr<FileStore> store_;
};

constexpr const char* kRequest = R"({"to": 2, "steps": [10, 50, 100], "hold": "1s", "min_requests": 10})";

TEST_P(RolloutKeeperTest, AGoodVersionOfAModelIsPromotedStepByStep) {
  Server server(store());
  ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  server.serve("m@1", 900);
  server.serve("m@2", 100);
  server.look();
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");  // its time is not over
  server.look(std::chrono::seconds(1));
  EXPECT_EQ(server.split(), "m@1=50 m@2=50");
  server.look(std::chrono::seconds(1));  // nothing came
  EXPECT_THAT(server.show(), HasSubstr(R"("held":true,"why":"not enough traffic)"));
  server.look();
  server.serve("m@1", 50'000, 50);
  server.serve("m@2", 50'000, 50);
  server.look();
  EXPECT_EQ(server.split(), "m@2=100");
  server.serve("m@2", 1'000);
  server.look(std::chrono::seconds(1));
  EXPECT_EQ(server.split(), "none");
  EXPECT_EQ(server.made_default, "m@2 ");
  EXPECT_THAT(server.show(), HasSubstr(R"("state":"promoted")"));
  EXPECT_THAT(server.decisions(), ElementsAre("start", "step", "hold", "step", "promote"));
  EXPECT_EQ(server.rollouts().act("m", RolloutAction::kAbort, "me").status().code(), Code::kFailedPrecondition);
}

TEST_P(RolloutKeeperTest, ABadVersionIsRolledBackAndTheReasonIsOnRecord) {
  Server server(store());
  const RouteDefinition before =
      parse_route(R"({"split": {"m@1": 75, "other": 25}, "sticky": "header:x-user"})", "m").value();
  ASSERT_TRUE(server.routes().set(before, "me").ok());
  ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  EXPECT_EQ(server.split(), "m@1=68 other=23 m@2=10");
  server.serve("m@1", 900, 9);
  server.serve("m@2", 100, 30);
  server.look();
  EXPECT_EQ(server.split(), "m@1=75 other=25");
  EXPECT_EQ(server.routes().history("m")->route(), before);
  EXPECT_EQ(server.made_default, "");
  EXPECT_THAT(server.decisions(), ElementsAre("start", "roll back"));
  EXPECT_THAT(server.show(), HasSubstr("gate error_rate<=+0.5pp is breached: canary 30.00%, baseline 1.00%"));
  EXPECT_THAT(server.rollouts().history("m").value(), HasSubstr(R"("requests":100,"errors":30)"));
}

TEST_P(RolloutKeeperTest, CrashesAndBurstsRollBackAtOnce) {
  Server server(store());
  ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  server.version(2).crashed = server.version(1).crashed = true;  // nobody can be asked: not the canary's fault
  server.look();
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  server.version(1).crashed = false;
  server.look();
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(server.show(), HasSubstr("its worker has died"));
  EXPECT_THAT(server.rollouts().start("m", kRequest, "me").status().message(), HasSubstr("not ready to be rolled out"));
  server.version(2).crashed = false;
  // A gate that takes long to be breached.
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": "m@2", "gates": ["error_rate<=+50pp"]})", "me").ok());
  server.serve("m@1", 100);
  server.serve("m@2", 12, 10);
  server.look();
  EXPECT_THAT(server.show(), HasSubstr("a burst of errors: 10 of the canary's last 12 requests"));
  EXPECT_THAT(server.show(), HasSubstr(R"("number":2)"));
}

TEST_P(RolloutKeeperTest, ByHand) {
  Server server(store());
  RolloutKeeper& rollouts = server.rollouts();
  ASSERT_TRUE(rollouts.start("m", kRequest, "me").ok());
  EXPECT_THAT(rollouts.start("m", kRequest, "me").status().message(), HasSubstr("runs already"));
  ASSERT_TRUE(rollouts.act("m", RolloutAction::kPause, "me").ok());
  EXPECT_FALSE(rollouts.act("m", RolloutAction::kPause, "me").ok());
  server.serve("m@1", 900);
  server.serve("m@2", 900, 900);
  server.look(std::chrono::seconds(9));
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");  // nothing is decided
  ASSERT_TRUE(rollouts.act("m", RolloutAction::kResume, "you").ok());
  EXPECT_FALSE(rollouts.act("m", RolloutAction::kResume, "you").ok());
  server.look();
  EXPECT_THAT(server.show(), HasSubstr(R"("requests":0)"));  // nor counted
  ASSERT_TRUE(rollouts.act("m", RolloutAction::kAbort, "you").ok());
  EXPECT_EQ(server.split(), "none");
  ASSERT_TRUE(rollouts.start("m", kRequest, "me").ok());
  ASSERT_TRUE(rollouts.act("m", RolloutAction::kPromote, "you").ok());
  EXPECT_EQ(server.made_default, "m@2 ");
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(server.decisions(), ElementsAre("start", "pause", "resume", "abort", "start", "promote"));
}

TEST_P(RolloutKeeperTest, WhoeverChangesTheRouteHasTheLastWord) {
  Server server(store());
  ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  ASSERT_TRUE(server.routes().set(parse_route(R"({"split": {"m@3": 100}})", "m").value(), "you").ok());
  server.look();
  EXPECT_THAT(server.show(), HasSubstr("the route was changed by others"));
  EXPECT_EQ(server.split(), "m@3=100");
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kResume, "me").ok());
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  ASSERT_TRUE(server.routes().set(parse_route(R"({"split": {"m@3": 100}})", "m").value(), "you").ok());
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kAbort, "me").ok());
  EXPECT_EQ(server.split(), "m@3=100");
}

TEST_P(RolloutKeeperTest, BetweenModels) {
  Server server(store());
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": "other", "steps": "50,100"})", "me").ok());
  EXPECT_EQ(server.split(), "m@1=50 other=50");
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kPromote, "me").ok());
  EXPECT_EQ(server.split(), "other=100");  // the name leads to another model from now on
  EXPECT_EQ(server.made_default, "");
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": "m@canary"})", "me").ok());
  EXPECT_EQ(server.split(), "other=95 m@canary=5");
}

TEST_P(RolloutKeeperTest, WhereTheDefaultVersionCantBeChangedTheRouteStays) {
  Server server(store());
  server.defaults_change = false;
  ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kPromote, "me").ok());
  EXPECT_EQ(server.split(), "m@2=100");
  EXPECT_THAT(server.show(), HasSubstr("the route stays: clients may not"));
}

TEST_P(RolloutKeeperTest, BadRequestsChangeNothing) {
  Server server(store());
  const std::pair<const char*, const char*> bad[] = {
      {"{", "must be a JSON object"},
      {"{}", "'to' is missing"},
      {R"({"to": 9})", "model 'm' has no version 9; its versions: 1, 2, 3"},
      {R"({"to": "nobody"})", "no model named 'nobody'"},
      {R"({"to": 1})", "is what serves 'm' already"},
      {R"({"to": 2, "from": 2})", "is what serves 'm' already"},
      {R"({"to": 2, "stepps": "5,100"})", "did you mean 'steps'?"},
      {R"({"to": 2, "steps": "5,50"})", "must end with 100"},
      {R"({"to": 2, "hold": "long"})", "not a hold time"},
      {R"({"to": 2, "gates": []})", "there are no gates"},
      {R"({"to": 2, "gates": ["fast"]})", "gates are such as"},
      {R"({"to": 2, "gates": "p99<=1x"})", "'gates' must be a list"},
      {R"({"to": 2, "min_requests": 0})", "from 1 to"},
      {R"({"to": 2, "sticky": "x"})", "nothing that a route looks at"},
      {R"({"to": []})", "'to' must be"},
  };
  for (const auto& [request, says] : bad)
    EXPECT_THAT(server.rollouts().start("m", request, "me").status().message(), HasSubstr(says)) << request;
  EXPECT_EQ(server.rollouts().start("nobody", kRequest, "me").status().code(), Code::kNotFound);
  EXPECT_EQ(server.rollouts().show("m").status().code(), Code::kNotFound);
  EXPECT_EQ(server.rollouts().history("m").status().code(), Code::kNotFound);
  EXPECT_EQ(server.rollouts().act("m", RolloutAction::kPause, "me").status().code(), Code::kNotFound);
  EXPECT_EQ(server.rollouts().list().value(), R"({"rollouts":[]})");
  EXPECT_EQ(server.split(), "none");
  ASSERT_TRUE(server.routes().set(parse_route(R"({"split": {"m@1": 100}})", "m").value(), "me").ok());
  EXPECT_THAT(server.rollouts().start("m", R"({"to": 2, "sticky": "client"})", "me").status().message(),
              HasSubstr("has its own 'sticky'"));
  EXPECT_THAT(server.rollouts().start("m", R"({"to": 2, "from": 3})", "me").status().message(),
              HasSubstr("gives 'm@3' no traffic"));
}

INSTANTIATE_TEST_SUITE_P(All, RolloutKeeperTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Kept" : "InMemory"; });

TEST(RolloutKeeperRestartTest, ItGoesOnWhereItWas) {
  TempFolder folder;
  const auto open = [&] { return FileStore::open(folder / "store").value(); };
  std::unique_ptr<FileStore> store = open();
  auto server = std::make_unique<Server>(store.get());
  ASSERT_TRUE(server->rollouts().start("m", kRequest, "me").ok());
  server->serve("m@1", 900, 9);
  server->serve("m@2", 100, 1);
  server->look(std::chrono::milliseconds(900));
  server->look(std::chrono::milliseconds(50));
  const auto again = [&] {
    server.reset();
    store = open();
    server = std::make_unique<Server>(store.get());
  };
  again();  // before it was written
  EXPECT_EQ(server->split(), "m@1=90 m@2=10");
  EXPECT_THAT(server->show(), HasSubstr(R"("state":"running")"));
  server->serve("m@1", 900, 9);
  server->serve("m@2", 100, 1);
  server->look(std::chrono::milliseconds(100));
  server->look(std::chrono::milliseconds(100));
  again();
  server->look(std::chrono::seconds(1));
  EXPECT_THAT(server->show(), HasSubstr(R"("held":true)"));
  server->serve("m@1", 900);
  server->serve("m@2", 100);
  server->look();
  EXPECT_EQ(server->split(), "m@1=50 m@2=50");
  again();
  EXPECT_EQ(server->split(), "m@1=50 m@2=50");
  server->version(2).crashed = true;
  server->look();
  again();
  EXPECT_EQ(server->split(), "none");
  EXPECT_THAT(server->decisions(), ElementsAre("start", "hold", "step", "roll back"));
}

TEST(RolloutKeeperRestartTest, WhatWasDecidedAndNotDoneIsDoneAfterACrash) {
  TempFolder folder;
  const std::unique_ptr<FileStore> store = FileStore::open(folder / "store").value();
  {
    Server server(store.get());
    ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  }
  // As a process leaves it that was killed between its decision and the change of the route.
  const StoredValue kept = store->get("rollouts/m").value().value();
  RolloutDocument document = parse_rollout_document(kept.value).value();
  document.last->phase = RolloutPhase::kRolledBack;
  document.last->wanted = std::nullopt;
  document.last->is_placed = false;
  ASSERT_TRUE(store->compare_and_put("rollouts/m", rollout_document_text(document), kept.revision).ok());
  Server server(store.get());
  EXPECT_EQ(server.split(), "none");
  EXPECT_TRUE(parse_rollout_document(store->get("rollouts/m").value()->value)->last->is_placed);
}

TEST(RolloutDocumentTest, ReadsWhatItWrites) {
  RolloutDocument document;
  Rollout& rollout = document.last.emplace();
  rollout.number = 3;
  rollout.started_at = "2026-01-31T12:00:00Z";
  rollout.to = {"m", 2, ""};
  rollout.from = {"m", 0, "stable"};
  rollout.plan.steps = parse_steps("2.5@90s,100", std::chrono::hours(1)).value();
  rollout.plan.gates = {parse_gate("p99.9<=50ms").value(), parse_gate("error_rate<=+0.25pp").value()};
  rollout.before = parse_route(R"({"split": {"m@stable": 100}, "sticky": "cookie:u"})", "r").value();
  rollout.wanted = with_share(*rollout.before, rollout.to, 2.5);
  rollout.is_placed = rollout.is_held = true;
  rollout.phase = RolloutPhase::kPaused;
  rollout.why = "\"so\"";
  rollout.watched = std::chrono::milliseconds(1'234);
  rollout.window.canary = {7, 2, {0, 3, 0, 2}, {{4, {0, 0, 9}}}};
  rollout.window.baseline.requests = 5;
  document.add({0, 3, "2026-01-31T12:00:00Z", "start", "me", "by hand", 2.5, R"({"canary":{"requests":1}})"});
  const std::string text = rollout_document_text(document);
  const auto read = parse_rollout_document(text);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(*read, document);
  std::string later = text;
  later.replace(later.find("\"format\":1"), 10, "\"format\":2");
  EXPECT_EQ(parse_rollout_document(later).status().code(), Code::kFailedPrecondition);
  later = text;
  later.replace(later.find("is_held"), 7, "is_hold");
  EXPECT_EQ(parse_rollout_document(later).status().code(), Code::kDataLoss);
  for (size_t i = 0; i < RolloutDocument::kMostEntries + 5; ++i) document.add({});
  EXPECT_EQ(document.entries.size(), RolloutDocument::kMostEntries);
}

TEST(RolloutDocumentTest, SharesOfTheOthersStayAsTheyAreAmongEachOther) {
  const RouteDefinition base = parse_route(R"({"split": {"a": 60, "b": 20, "c": 20, "d": 0}})", "r").value();
  EXPECT_EQ(with_share(base, {"c", 0, ""}, 20).split,
            (std::vector<RouteArm>{{{"a", 0, ""}, 60}, {{"b", 0, ""}, 20}, {{"c", 0, ""}, 20}}));
  EXPECT_EQ(with_share(base, {"e", 0, ""}, 100).split, (std::vector<RouteArm>{{{"e", 0, ""}, 100}}));
  for (const double percent : {0.1, 5.0, 33.3, 99.9})
    EXPECT_TRUE(check_route(with_share(base, {"e", 0, ""}, percent)).ok()) << percent;
}

}  // namespace
}  // namespace modelmill
