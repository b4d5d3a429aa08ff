#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/testing/temp_folder.h"
#include "rollout/rollout_keeper.h"
#include "rollout/rollout_request.h"
#include "rollout/testing/rollout_server.h"
#include "state/file_store.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class RolloutWishesTest : public ::testing::TestWithParam<bool> {
 protected:
  RolloutWishesTest() : store_(FileStore::open(folder_ / "store").value()) {}
  StateStore* store() { return GetParam() ? store_.get() : nullptr; }

  TempFolder folder_;
  std::unique_ptr<FileStore> store_;
};

constexpr const char* kTo2 = R"({"to": 2, "steps": [10, 100], "hold": "1s", "min_requests": 10})";
constexpr const char* kTo3 = R"({"to": 3, "steps": [10, 100]})";

/// All that the file a.yaml says: one wish, or with an empty plan none.
Status declare(RolloutServer& server, const std::string& plan, const std::string& place = "a.yaml:7:5") {
  std::vector<YamlWish> wishes;
  if (!plan.empty()) wishes.push_back({"m", plan, "a.yaml", place});
  return server.rollouts().declare(wishes, {"a.yaml"});
}

std::string wish(RolloutServer& server) {
  const std::string json = server.show();
  return json.substr(json.find(R"("wish":)"));
}

/// Errors of all that the canary answers, and so the rollout's end.
void spoil(RolloutServer& server) {
  server.serve("m@1", 900);
  server.serve("m@2", 100, 90);
  server.look();
}

TEST_P(RolloutWishesTest, WhatAFileWantsBeginsOnceAndIsNotBegunAgain) {
  RolloutServer server(store());
  ASSERT_TRUE(declare(server, kTo2).ok());
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  EXPECT_THAT(server.show(), HasSubstr("started by a.yaml:7:5"));
  EXPECT_THAT(wish(server), HasSubstr(R"("place":"a.yaml:7:5","plan":{"to":"2","steps":"10,100","hold":"1s",)"
                                      R"("min_requests":10},"state":"running","why":"","rollout":1})"));
  EXPECT_THAT(server.rollouts().history("m").value(), HasSubstr("the file wants it"));
  spoil(server);
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(wish(server), HasSubstr(R"("state":"rolled back","why":"","rollout":1})"));
  // The same wish at another place, its keys in another order.
  ASSERT_TRUE(
      declare(server, R"({"hold": "1s", "min_requests": 10, "steps": "10,100", "to": "2"})", "a.yaml:9:5").ok());
  server.look(std::chrono::seconds(5));
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(wish(server), HasSubstr("a.yaml:9:5"));
  // Another target is another wish.
  ASSERT_TRUE(declare(server, kTo3).ok());
  EXPECT_EQ(server.split(), "m@1=90 m@3=10");
  EXPECT_THAT(server.decisions(), ElementsAre("start", "roll back", "start"));
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kAbort, "me").ok());
  EXPECT_THAT(wish(server), HasSubstr(R"("state":"aborted")"));
  // What one begins by hand is none of the wish's.
  ASSERT_TRUE(server.rollouts().start("m", kTo2, "me").ok());
  EXPECT_THAT(wish(server), HasSubstr(R"("state":"aborted")"));
  ASSERT_TRUE(declare(server, "").ok());
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  EXPECT_EQ(wish(server), R"("wish":null})");
  // Put back, it is what it was.
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kAbort, "me").ok());
  ASSERT_TRUE(declare(server, kTo3).ok());
  server.look(std::chrono::seconds(5));
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(wish(server), HasSubstr(R"("place":"a.yaml:7:5")"));
  EXPECT_THAT(wish(server), HasSubstr(R"("state":"aborted")"));
}

TEST_P(RolloutWishesTest, AWishThatIsTakenAwayEndsItsRolloutAndAnotherOneTakesItsPlace) {
  RolloutServer server(store());
  ASSERT_TRUE(declare(server, kTo2).ok());
  ASSERT_TRUE(server.rollouts().declare({}, {"b.yaml"}).ok());  // another file is not asked
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  ASSERT_TRUE(declare(server, kTo3).ok());
  EXPECT_EQ(server.split(), "m@1=90 m@3=10");
  ASSERT_TRUE(declare(server, "").ok());
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(server.decisions(), ElementsAre("start", "abort", "start", "abort"));
  EXPECT_THAT(server.show(), HasSubstr("the file does not want it any more"));
  EXPECT_EQ(server.made_default, "");
  // Wanted again, it begins again.
  ASSERT_TRUE(declare(server, kTo3).ok());
  EXPECT_EQ(server.split(), "m@1=90 m@3=10");
}

