#include "learning/weight_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/stable_hash.h"
#include "base/testing/temp_folder.h"
#include "state/file_store.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The ensemble e, a majority of members that learns.
std::shared_ptr<EnsemblePlan> plan_of(const std::vector<std::string>& members, bool learns = true) {
  auto plan = std::make_shared<EnsemblePlan>();
  plan->name = "e";
  plan->combines = true;
  plan->combination.combiner = Combiner::kMajority;
  plan->combination.outputs.push_back({"label", DataType::kInt64, {}});
  if (learns) plan->combination.learning = WeightLearning{0.5, 0.01, std::nullopt, 1, ""};
  for (const std::string& member : members) {
    EnsemblePlan::Step step;
    step.model = member;
    plan->steps.push_back(std::move(step));
    plan->combination.weights.push_back(1);
  }
  return plan;
}

/// A server that has the ensemble; made again over the same store it is that server after a restart.
class Server {
 public:
  explicit Server(StateStore* store) {
    WeightKeeper::Options options;
    if (store != nullptr) options.store = [store](bool) -> Result<StateStore*> { return store; };
    options.now = [] { return "2026-01-31T12:00:00Z"; };
    keeper_ = std::make_unique<WeightKeeper>(metrics_, std::move(options));
  }

  WeightKeeper* operator->() { return keeper_.get(); }
  void load(const std::shared_ptr<EnsemblePlan>& plan) {
    weights_ = keeper_->attach(plan);
    auto names = std::make_shared<std::vector<std::string>>();
    for (const EnsemblePlan::Step& step : plan->steps) names->push_back(step.text());
    names_ = names;
    plan_ = plan;
  }
  void unload() { weights_.reset(); }
  /// The members say so; -1: it does not take part.
  void answer(const std::string& id, const std::vector<int64_t>& said) {
    const EnsemblePlan::Combination& combination = plan_->combination;
    MemberAnswers answers{names_, {}, DataType::kInt64, {1}, {}, combination.combiner, combination.outputs.at(0).name};
    for (size_t i = 0; i < said.size(); ++i) {
      if (said[i] < 0) continue;
      answers.took_part.push_back(i);
      answers.data.emplace_back(reinterpret_cast<const char*>(&said[i]), sizeof said[i]);
    }
    weights_->answers().put(stable_hash(id), std::move(answers));
  }
  std::string tell(const std::string& batch) {
    auto answer = keeper_->feedback("e", batch);
    return answer.ok() ? *answer : answer.status().message();
  }
  double weight(const std::string& member) { return weights_->table()->of(member).value(); }
  bool has_table() const { return weights_->table() != nullptr; }
  bool remembers() const { return weights_->remembers(); }
  MetricRegistry& metrics() { return metrics_; }

 private:
  MetricRegistry metrics_;
  std::unique_ptr<WeightKeeper> keeper_;
  std::shared_ptr<CombinationWeights> weights_;
  std::shared_ptr<const std::vector<std::string>> names_;
  std::shared_ptr<const EnsemblePlan> plan_;
};

TEST(WeightKeeperTest, FeedbackMovesTheWeights) {
  Server server(nullptr);
  server.load(plan_of({"a", "b", "c"}));
  EXPECT_TRUE(server.remembers());
  EXPECT_NEAR(server.weight("a"), 1.0 / 3, 1e-9);
  server.answer("1", {7, 3, 3});
  EXPECT_THAT(server.tell(R"({"id": "1", "label": 7})"), HasSubstr(R"("counted":1,"duplicate":0,"unknown":0)"));
  const double share = 1 / (1 + 2 * std::exp(-0.5));
  EXPECT_NEAR(server.weight("a"), share, 1e-9);
  EXPECT_NEAR(server.weight("a") + server.weight("b") + server.weight("c"), 1, 1e-9);
  EXPECT_THAT(server.metrics().render(), HasSubstr(R"(modelmill_ensemble_weight{model="e",member="b"} 0.)"));
  EXPECT_THAT(server->show("e").value(), HasSubstr(R"("member":"a","weight":0.)"));
  EXPECT_THAT(server->show("e").value(), HasSubstr(R"("counted_ever":1)"));
}

