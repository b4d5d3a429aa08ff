#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "experiment/testing/experiment_processes.h"

// Experiments of processes that share a state.

namespace modelmill {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// A store whose user is held up before each change.
class HeldUpStore final : public StateStore {
 public:
  HeldUpStore(StateStore& store, std::function<void(const std::string& key)> before)
      : store_(store), before_(std::move(before)) {}
  Result<std::optional<StoredValue>> get(const std::string& key) override { return store_.get(key); }
  Result<std::map<std::string, StoredValue>> list(const std::string& prefix) override { return store_.list(prefix); }
  Result<uint64_t> compare_and_put(const std::string& key, const std::optional<std::string>& value,
                                   uint64_t expected) override {
    before_(key);
    return store_.compare_and_put(key, value, expected);
  }
  Result<std::unique_ptr<StoreWatch>> watch(const std::string& prefix, Changed changed) override {
    return store_.watch(prefix, std::move(changed));
  }
  Result<std::unique_ptr<StoreLease>> acquire(const std::string& name, Duration ttl) override {
    return store_.acquire(name, ttl);
  }

 private:
  StateStore& store_;
  const std::function<void(const std::string& key)> before_;
};

TEST_F(ExperimentProcessesTest, AUserOfTwoIsOneUser) {
  begin();
  EXPECT_TRUE(at(1).exposures().are_wanted());
  at(0).expose("ann", "m@1");
  at(1).expose("ann", "m@1");
  at(1).expose("bob", "m@2");
  pass(milliseconds(500));
  for (const size_t process : {0, 1}) {
    const auto arms = arms_in(at(process).show());
    EXPECT_EQ(arms.at("m@1").exposed, 1U) << process;
    EXPECT_EQ(arms.at("m@2").exposed, 1U) << process;
  }
  pass(seconds(20));
  EXPECT_EQ(arms_in(at(0).show()).at("m@2").counted, 1U);
  EXPECT_EQ(at(0).show(), at(1).show());
}

TEST_F(ExperimentProcessesTest, OutcomesMayComeToAnyProcess) {
  begin();
  at(0).expose("ann", "m@1", "request-of-ann");
  at(1).expose("bob", "m@2", "request-of-bob");
  // Neither has told the other yet.
  EXPECT_THAT(at(0)->outcomes("x", R"([{"user":"bob"},{"user":"ann"}])").value(), HasSubstr(R"("deferred":2)"));
  EXPECT_THAT(at(1)->outcomes("x", R"({"request":"request-of-ann","id":"o"})").value(), HasSubstr(R"("deferred":1)"));
  EXPECT_THAT(at(1)->outcomes("x", R"({"request":"request-of-ann","id":"o"})").value(), HasSubstr(R"("deferred":1)"));
  EXPECT_THAT(at(1)->outcomes("x", R"([{"user":"cid"},{"user":"ann","at":1000}])").value(),
              HasSubstr(R"("deferred":2)"));
  EXPECT_EQ(at(1)->outcomes("x", R"({"user":"ann","metric":"other"})").status().code(), Code::kInvalidArgument);
  pass(seconds(3));
  for (const size_t process : {0, 1}) {
    const std::string shown = at(process).show();
    EXPECT_THAT(shown, HasSubstr(R"("accepted":3,"duplicate":1,"unknown":1,"late":1)")) << process;
    EXPECT_EQ(arms_in(shown).at("m@1").so_far, 1) << process;
    EXPECT_EQ(arms_in(shown).at("m@2").so_far, 1) << process;
  }
  EXPECT_THAT(at(0)->outcomes("x", R"({"user":"bob"})").value(), HasSubstr(R"("accepted":1)"))
      << "whom it knows, it judges at once";
}

TEST_F(ExperimentProcessesTest, AnOutcomeIsJudgedByWhenItCameIn) {
  begin();
  at(1).expose("ann", "m@1");
  pass(milliseconds(9'500));
  ASSERT_TRUE(at(1)->outcomes("x", R"({"user":"ann"})").ok());
  pass(seconds(1));  // her window is over before it is judged
  ASSERT_TRUE(at(1)->outcomes("x", R"({"user":"ann"})").ok());
  pass(seconds(20));
  EXPECT_THAT(at(0).show(), HasSubstr(R"("accepted":1,"duplicate":0,"unknown":0,"late":1)"));
  EXPECT_EQ(arms_in(at(0).show()).at("m@1").rate, 1);
}

TEST_F(ExperimentProcessesTest, WhatWasLeftBeforeAllDiedCountsWhenTheWindowIsOver) {
  begin();
  at(1).expose("ann", "m@1");
  pass(seconds(1));
  ASSERT_THAT(at(1)->outcomes("x", R"({"user":"ann"})").value(), HasSubstr(R"("deferred":1)"));
  kill(0);
  kill(1);
  elapsed_ += seconds(60);
  add().expose("bob", "m@2");
  pass(seconds(20));
  kill(2);
  add();  // what the journal says is the same
  const std::string shown = at(3).show();
  EXPECT_THAT(shown, HasSubstr(R"("accepted":1,"duplicate":0,"unknown":0,"late":0)"));
  EXPECT_EQ(arms_in(shown).at("m@1").rate, 1);
  EXPECT_EQ(arms_in(shown).at("m@1").counted, 1U);
}

TEST_F(ExperimentProcessesTest, WhoeverEndsItCountsWhatWasLeftAndNotTaken) {
  begin();
  at(0).expose("ann", "m@1");
  at(1).expose("bob", "m@2");
  pass(seconds(2));
  ASSERT_TRUE(at(1)->outcomes("x", R"({"user":"bob"})").ok());
  pass(seconds(2));  // this one is taken
  ASSERT_THAT(at(1)->outcomes("x", R"([{"user":"ann"},{"user":"nobody"}])").value(), HasSubstr(R"("deferred":2)"));
  const auto stopped = at(1)->stop("x", "me");
  ASSERT_TRUE(stopped.ok()) << stopped.status().message();
  EXPECT_THAT(*stopped, HasSubstr(R"("accepted":2,"duplicate":0,"unknown":1,"late":0)"));
  EXPECT_EQ(arms_in(*stopped).at("m@1").so_far, 1);
  EXPECT_EQ(arms_in(*stopped).at("m@2").so_far, 1);
}

TEST_F(ExperimentProcessesTest, WhoDiesLeavesItsCountsAndWhoComesBackTakesThemUp) {
  begin();
  add();
  at(0).expose("ann", "m@1");
  at(1).expose("bob", "m@2", "request-of-bob");
  at(2).expose("cid", "m@1");
  step(milliseconds(200));
  EXPECT_THAT(at(1)->outcomes("x", R"({"user":"cid"})").value(), HasSubstr(R"("deferred":1)"));
  kill(0);  // before it has taken that
  kill(2);
  pass(seconds(3));
  auto arms = arms_in(at(1).show());
  EXPECT_EQ(arms.at("m@1").exposed, 2U);
  EXPECT_EQ(arms.at("m@1").so_far, 1);
  EXPECT_EQ(arms.at("m@2").exposed, 1U);
  EXPECT_EQ(files(), 1U) << "the journal: what was left was taken, and taken away";
  EXPECT_THAT(at(1)->outcomes("x", R"({"user":"nobody"})").value(), HasSubstr(R"("unknown":1)")) << "it is alone";
  add().expose("ann", "m@1");
  at(3).expose("dan", "m@2");
  pass(seconds(1));
  arms = arms_in(at(3).show());
  EXPECT_EQ(arms.at("m@1").exposed, 2U);
  EXPECT_EQ(arms.at("m@2").exposed, 2U);
}

TEST_F(ExperimentProcessesTest, AWinnerOfAllIsDeployedOnce) {
  begin(R"({"route":"r","goal":"purchase","window":"10s","deploy_winner":true})");
  at(0).visit(100, 10, 30, "first");  // alone that is too little
  for (int i = 0; i < 3'000; ++i)
    for (const auto& [arm, ones] : {std::pair("m@1", 10), std::pair("m@2", 30)}) {
      const std::string user = arm + std::to_string(i);
      at(1).expose(user, arm);
      if (i % 100 < ones) {
        ASSERT_TRUE(at(1)->outcomes("x", R"({"user":")" + user + R"("})").ok());
      }
    }
  pass(seconds(25));
  EXPECT_EQ(at(0).split(), "m@2=100") << at(0).show();
  EXPECT_THAT(at(1).show(), HasSubstr(R"("state":"deployed")"));
  for (const auto& [arm, numbers] : arms_in(at(1).show())) {
    EXPECT_EQ(numbers.exposed, 3'100U) << arm;
    EXPECT_GT(numbers.counted, 100U) << arm << ": those of the other process too";
  }
  size_t deployments = 0;
  const auto history = at(0).routes().history("r");
  ASSERT_TRUE(history.ok());
  for (const RouteChange& change : history->changes) deployments += change.by == "experiment 'x'";
  EXPECT_EQ(deployments, 1U);
  EXPECT_FALSE(at(1).exposures().are_wanted());
  EXPECT_EQ(files(), 0U);
}

TEST_F(ExperimentProcessesTest, UsersThatComeInOtherSharesThanTheRoutesAreSeenOverAll) {
  begin();
  // Of each process alone it could be chance.
  for (int i = 0; i < 60; ++i) {
    at(0).expose("a" + std::to_string(i), i % 20 < 13 ? "m@1" : "m@2");
    at(1).expose("b" + std::to_string(i), i % 20 < 13 ? "m@1" : "m@2");
  }
  pass(seconds(1));
  EXPECT_THAT(at(0).show(), HasSubstr(R"("decision":"running")"));
  for (int i = 0; i < 160; ++i) at(i % 2).expose("c" + std::to_string(i), i / 2 % 20 < 13 ? "m@1" : "m@2");
  pass(seconds(1));
  EXPECT_THAT(at(0).show(), HasSubstr(R"("decision":"sample ratio mismatch")"));
  EXPECT_THAT(at(1).show(), HasSubstr(R"("decision":"sample ratio mismatch")"));
}

TEST_F(ExperimentProcessesTest, AnyProcessEndsIt) {
  begin();
  at(0).expose("ann", "m@1");
  at(1).expose("bob", "m@2");
  pass(milliseconds(500));
  ASSERT_TRUE(at(1)->deploy("x", R"({"arm":"m@1"})", "me").ok());
  EXPECT_EQ(at(1).split(), "m@1=100");
  pass(milliseconds(500));
  EXPECT_THAT(at(0).show(), HasSubstr(R"("state":"deployed")"));
  EXPECT_EQ(arms_in(at(0).show()).at("m@2").exposed, 1U) << "the numbers stay";
  EXPECT_FALSE(at(0).exposures().are_wanted());
  EXPECT_EQ(files(), 0U);
  ASSERT_TRUE(at(1).routes().undo("r", "me").ok());
  ASSERT_TRUE(at(1)->start("x", ExperimentServer::kRequest, "me").ok()) << "nobody holds it any more";
  at(1).expose("ann", "m@1");
  pass(milliseconds(500));
  EXPECT_EQ(arms_in(at(1).show()).at("m@1").exposed, 1U);
}

TEST_F(ExperimentProcessesTest, ADeploymentThatAnotherFinishesIsDone) {
  add().set_route(ExperimentServer::kSplit);
  ASSERT_TRUE(at(0)->start("x", ExperimentServer::kRequest, "me").ok());
  const auto store = FileStore::open(folder_ / "store").value();
  int puts = 0;
  HeldUpStore held_up(*store, [&](const std::string& key) {
    // The first one writes the end, the second one that it is in force.
    if (key == "experiments/x" && ++puts == 2) at(0).look();
  });
  ExperimentServer other(&held_up, folder_ / "experiments", "other");
  const auto deployed = other->deploy("x", R"({"arm":"m@1"})", "me");
  EXPECT_TRUE(deployed.ok()) << deployed.status().message();
  EXPECT_EQ(puts, 2);
  EXPECT_EQ(other.split(), "m@1=100");
}

/// What is to come out, by itself.
struct Truth {
  std::map<std::string, int> arm;
  std::map<std::string, double> spent;
};

/// Users wander among processes, outcomes come to any of them, and processes die and come: in the end there is what
/// there would be of one process.
TEST_F(ExperimentProcessesTest, SumsAreThoseOfOneProcess) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](size_t most) { return static_cast<size_t>(random() % most); };
  begin(R"({"route":"r","goal":"basket:mean","window":"1h"})");
  add();
  Truth truth;
  std::vector<std::string> met;
  for (int round = 0; round < 120; ++round) {
    std::vector<ExperimentServer*> alive;
    for (const auto& server : servers_)
      if (server) alive.push_back(server.get());
    for (int i = 0; i < 20; ++i) {
      const std::string user = "user-" + std::to_string(below(600));
      const int arm = static_cast<int>(stable_hash(user) % 2);
      if (truth.arm.emplace(user, arm).second) met.push_back(user);
      alive[below(alive.size())]->expose(user, arm == 0 ? "m@1" : "m@2");
    }
    // What waits in a process that is killed is lost with it, so that is for after a look.
    step(milliseconds(200));
    for (int i = 0; i < 10; ++i) {
      const std::string& user = met[below(met.size())];
      const double value = static_cast<double>(below(100)) / 4;
      const std::string id = "o" + std::to_string(round) + "-" + std::to_string(i);
      const std::string json =
          R"({"user":")" + user + R"(","value":)" + std::to_string(value) + R"(,"id":")" + id + R"("})";
      for (size_t times = below(4) == 0 ? 2 : 1; times > 0; --times) {  // some are sent again, elsewhere
        ASSERT_TRUE((*alive[below(alive.size())])->outcomes("x", json).ok());
      }
      truth.spent[user] += value;
    }
    if (below(8) == 0 && alive.size() > 1) {
      size_t victim = below(servers_.size());
      while (!servers_[victim]) victim = below(servers_.size());
      kill(victim);
    }
    if (below(8) == 0 && alive.size() < 4) add();
  }
  pass(seconds(3));
  for (int i = 0; i < 3; ++i) step(std::chrono::hours(1));
  std::vector<double> values[2];
  for (const auto& [user, arm] : truth.arm) values[arm].push_back(truth.spent[user]);
  for (const auto& server : servers_) {
    if (!server) continue;
    const auto arms = arms_in(server->show());
    for (const int arm : {0, 1}) {
      double mean = 0, squares = 0;
      for (const double value : values[arm]) mean += value / static_cast<double>(values[arm].size());
      for (const double value : values[arm]) squares += (value - mean) * (value - mean);
      const ArmNumbers& numbers = arms.at(arm == 0 ? "m@1" : "m@2");
      EXPECT_EQ(numbers.exposed, values[arm].size());
      EXPECT_EQ(numbers.counted, values[arm].size());
      EXPECT_NEAR(numbers.rate, mean, 1e-9 * mean);
      EXPECT_NEAR(numbers.variance, squares / static_cast<double>(values[arm].size() - 1), 1e-9 * squares);
    }
  }
}

}  // namespace
}  // namespace modelmill