TEST_P(RolloutWishesTest, AWishWaitsUntilItCanBegin) {
  RolloutServer server(store());
  server.version(2).crashed = true;
  ASSERT_TRUE(declare(server, kTo2).ok());
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(server.show(), HasSubstr(R"({"name":"m","number":0,"state":"waiting","why":"'m@2' is not ready)"));
  EXPECT_THAT(server.rollouts().list().value(), HasSubstr(R"("state":"waiting")"));
  EXPECT_EQ(server.rollouts().history("m").status().code(), Code::kNotFound);
  EXPECT_EQ(server.rollouts().act("m", RolloutAction::kAbort, "me").status().code(), Code::kNotFound);
  server.version(2).crashed = false;
  ASSERT_TRUE(server.rollouts().start("m", kTo3, "me").ok());
  server.look(std::chrono::seconds(2));
  EXPECT_THAT(wish(server), HasSubstr(R"("state":"waiting","why":"a rollout of 'm' to 'm@3' runs already)"));
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kAbort, "me").ok());
  server.look(std::chrono::seconds(2));
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
  EXPECT_THAT(wish(server), HasSubstr(R"("state":"running","why":"","rollout":2)"));
}

TEST_P(RolloutWishesTest, WhatServesAlreadyIsReached) {
  RolloutServer server(store());
  ASSERT_TRUE(declare(server, R"({"to": 1})").ok());
  EXPECT_THAT(server.show(), HasSubstr(R"("number":0,"state":"reached","why":"'m@1' is what serves 'm' already)"));
  ASSERT_TRUE(server.routes().set(parse_route(R"({"split": {"m@2": 100}})", "m").value(), "me").ok());
  ASSERT_TRUE(declare(server, R"({"to": 2, "from": 1})").ok());
  EXPECT_THAT(wish(server), HasSubstr(R"("state":"reached")"));
  server.look(std::chrono::seconds(5));
  EXPECT_EQ(server.split(), "m@2=100");
}

TEST_P(RolloutWishesTest, MistakesAreToldWithTheirPlace) {
  RolloutServer server(store());
  const Status status = declare(server, R"({"to": 2, "gates": ["fast"]})");
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("a.yaml:7:5: "));
  EXPECT_EQ(server.rollouts().show("m").status().code(), Code::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(InMemoryAndKept, RolloutWishesTest, ::testing::Bool());

class KeptRolloutWishesTest : public RolloutWishesTest {};

TEST_P(KeptRolloutWishesTest, ARestartForgetsNothingOfIt) {
  {
    RolloutServer server(store());
    ASSERT_TRUE(declare(server, kTo2).ok());
    spoil(server);
  }
  {
    RolloutServer server(store());
    ASSERT_TRUE(declare(server, kTo2).ok());
    server.look(std::chrono::seconds(5));
    EXPECT_EQ(server.split(), "none");
    EXPECT_THAT(wish(server), HasSubstr(R"("state":"rolled back")"));
    ASSERT_TRUE(declare(server, kTo3).ok());
  }
  RolloutServer server(store());
  EXPECT_EQ(server.split(), "m@1=90 m@3=10");
  // It was taken out of the file while no server ran.
  ASSERT_TRUE(declare(server, "").ok());
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(wish(server), Not(HasSubstr("place")));
}

TEST_P(KeptRolloutWishesTest, WhatNoFileOfThisProcessWantsIsNotBegun) {
  {
    RolloutServer server(store());
    server.version(2).crashed = true;
    ASSERT_TRUE(declare(server, kTo2).ok());
  }
  RolloutServer server(store());
  ASSERT_TRUE(server.rollouts().declare({}, {"b.yaml"}).ok());
  server.look(std::chrono::seconds(5));
  EXPECT_EQ(server.split(), "none");
  ASSERT_TRUE(declare(server, kTo2).ok());
  server.look(std::chrono::seconds(2));
  EXPECT_EQ(server.split(), "m@1=90 m@2=10");
}

INSTANTIATE_TEST_SUITE_P(Kept, KeptRolloutWishesTest, ::testing::Values(true));

}  // namespace
}  // namespace modelmill