TEST(WeightKeeperTest, AnIdCountsOnce) {
  Server server(nullptr);
  server.load(plan_of({"a", "b"}));
  server.answer("1", {1, 2});
  server.answer("2", {1, 2});
  const std::string told = server.tell(
      R"([{"id": "1", "label": 1}, {"id": "1", "label": 2}, {"id": "nobody", "label": 1}, {"id": 2, "label": [1]}])");
  EXPECT_EQ(told, R"({"counted":2,"duplicate":1,"unknown":1,"frozen":0,"unknown_ids":["nobody"]})");
  const double weight = server.weight("a");
  EXPECT_THAT(server.tell(R"({"feedback": [{"id": "2", "label": 2}]})"), HasSubstr(R"("duplicate":1)"));
  EXPECT_EQ(server.weight("a"), weight);
  EXPECT_THAT(server.metrics().render(),
              HasSubstr(R"(modelmill_ensemble_feedback_total{model="e",result="duplicate"} 2)"));
}

TEST(WeightKeeperTest, ABatchCountsAsAWholeOrNotAtAll) {
  Server server(nullptr);
  server.load(plan_of({"a", "b"}));
  server.answer("1", {1, 2});
  server.answer("2", {1, 2});
  EXPECT_THAT(server.tell(R"([{"id": "1", "label": 1}, {"id": "2", "label": [1, 2]}])"),
              HasSubstr("feedback for request '2': 'label' has 2 elements, and the answer has 1 element"));
  EXPECT_NEAR(server.weight("a"), 0.5, 1e-9);
  EXPECT_THAT(server.tell(R"([{"id": "1", "label": 1}, {"id": "2", "lable": 1}])"),
              HasSubstr("feedback 2 of the list: unknown key 'lable'; did you mean 'label'?"));
  EXPECT_THAT(server.tell(R"({"label": 1})"), HasSubstr("it needs 'id'"));
  EXPECT_THAT(server.tell(R"({"id": "1"})"), HasSubstr("it needs 'label'"));
  EXPECT_THAT(server.tell("{"), HasSubstr("feedback must be JSON"));
  EXPECT_THAT(server.tell(R"({"id": "1", "label": 1})"), HasSubstr(R"("counted":1)"));
}

TEST(WeightKeeperTest, WhoDidNotTakePartSleeps) {
  Server server(nullptr);
  server.load(plan_of({"a", "b", "c"}));
  for (int i = 0; i < 20; ++i) {
    const std::string id = std::to_string(i);
    server.answer(id, {1, 2, -1});
    server.tell(R"({"id": ")" + id + R"(", "label": 1})");
  }
  EXPECT_GT(server.weight("a"), 0.6);
  EXPECT_NEAR(server.weight("b"), 0.01, 1e-9);
  EXPECT_NEAR(server.weight("c"), 1.0 / 3, 1e-9) << "nothing was said against it";
}

TEST(WeightKeeperTest, FrozenWeightsStay) {
  Server server(nullptr);
  server.load(plan_of({"a", "b"}));
  ASSERT_TRUE(server->freeze("e", true, "me").ok());
  server.answer("1", {1, 2});
  EXPECT_THAT(server.tell(R"({"id": "1", "label": 1})"), HasSubstr(R"("frozen":1)"));
  EXPECT_NEAR(server.weight("a"), 0.5, 1e-9);
  EXPECT_THAT(server->show("e").value(), HasSubstr(R"("frozen":true)"));
  ASSERT_TRUE(server->freeze("e", false, "me").ok());
  EXPECT_THAT(server.tell(R"({"id": "1", "label": 1})"), HasSubstr(R"("counted":1)")) << "it was not lost";
  EXPECT_GT(server.weight("a"), 0.5);
}

TEST(WeightKeeperTest, WeightsOutlastARestart) {
  const TempFolder folder;
  const auto store = FileStore::open(folder.path() + "/store").value();
  double learned = 0;
  {
    Server server(store.get());
    server.load(plan_of({"a", "b"}));
    server.answer("1", {1, 2});
    server.tell(R"({"id": "1", "label": 1})");
    learned = server.weight("a");
    server->stop();
  }
  Server again(store.get());
  again.load(plan_of({"a", "b"}));
  EXPECT_NEAR(again.weight("a"), learned, 1e-12);
  EXPECT_THAT(again->show("e").value(), HasSubstr(R"("counted_ever":1)"));
  ASSERT_TRUE(again->reset("e", "me").ok());
  EXPECT_NEAR(again.weight("a"), 0.5, 1e-9);
}

