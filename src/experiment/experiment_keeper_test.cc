#include "experiment/experiment_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/testing/temp_folder.h"
#include "experiment/testing/experiment_server.h"
#include "state/file_store.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using Server = ExperimentServer;
constexpr auto kSplit = Server::kSplit, kRequest = Server::kRequest;

class ExperimentKeeperTest : public ::testing::TestWithParam<bool> {
 protected:
  ExperimentKeeperTest() : store_(FileStore::open(folder_ / "store").value()) {}
  std::unique_ptr<Server> make() {
    return std::make_unique<Server>(GetParam() ? store_.get() : nullptr, folder_ / "experiments");
  }
  std::unique_ptr<Server> started(const std::string& request = kRequest) {
    auto server = make();
    server->set_route(kSplit);
    const auto status = (*server)->start("x", request, "me").status();
    EXPECT_TRUE(status.ok()) << status.message();
    return server;
  }

  TempFolder folder_;
  std::unique_ptr<FileStore> store_;
};

/// Of what is kept.
class KeptExperimentTest : public ExperimentKeeperTest {};

TEST_P(ExperimentKeeperTest, AWinnerIsFoundAndDeployedByHand) {
  auto server = started();
  EXPECT_TRUE(server->exposures().are_wanted());
  server->visit(2'000, 10, 20);
  server->look();
  EXPECT_THAT(server->show(), HasSubstr(R"("decision":"running")")) << "no window is over";
  EXPECT_THAT((*server)->deploy("x", "", "me").status().message(), HasSubstr("has no winner"));
  server->look(std::chrono::seconds(10));
  EXPECT_THAT(server->show(), HasSubstr(R"("decision":"winner","arm":"m@2")"));
  EXPECT_EQ(server->split(), "m@1=50 m@2=50");
  ASSERT_TRUE((*server)->deploy("x", "", "me").ok());
  EXPECT_EQ(server->split(), "m@2=100");
  EXPECT_EQ(server->routes().history("r")->changes.back().by, "experiment 'x'");
  EXPECT_THAT(server->show(), HasSubstr(R"("state":"deployed")"));
  EXPECT_THAT(server->show(), HasSubstr(R"("counted":2000)")) << "the numbers stay";
  EXPECT_FALSE(server->exposures().are_wanted());
  EXPECT_EQ((*server)->outcomes("x", R"({"user":"a"})").status().code(), Code::kFailedPrecondition);
  ASSERT_TRUE(server->routes().undo("r", "me").ok());
  EXPECT_EQ(server->split(), "m@1=50 m@2=50");
  EXPECT_TRUE(!GetParam() || std::filesystem::is_empty(folder_ / "experiments"));
}

TEST_P(ExperimentKeeperTest, TheRuleDeploysAWinnerAndNothingElse) {
  auto server = started(R"({"route":"r","goal":"purchase","window":"10s","deploy_winner":true,"control":"m@2"})");
  server->visit(2'000, 12, 12);
  server->look(std::chrono::seconds(10));
  EXPECT_EQ(server->split(), "m@1=50 m@2=50");
  server->visit(2'000, 30, 10, "more");
  server->look(std::chrono::seconds(10));
  EXPECT_EQ(server->split(), "m@1=100") << server->show();
  EXPECT_THAT(server->show(), HasSubstr(R"("ended_by":"modelmill")"));
}

TEST_P(ExperimentKeeperTest, WhatWasConcludedStaysButForAnAlarm) {
  auto server = started();
  server->visit(2'000, 10, 20);
  server->look(std::chrono::seconds(10));
  EXPECT_THAT(server->show(), HasSubstr(R"("decision":"winner","arm":"m@2")"));
  server->visit(4'000, 20, 10, "later");
  server->look(std::chrono::seconds(10));
  EXPECT_THAT(server->show(), HasSubstr(R"("decision":"winner","arm":"m@2")"));
  for (int i = 0; i < 2'000; ++i) server->expose("one" + std::to_string(i), "m@1");
  server->look();
  EXPECT_THAT(server->show(), HasSubstr(R"("decision":"sample ratio mismatch")"));
}

TEST_P(ExperimentKeeperTest, UsersOfAChangedRouteAreNotCounted) {
  auto server = started();
  server->expose("ann", "m@1");
  server->set_route(R"({"split": {"m@1": 90, "m@2": 10}, "sticky": "header:x-user"})");
  server->expose("bob", "m@1");
  server->look();
  EXPECT_THAT(server->show(), HasSubstr(R"("exposed":1)"));
  EXPECT_THAT(server->show(), HasSubstr("the route 'r' was changed"));
  ASSERT_TRUE(server->routes().undo("r", "me").ok());
  server->expose("cid", "m@1");
  EXPECT_THAT(server->show(), HasSubstr(R"("exposed":2)"));
  EXPECT_THAT(server->show(), HasSubstr(R"("note":"")"));
  ASSERT_TRUE(server->routes().remove("r", "me").ok());
  EXPECT_THAT(server->show(), HasSubstr("is gone"));
  EXPECT_EQ((*server)->deploy("x", R"({"arm":"m@1"})", "me").status().code(), Code::kFailedPrecondition);
  ASSERT_TRUE((*server)->stop("x", "me").ok());
  EXPECT_THAT(server->show(), HasSubstr(R"("state":"stopped")"));
}

TEST_P(KeptExperimentTest, ARestartLosesNothingThatWasWritten) {
  auto server = started();
  server->visit(500, 10, 20);
  server->expose("ann", "m@1", "request-1");
  server->look();
  const std::string before = server->show();
  server.reset();  // the journal has never been synced
  server = make();
  EXPECT_EQ(server->show(), before);
  EXPECT_THAT((*server)->outcomes("x", R"({"request":"request-1"})").value(), HasSubstr(R"("accepted":1)"));
  server->expose("ann", "m@1");
  server->look();
  EXPECT_THAT(server->show(), HasSubstr(R"("exposed":501)"));
  server->look(std::chrono::seconds(10));
  server->look(std::chrono::seconds(10));
  EXPECT_THAT(server->show(), HasSubstr(R"("counted":501)"));
  server = make();
  server->look(std::chrono::seconds(20));
  EXPECT_THAT(server->show(), HasSubstr(R"("counted":501)"));
}

TEST_P(KeptExperimentTest, ADecisionThatACrashHasCutOffIsDone) {
  auto server = started();
  server.reset();
  ExperimentRecords records([this](bool) -> Result<StateStore*> { return store_.get(); });
  auto record = records.get("x").value();
  record.document.last->phase = ExperimentPhase::kDeployed;
  record.document.last->deployed = "m@2";
  record.document.last->is_placed = false;
  ASSERT_TRUE(records.put("x", record).ok());
  server = make();
  EXPECT_EQ(server->split(), "m@2=100");
}

TEST_P(KeptExperimentTest, AJournalThatCantBeReadKeepsNothingFromEnding) {
  auto server = started();
  server->visit(1, 100, 100);
  server.reset();
  const std::string file = folder_ / "experiments/x.json.1.journal";
  ASSERT_TRUE(std::filesystem::exists(file));
  folder_.write("experiments/x.json.1.journal", "something else");
  server = make();
  EXPECT_EQ((*server)->show("x").status().code(), Code::kDataLoss);
  EXPECT_FALSE((*server)->outcomes("x", R"({"user":"a"})").ok());
  EXPECT_TRUE((*server)->stop("x", "me").ok());
  EXPECT_FALSE(std::filesystem::exists(file));
  // One of a number that is yet to come is of a document that was lost.
  folder_.write("experiments/x.json.2.journal", "something else");
  EXPECT_TRUE((*server)->start("x", kRequest, "me").ok());
}

TEST_P(ExperimentKeeperTest, WhatCantBeStartedIsRefused) {
  auto server = make();
  const auto start = [&](const std::string& name, const std::string& json) {
    return (*server)->start(name, json, "me").status();
  };
  EXPECT_EQ(start("x", kRequest).code(), Code::kNotFound);
  server->set_route(R"({"split": {"m@1": 100}})");
  EXPECT_THAT(start("x", kRequest).message(), HasSubstr("gives all to 'm@1'"));
  server->set_route(kSplit);
  EXPECT_THAT(start("x", R"({"route":"r","goal":"g","control":"m@7"})").message(),
              HasSubstr("'m@7' is none of the arms: m@1, m@2"));
  EXPECT_TRUE(start("x", kRequest).ok());
  EXPECT_THAT(start("x", kRequest).message(), HasSubstr("runs already"));
  EXPECT_THAT(start("y", kRequest).message(), HasSubstr("experiment 'x' runs on the route 'r' already"));
  EXPECT_EQ((*server)->show("y").status().code(), Code::kNotFound);
  EXPECT_EQ((*server)->stop("y", "me").status().code(), Code::kNotFound);
  EXPECT_THAT((*server)->deploy("x", R"({"arm":"m@9"})", "me").status().message(), HasSubstr("none of the arms"));
  EXPECT_THAT((*server)->deploy("x", R"({"name":"m@1"})", "me").status().message(), HasSubstr("only 'arm'"));
  ASSERT_TRUE((*server)->deploy("x", R"({"arm":"m@1"})", "me").ok());
  EXPECT_EQ(server->split(), "m@1=100");
  EXPECT_THAT((*server)->stop("x", "me").status().message(), HasSubstr("is deployed already"));
  server->set_route(kSplit);
  EXPECT_TRUE(start("x", kRequest).ok()) << "again, from nothing";
  EXPECT_THAT(server->show(), HasSubstr(R"("number":2)"));
  EXPECT_THAT((*server)->list().value(), Not(HasSubstr("results")));
}

/// All that the file a.yaml says: one wish, or with an empty plan none.
Status declare(Server& server, const std::string& plan) {
  std::vector<YamlWish> wishes;
  if (!plan.empty()) wishes.push_back({"x", plan, "a.yaml", "a.yaml:7:5"});
  return server->declare(wishes, {"a.yaml"});
}

TEST_P(ExperimentKeeperTest, WhatAFileWantsBeginsOnceWhenItsRouteIsThere) {
  const auto server = make();
  ASSERT_TRUE(declare(*server, kRequest).ok());
  EXPECT_THAT(server->show(), HasSubstr(R"("number":0,"route":"r","state":"waiting","why":"there is no route 'r')"));
  EXPECT_THAT((*server)->list().value(), HasSubstr(R"("state":"waiting")"));
  server->set_route(kSplit);
  server->look(std::chrono::seconds(2));
  EXPECT_THAT(server->show(), HasSubstr(R"("state":"running")"));
  EXPECT_THAT(server->show(), HasSubstr(R"("started_by":"a.yaml:7:5")"));
  EXPECT_THAT(server->show(), HasSubstr(R"("state":"running","why":"","experiment":1})"));
  // What the file says else, or not at all, ends nothing.
  ASSERT_TRUE(declare(*server, R"({"route": "r", "goal": "click"})").ok());
  EXPECT_THAT(server->show(), HasSubstr(R"("state":"waiting","why":"the experiment 'x' runs already)"));
  ASSERT_TRUE(declare(*server, "").ok());
  EXPECT_THAT(server->show(), HasSubstr(R"("wish":null)"));
  server->look(std::chrono::seconds(2));
  EXPECT_THAT(server->show(), HasSubstr(R"("number":1,"route":"r","state":"running")"));
  ASSERT_TRUE(declare(*server, R"({"goal": "click", "route": "r"})").ok());
  ASSERT_TRUE((*server)->stop("x", "me").ok());
  server->look(std::chrono::seconds(2));
  EXPECT_THAT(server->show(), HasSubstr(R"("number":2,"route":"r","state":"running")"));
  ASSERT_TRUE((*server)->stop("x", "me").ok());
  EXPECT_THAT(server->show(), HasSubstr(R"("state":"stopped","why":"","experiment":2})"));
  ASSERT_TRUE(declare(*server, R"({"route": "r", "goal": "click"})").ok());  // the same
  server->look(std::chrono::seconds(5));
  EXPECT_THAT(server->show(), HasSubstr(R"("number":2,"route":"r","state":"stopped")"));
  ASSERT_TRUE(declare(*server, "").ok());
  EXPECT_THAT(server->show(), HasSubstr(R"("wish":null)"));
  ASSERT_TRUE(declare(*server, R"({"route": "r", "goal": "click"})").ok());  // put back
  server->look(std::chrono::seconds(5));
  EXPECT_THAT(server->show(), HasSubstr(R"("state":"stopped","why":"","experiment":2})"));
  EXPECT_EQ(declare(*server, R"({"route": "r"})").code(), Code::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutStore, ExperimentKeeperTest, ::testing::Bool());
INSTANTIATE_TEST_SUITE_P(WithStore, KeptExperimentTest, ::testing::Values(true));

}  // namespace
}  // namespace modelmill
