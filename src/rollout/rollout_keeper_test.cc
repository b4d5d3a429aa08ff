#include "rollout/rollout_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/testing/temp_folder.h"
#include "rollout/testing/flaky_store.h"
#include "rollout/testing/rollout_server.h"
#include "state/file_store.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RolloutKeeperTest : public ::testing::TestWithParam<bool> {
 protected:
  RolloutKeeperTest() : store_(FileStore::open(folder_ / "store").value()) {}
  StateStore* store() { return GetParam() ? store_.get() : nullptr; }

  TempFolder folder_;
  std::unique_ptr<FileStore> store_;
};

constexpr const char* kRequest = R"({"to": 2, "steps": [10, 50, 100], "hold": "1s", "min_requests": 10})";

TEST_P(RolloutKeeperTest, AGoodVersionOfAModelIsPromotedStepByStep) {
  RolloutServer server(store());
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
  RolloutServer server(store());
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
  RolloutServer server(store());
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
  // One that is back before anybody looks.
  server.version(1).health.failures = 7;  // all before
  ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  server.version(1).health.memory_bytes = 1 << 20;
  server.look();
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  server.version(2).health = {1, "the Python worker had too much memory", 5 << 20};
  server.look();
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(server.show(), HasSubstr("the canary crashed: the Python worker had too much memory"));
  EXPECT_THAT(server.show(), HasSubstr(R"("crashes":1,"memory_bytes":5242880)"));
  // A gate that takes long to be breached.
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": "m@2", "gates": ["error_rate<=+50pp"]})", "me").ok());
  server.serve("m@1", 100);
  server.serve("m@2", 12, 10);
  server.look();
  EXPECT_THAT(server.show(), HasSubstr("a burst of errors: 10 of the canary's last 12 requests"));
  EXPECT_THAT(server.show(), HasSubstr(R"("number":3)"));
}

TEST_P(RolloutKeeperTest, CrashesOfLongAgoAreNoNewOnes) {
  RolloutServer server(store());
  server.version(2).health.failures = 3;
  server.version(3).health.failures = 5;
  ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  server.look();
  server.version(2).health.failures = 2;  // a member of it was loaded again
  server.look();
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  server.version(2).health.failures = 3;
  server.look();
  EXPECT_EQ(server.split(), "none");
  // Those of a version that the label has moved to.
  server.label("canary", 2);
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": "m@canary"})", "me").ok());
  server.label("canary", 3);
  server.look();
  EXPECT_THAT(server.show(), HasSubstr(R"("state":"running")"));
  server.version(3).health.failures = 6;
  server.look();
  EXPECT_THAT(server.show(), HasSubstr("the canary crashed"));
}

TEST_P(RolloutKeeperTest, ByHand) {
  RolloutServer server(store());
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
  RolloutServer server(store());
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
  RolloutServer server(store());
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": "other", "steps": "50,100"})", "me").ok());
  EXPECT_EQ(server.split(), "m@1=50 other=50");
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kPromote, "me").ok());
  EXPECT_EQ(server.split(), "other=100");  // the name leads to another model from now on
  EXPECT_EQ(server.made_default, "");
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": "m@canary"})", "me").ok());
  EXPECT_EQ(server.split(), "other=95 m@canary=5");
}

TEST_P(RolloutKeeperTest, WhereTheDefaultVersionCantBeChangedTheRouteStays) {
  RolloutServer server(store());
  server.defaults_change = false;
  ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kPromote, "me").ok());
  EXPECT_EQ(server.split(), "m@2=100");
  EXPECT_THAT(server.show(), HasSubstr("the route stays: clients may not"));
}