TEST(WeightKeeperTest, WeightsAreTheMembersWhateverOthersThereAre) {
  Server server(nullptr);
  server.load(plan_of({"a", "b"}));
  for (int i = 0; i < 5; ++i) {
    server.answer(std::to_string(i), {1, 2});
    server.tell(R"({"id": )" + std::to_string(i) + R"(, "label": 1})");
  }
  const double ratio = server.weight("a") / server.weight("b");
  server.answer("late", {1, 2});
  server.load(plan_of({"c", "b", "a"}));
  EXPECT_NEAR(server.weight("c"), 1.0 / 3, 1e-9) << "who is new has its share of the configuration";
  EXPECT_NEAR(server.weight("a") / server.weight("b"), ratio, 1e-6);
  const double before = server.weight("a");
  EXPECT_THAT(server.tell(R"({"id": "late", "label": 2})"), HasSubstr(R"("counted":1)"));
  EXPECT_LT(server.weight("a"), before) << "answers of before are known by the members' names";
}

TEST(WeightKeeperTest, AnswersOfAnotherConfigurationAreUnknown) {
  Server server(nullptr);
  const auto votes = plan_of({"a", "b"});
  server.load(votes);
  for (const char* id : {"1", "2", "3"}) server.answer(id, {1, 2});
  const auto means = plan_of({"a", "b"});
  means->combination.combiner = Combiner::kWeighted;
  means->combination.outputs.at(0).dtype = DataType::kFp32;
  server.load(means);
  EXPECT_THAT(server.tell(R"([{"id": "1", "label": 1}, {"id": "nobody", "label": 1}])"),
              HasSubstr(R"("counted":0,"duplicate":0,"unknown":2)"));
  const auto other = plan_of({"a", "b"});
  other->combination.outputs.at(0).name = "language";
  server.load(other);
  EXPECT_THAT(server.tell(R"({"id": "1", "label": 1})"), HasSubstr(R"("unknown":1)"));
  EXPECT_NEAR(server.weight("a"), 0.5, 1e-9);
  server.load(votes);
  EXPECT_THAT(server.tell(R"({"id": "1", "label": 1})"), HasSubstr(R"("counted":1)"));
  server.load(plan_of({"a", "b"}, false));
  server.load(votes);
  EXPECT_THAT(server.tell(R"({"id": "2", "label": 1})"), HasSubstr(R"("unknown":1)")) << "nobody was to remember it";
}

TEST(WeightKeeperTest, WeightsOfZeroCanLearn) {
  const TempFolder folder;
  const auto store = FileStore::open(folder.path() + "/store").value();
  const auto plan = plan_of({"a", "b"});
  plan->combination.learning->floor = 0;
  Server server(store.get());
  server.load(plan);
  ASSERT_TRUE(server->set("e", R"({"weights": {"a": 1, "b": 0}})", "me").ok());
  EXPECT_GT(server.weight("b"), 0);
  server.answer("1", {-1, 2});
  EXPECT_THAT(server.tell(R"({"id": "1", "label": 2})"), HasSubstr(R"("counted":1)"));
  EXPECT_NEAR(server.weight("a"), 1, 1e-9);
  EXPECT_GT(server.weight("b"), 0);
  EXPECT_THAT(server->show("e").value(), Not(HasSubstr("NaN")));
  server->look();
  for (int i = 0; i < 100; ++i) {
    server.answer("more" + std::to_string(i), {1, 2});
    server.tell(R"({"id": "more)" + std::to_string(i) + R"(", "label": 2})");
  }
  EXPECT_GT(server.weight("b"), 0.99) << "it comes back";
  EXPECT_TRUE(server->set("e", R"({"weights": {"a": 1, "b": 1}})", "me").ok()) << "what was written can be read";
}

TEST(WeightKeeperTest, MeanLossesAreOfWhatWasLearned) {
  Server server(nullptr);
  server.load(plan_of({"a", "b"}));
  server.answer("1", {1, 1});
  server.load(plan_of({"c", "d"}));
  server.answer("2", {1, 1});
  server.tell(R"([{"id": "1", "label": 2}, {"id": "2", "label": 2}])");
  EXPECT_THAT(server->show("e").value(), HasSubstr(R"("mean_loss":1.0,"feedback":{"counted":2)"))
      << "the members of the first have gone";
}

