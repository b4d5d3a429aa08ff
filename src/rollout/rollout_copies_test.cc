#include "rollout/rollout_copies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/testing/temp_folder.h"
#include "rollout/testing/rollout_server.h"
#include "state/file_store.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kShadowRequest = R"({"to": 2, "steps": "shadow:10@2s,20,50,100", "hold": "1s", "min_requests": 10,
    "gates": ["error_rate<=+0.5pp", "disagreement<=2%"], "compare": {"y": {"kind": "top_k", "k": 3}}})";

TEST(RolloutCopiesTest, AVersionThatSaysTheSameIsAShadowFirstAndThenPromoted) {
  RolloutServer server(nullptr);
  ASSERT_TRUE(server.rollouts().start("m", kShadowRequest, "me").ok());
  EXPECT_EQ(server.split(), "m@1=100");
  EXPECT_EQ(server.shadows(), "m@2 10% of m@1");
  EXPECT_THAT(server.show(), HasSubstr("its copies cost: 'm@2' computes 10% of the requests as a shadow, and 'm@1' "
                                       "computes 20% and 50% of them a second time"));
  EXPECT_THAT(server.show(), HasSubstr(R"("shadow":true,"percent":0.0)"));
  EXPECT_THAT(server.show(), HasSubstr(R"("to":"m@2","of":"m@1","percent":10.0)"));
  EXPECT_THAT(server.routes().history("m")->route()->shadows.at(0).compare.at("y").k, 3);
  server.serve("m@1", 900);
  server.copy("m@2", 100, 1);
  server.look(std::chrono::seconds(1));  // its own hold time is longer
  EXPECT_EQ(server.split(), "m@1=100");
  EXPECT_THAT(server.show(), HasSubstr(R"("compared":100,"disagreed":1,"disagreement":0.01)"));
  server.look(std::chrono::seconds(1));
  EXPECT_EQ(server.split(), "m@1=80 m@2=20");
  EXPECT_EQ(server.shadows(), "m@1 100% of m@2");
  EXPECT_THAT(server.show(), HasSubstr(R"("compared":0)"));
  server.serve("m@1", 900);
  server.serve("m@2", 200);
  server.copy("m@1", 9);
  server.look(std::chrono::seconds(1));
  EXPECT_THAT(server.show(), HasSubstr("not enough answers to compare: 9; it takes 10"));
  server.copy("m@1", 191);
  server.look();
  EXPECT_EQ(server.split(), "m@1=50 m@2=50");
  server.serve("m@1", 50'000, 50);
  server.serve("m@2", 50'000, 50);
  server.copy("m@1", 2'000, 4);
  server.look(std::chrono::seconds(1));
  EXPECT_EQ(server.split(), "m@2=100");
  EXPECT_EQ(server.shadows(), "");  // there is nobody to disagree with
  EXPECT_THAT(server.show(), HasSubstr(R"("copies":null)"));
  server.serve("m@2", 100);
  server.look(std::chrono::seconds(1));
  EXPECT_EQ(server.split(), "none");
  EXPECT_EQ(server.made_default, "m@2 ");
  EXPECT_THAT(server.decisions(), ElementsAre("start", "step", "hold", "step", "step", "promote"));
}

TEST(RolloutCopiesTest, AFunctionThatFailsIsNoFaultOfTheVersion) {
  RolloutServer server(nullptr);
  server.add_function("agree");
  const auto request = [](const std::string& model) {
    return R"({"to": 2, "steps": "shadow:10@2s,20,50,100", "hold": "1s", "min_requests": 10, "gates": )"
           R"(["error_rate<=+0.5pp", "disagreement<=2%"], "compare": {"*": {"kind": "function", "model": ")" +
           model + "\"}}}";
  };
  EXPECT_THAT(server.rollouts().start("m", request("other"), "me").status().message(),
              HasSubstr("model 'other' compares no answers"));
  EXPECT_THAT(server.rollouts().start("m", request("agre"), "me").status().message(),
              HasSubstr("there is no model named 'agre'"));
  ASSERT_TRUE(server.rollouts().start("m", request("agree"), "me").ok());
  server.serve("m@1", 900);
  server.copy("m@2", 9, 0, 0, /*not_compared=*/91);
  server.look(std::chrono::seconds(3));
  EXPECT_EQ(server.shadows(), "m@2 10% of m@1") << "neither rolled back nor gone on";
  EXPECT_THAT(server.show(), HasSubstr("and 91 could not be compared"));
  EXPECT_THAT(server.show(), HasSubstr(R"("requests":100,"errors":0)"));
  server.copy("m@2", 1);
  server.look();
  EXPECT_EQ(server.split(), "m@1=80 m@2=20");
}

TEST(RolloutCopiesTest, AVersionThatSaysOtherwiseIsRolledBackAsAShadowAndWithTraffic) {
  RolloutServer server(nullptr);
  ASSERT_TRUE(server.rollouts().start("m", kShadowRequest, "me").ok());
  server.serve("m@1", 90);
  server.copy("m@2", 10, 9);
  server.look();
  EXPECT_EQ(server.split(), "none");
  EXPECT_THAT(server.show(), HasSubstr("gate disagreement<=2% is breached: 90.00% of 10 answers that were compared"));
  EXPECT_THAT(server.rollouts().history("m").value(), HasSubstr(R"("compared":10,"disagreed":9)"));
  ASSERT_TRUE(server.rollouts().start("m", kShadowRequest, "me").ok());
  server.serve("m@1", 900);
  server.copy("m@2", 100);
  server.look(std::chrono::seconds(2));
  EXPECT_EQ(server.split(), "m@1=80 m@2=20");
  server.serve("m@2", 10);
  server.copy("m@1", 10, 8);
  server.look();
  EXPECT_EQ(server.split(), "none");
  EXPECT_EQ(server.shadows(), "");
  EXPECT_EQ(server.made_default, "");
  EXPECT_THAT(server.decisions(), ElementsAre("start", "roll back", "start", "step", "roll back"));
}

TEST(RolloutCopiesTest, AShadowThatFailsIsRolledBackAndHarmsNobody) {
  RolloutServer server(nullptr);
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": 2, "steps": "shadow:10,50,100"})", "me").ok());
  server.serve("m@1", 120);
  server.copy("m@2", 2, 0, 12);
  server.look();
  EXPECT_THAT(server.show(), HasSubstr(R"("state":"rolled back")"));
  EXPECT_THAT(server.show(), HasSubstr(R"("arm":"m@2","requests":14,"errors":12)"));
  ASSERT_TRUE(server.rollouts().start("m", R"({"to": 2, "steps": "shadow:10,50,100"})", "me").ok());
  server.version(2).crashed = true;
  server.look();
  EXPECT_THAT(server.show(), HasSubstr("its worker has died"));
  EXPECT_EQ(server.split(), "none");
}