TEST_P(RolloutKeeperTest, BadRequestsChangeNothing) {
  RolloutServer server(store());
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
      {R"({"to": 2, "gates": ["disagreement<=0%"]})", "above 0%"},
      {R"({"to": 2, "compare": {"y": {"kind": "equal"}}})", "'compare' means nothing where no answers are compared"},
      {R"({"to": 2, "steps": "shadow:1,5,100", "compare": {"y": {"kind": "near"}}})", "compare: 'y'"},
      {R"({"to": 2, "steps": "shadow:1,5,100", "compare": []})", "'compare' must be an object"},
      {R"({"to": 2, "steps": ["5", "shadow:1", 100]})", "come before all that have traffic"},
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
  auto server = std::make_unique<RolloutServer>(store.get());
  ASSERT_TRUE(server->rollouts().start("m", kRequest, "me").ok());
  server->serve("m@1", 900, 9);
  server->serve("m@2", 100, 1);
  server->look(std::chrono::milliseconds(900));
  server->look(std::chrono::milliseconds(50));
  const auto again = [&] {
    server.reset();
    store = open();
    server = std::make_unique<RolloutServer>(store.get());
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

/// Two processes over one store, of which the first decides.
class SharedRolloutTest : public ::testing::Test {
 protected:
  SharedRolloutTest() : store_(FileStore::open(folder_ / "store").value()) {
    one_ = std::make_unique<RolloutServer>(&ones_, "one");
    two_ = std::make_unique<RolloutServer>(store_.get(), "two");
    EXPECT_TRUE(one_->rollouts().start("m", kRequest, "me").ok());
    two_->look(std::chrono::seconds(2));  // it finds the rollout
    two_->look();
  }
  size_t parts() { return store_->list("rollout-parts/").value().size(); }

  TempFolder folder_;
  std::unique_ptr<FileStore> store_;
  FlakyStore ones_{*store_};
  std::unique_ptr<RolloutServer> one_, two_;
};

TEST_F(SharedRolloutTest, OneDecidesByWhatAllCount) {
  one_->serve("m@1", 5);
  one_->serve("m@2", 5);
  two_->serve("m@1", 900, 9);
  two_->serve("m@2", 100, 1);
  two_->look(std::chrono::seconds(2));
  EXPECT_EQ(parts(), 1U);
  EXPECT_EQ(two_->decisions(), one_->decisions()) << "it decides nothing";
  one_->look(std::chrono::seconds(1));
  EXPECT_EQ(one_->split(), "m@1=50 m@2=50") << "5 requests were too few";
  EXPECT_THAT(one_->rollouts().history("m").value(), HasSubstr(R"("arm":"m@2","requests":105,"errors":1)"));
  // A burst at another process is found at once as well, and counts for the step where it was.
  two_->look();
  two_->serve("m@2", 20, 20);
  two_->look();
  one_->look();
  EXPECT_EQ(one_->split(), "none");
  EXPECT_THAT(one_->decisions(), ElementsAre("start", "step", "roll back"));
  EXPECT_THAT(one_->show(), HasSubstr("a burst of errors: 20 of the canary's last 20 requests"));
  EXPECT_EQ(parts(), 0U);
}

TEST_F(SharedRolloutTest, ACrashAtAnotherProcessRollsBackAtOnce) {
  two_->version(2).health = {1, "the Python worker had too much memory", 5 << 20};
  two_->look();
  EXPECT_EQ(parts(), 1U) << "though nobody has asked for anything";
  one_->look();
  EXPECT_EQ(one_->split(), "none");
  EXPECT_THAT(one_->show(), HasSubstr("the canary crashed"));
}

TEST_F(SharedRolloutTest, ACrashCountsThoughOthersPartsCantBeRead) {
  one_->serve("m@2", 3);
  one_->serve("m@1", 30);
  ones_.lost = "rollout-parts/";
  one_->look();
  EXPECT_EQ(one_->split(), "m@1=90 m@2=10");
  EXPECT_THAT(one_->show(), HasSubstr(R"("arm":"m@2","requests":3,)")) << "it isn't lost";
  one_->version(2).health = {1, "it was killed", 5 << 20};
  one_->look();
  EXPECT_EQ(one_->split(), "none");
  EXPECT_THAT(one_->show(), HasSubstr("the canary crashed: it was killed"));
}

TEST_F(SharedRolloutTest, OthersPartsAreListedOnceTheyChange) {
  ones_.watches = true;
  one_->look();
  const int lists = ones_.lists[kRolloutParts];
  for (int i = 0; i < 5; ++i) one_->look();
  EXPECT_EQ(ones_.lists[kRolloutParts], lists);
  two_->version(2).health = {1, "it was killed", 5 << 20};
  two_->look();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (one_->split() != "none" && std::chrono::steady_clock::now() < until) one_->look(std::chrono::milliseconds(0));
  EXPECT_EQ(one_->split(), "none") << "without a moment of the rollout's time";
}

TEST_F(SharedRolloutTest, WhoGoesOnKeepsWhatAllCounted) {
  one_->serve("m@1", 40);
  one_->serve("m@2", 4);
  one_->look(std::chrono::milliseconds(500));
  two_->serve("m@1", 30);
  two_->serve("m@2", 3);
  two_->look(std::chrono::milliseconds(100));  // counted, and not yet written
  one_->look(std::chrono::seconds(2));         // written, and held for want of traffic
  one_.reset();
  two_->look(std::chrono::seconds(1));
  EXPECT_THAT(two_->show(), HasSubstr(R"("arm":"m@2","requests":7,)"));
  two_->serve("m@2", 3);
  two_->serve("m@1", 30);
  two_->look();
  EXPECT_EQ(two_->split(), "m@1=50 m@2=50");
  EXPECT_THAT(two_->rollouts().history("m").value(), HasSubstr(R"("arm":"m@2","requests":10,)"));
}

TEST(RolloutPartTest, IsReadAsItWasWritten) {
  RolloutPart part{"a/b", "one", 3, 2, {}};
  part.window.canary = {10, 2, {0, 0, 8}, {{4, {0, 3}}}};
  part.window.copies = {5, 1, 2, 3};
  const auto read = parse_rollout_part(rollout_part_text(part));
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(*read, part);
  EXPECT_EQ(parse_rollout_part("{}").status().code(), Code::kDataLoss);
  EXPECT_EQ(parse_rollout_part(R"({"format":2})").status().code(), Code::kFailedPrecondition);
}

TEST(RolloutKeeperRestartTest, WhatWasDecidedAndNotDoneIsDoneAfterACrash) {
  TempFolder folder;
  const std::unique_ptr<FileStore> store = FileStore::open(folder / "store").value();
  {
    RolloutServer server(store.get());
    ASSERT_TRUE(server.rollouts().start("m", kRequest, "me").ok());
  }
  // As a process leaves it that was killed between its decision and the change of the route.
  const StoredValue kept = store->get("rollouts/m").value().value();
  RolloutDocument document = parse_rollout_document(kept.value).value();
  document.last->phase = RolloutPhase::kRolledBack;
  document.last->wanted = std::nullopt;
  document.last->is_placed = false;
  ASSERT_TRUE(store->compare_and_put("rollouts/m", rollout_document_text(document), kept.revision).ok());
  RolloutServer server(store.get());
  EXPECT_EQ(server.split(), "none");
  EXPECT_TRUE(parse_rollout_document(store->get("rollouts/m").value()->value)->last->is_placed);
}

}  // namespace
}  // namespace modelmill