TEST(WeightKeeperTest, WhatIsRefusedLeavesItToOthers) {
  const TempFolder folder;
  const auto store = FileStore::open(folder.path() + "/store").value();
  const auto other_store = FileStore::open(folder.path() + "/store").value();
  Server server(store.get()), other(other_store.get());
  server.load(plan_of({"a", "b"}, false));
  other.load(plan_of({"a", "b"}, false));
  const std::string weights = R"({"weights": {"a": 3, "b": 1}})";
  ASSERT_TRUE(server->set("e", weights, "me").ok());
  EXPECT_FALSE(server->set("e", R"({"weights": {"a": 3, "z": 1}})", "me").ok());
  EXPECT_FALSE(server->freeze("e", true, "me").ok());
  const auto set = other->set("e", weights, "you");
  EXPECT_TRUE(set.ok()) << set.status().to_string();
}

TEST(WeightKeeperTest, WhatIsUnloadedComesBack) {
  Server server(nullptr);
  server.load(plan_of({"a", "b"}));
  server.answer("1", {1, 2});
  server.tell(R"({"id": "1", "label": 1})");
  const double learned = server.weight("a");
  server.unload();
  server->look();
  server->look();
  EXPECT_EQ(server->show("e").status().code(), Code::kNotFound);
  server.load(plan_of({"a", "b"}));
  EXPECT_NEAR(server.weight("a"), learned, 1e-12);
}

TEST(WeightKeeperTest, OnesThatDoNotLearnCanBeSet) {
  Server server(nullptr);
  server.load(plan_of({"a", "b"}, false));
  EXPECT_FALSE(server.remembers());
  EXPECT_FALSE(server.has_table());
  EXPECT_THAT(server.tell(R"({"id": "1", "label": 1})"), HasSubstr("add weights: {learn: feedback}"));
  EXPECT_FALSE(server->freeze("e", true, "me").ok());
  ASSERT_TRUE(server->set("e", R"({"weights": {"a": 3, "b": 0}})", "me").ok());
  EXPECT_EQ(server.weight("a"), 1);
  EXPECT_EQ(server.weight("b"), 0);
  const auto wrong = [&](const char* request) { return server->set("e", request, "me").status().message(); };
  EXPECT_THAT(wrong(R"({"weights": {"a": 1}})"), HasSubstr("the weight of 'b' is missing"));
  EXPECT_THAT(wrong(R"({"weights": {"a": 1, "b": 1, "z": 1}})"), HasSubstr("'z' is none of its members: a, b"));
  EXPECT_THAT(wrong(R"({"weights": {"a": 0, "b": 0}})"), HasSubstr("must be above 0"));
  EXPECT_THAT(wrong(R"({"weights": {"a": -1, "b": 2}})"), HasSubstr("from 0 to 1e12"));
  EXPECT_THAT(wrong("[]"), HasSubstr("weights must be JSON such as"));
  ASSERT_TRUE(server->reset("e", "me").ok());
  EXPECT_FALSE(server.has_table());
}

TEST(WeightKeeperTest, OtherEnsemblesHaveNone) {
  Server server(nullptr);
  auto plan = plan_of({"a", "b"}, false);
  plan->combination.combiner = Combiner::kAverage;
  EXPECT_EQ(server->attach(plan), nullptr);
  plan->combines = false;
  EXPECT_EQ(server->attach(plan), nullptr);
  EXPECT_THAT(server->list().value(), Not(HasSubstr("\"e\"")));
  EXPECT_EQ(server->show("e").status().code(), Code::kNotFound);
}

TEST(WeightDocumentTest, IsReadAsItWasWritten) {
  const WeightDocument document{{{"a", 0.25}, {"b@2", 0.75}}, true, 12, "2026-01-31T12:00:00Z", "me"};
  const auto read = parse_weight_document(weight_document_text(document));
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(*read, document);
  EXPECT_EQ(parse_weight_document(R"({"format": 2})").status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(parse_weight_document(R"({"format": 1, "more": 1})").status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(parse_weight_document(R"({"format": 1, "combination": {"weights": {"a": -1}}})").status().code(),
            Code::kDataLoss);
}

}  // namespace
}  // namespace modelmill