TEST(RolloutCopiesTest, ARoutesOwnShadowsComeBack) {
  RolloutServer server(nullptr);
  const RouteDefinition before =
      parse_route(
          R"({"split": {"m@1": 75, "other": 25}, "shadow": [{"target": "m@2", "share": "1%"}, {"target": "m@3"}]})",
          "m")
          .value();
  ASSERT_TRUE(server.routes().set(before, "me").ok());
  ASSERT_TRUE(server.rollouts().start("m", kShadowRequest, "me").ok());
  EXPECT_EQ(server.split(), "m@1=75 other=25");
  EXPECT_EQ(server.shadows(), "m@3 100%, m@2 10% of m@1");
  EXPECT_THAT(server.show(), HasSubstr(R"("percent":7.5,"cost":"'m@2' computes 7.5% of the requests in addition")"));
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kPause, "me").ok());
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kResume, "me").ok());
  EXPECT_EQ(server.shadows(), "m@3 100%, m@2 10% of m@1");
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kAbort, "me").ok());
  EXPECT_EQ(server.routes().history("m")->route(), before);
}

TEST(RolloutCopiesTest, AShadowsStepGoesOnWhereItWas) {
  TempFolder folder;
  const std::unique_ptr<FileStore> store = FileStore::open(folder / "store").value();
  {
    RolloutServer server(store.get());
    ASSERT_TRUE(server.rollouts().start("m", kShadowRequest, "me").ok());
    server.serve("m@1", 900);
    server.copy("m@2", 9);
    server.look(std::chrono::milliseconds(1'900));
    server.look(std::chrono::milliseconds(100));  // it is written, and too few were compared
    EXPECT_THAT(server.show(), HasSubstr("canary 9 copies"));
  }
  RolloutServer server(store.get());
  EXPECT_EQ(server.split(), "m@1=100");
  EXPECT_EQ(server.shadows(), "m@2 10% of m@1");
  EXPECT_THAT(server.show(), HasSubstr(R"("compared":9,)"));
  server.copy("m@2", 1);
  server.look();
  EXPECT_EQ(server.split(), "m@1=80 m@2=20");
  EXPECT_EQ(server.shadows(), "m@1 100% of m@2");
  EXPECT_THAT(server.decisions(), ElementsAre("start", "hold", "step"));
}

}  // namespace
}  // namespace modelmill
