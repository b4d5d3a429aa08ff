// Combinations: quorum, deadline, and what their answers tell.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/stable_hash.h"
#include "ensemble/testing/ensemble_test.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using testing::fails;
using testing::floats;
using testing::floats_of;
using testing::gives;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(EnsembleRunTest, CombinesWhatAllMembersSay) {
  make(combination(3, {}, Combiner::kWeighted));
  members_.add("a", gives(1));
  members_.add("b", gives(3));
  members_.add("c", gives(8));
  const Asked asked = ask("x");
  ASSERT_TRUE(asked.status().ok()) << asked.status().to_string();
  EXPECT_THAT(floats_of(asked.answer().outputs.at(0)), ElementsAre(5));
  EXPECT_EQ(std::get<std::string>(*asked.answer().parameters.find("ensemble_members")), "a,b,c");
  EXPECT_EQ(asked.answer().parameters.find("ensemble_missing"), nullptr);
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, AMemberMayHaveNoInputs) {
  auto plan = combination(3);
  plan->steps[1].inputs.clear();
  for (std::vector<size_t>& readers : plan->readers) std::erase(readers, 1U);
  make(plan);
  for (const char* name : {"a", "b", "c"}) members_.add(name, gives(4));
  const Asked asked = ask("x");
  ASSERT_TRUE(asked.status().ok()) << asked.status().to_string();
  EXPECT_EQ(std::get<std::string>(*asked.answer().parameters.find("ensemble_members")), "a,b,c");
}

TEST_F(EnsembleRunTest, AQuorumDoesWithoutTheRest) {
  make(combination(2));
  members_.add("a", gives(1));
  members_.add("b", fails(internal("broken")));
  members_.add("c", gives(9));
  const Asked asked = ask("x");
  ASSERT_TRUE(asked.status().ok()) << asked.status().to_string();
  EXPECT_THAT(floats_of(asked.answer().outputs.at(0)), ElementsAre(5));
  EXPECT_EQ(std::get<std::string>(*asked.answer().parameters.find("ensemble_members")), "a,c");
  EXPECT_EQ(std::get<std::string>(*asked.answer().parameters.find("ensemble_missing")), "b");
}

TEST_F(EnsembleRunTest, WithoutAQuorumItFailsAsSoonAsThatIsKnown) {
  make(combination(2));
  members_.add("a", fails(unavailable("gone")));
  members_.add("c", gives(9));
  const Asked missing = ask("x");
  EXPECT_EQ(missing.status().code(), Code::kUnavailable);
  EXPECT_THAT(missing.status().message(), HasSubstr("2 of 3 members have failed, and the quorum is 2"));
  members_.add("b", gives(1));
  members_.hold("b");
  members_.hold("c");
  const Asked held = ask("x");
  EXPECT_EQ(held.sink->finals, 0) << "two may still answer";
  fails(internal("broken"))(members_.take("c"));
  EXPECT_THAT(held.status().message(), HasSubstr("model 'c': broken; 2 of 3"));
  EXPECT_THAT(members_.waiting["b"], IsEmpty());
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, AtTheDeadlineTheQuorumAnswersAndTheRestIsCancelled) {
  make(combination(2, std::chrono::milliseconds(20)));
  for (const char* name : {"a", "b", "c"}) members_.add(name, gives(4));
  members_.hold("c");
  const Asked asked = ask("x");
  EXPECT_EQ(asked.sink->finals, 0) << "there is time left for the third";
  EXPECT_LT(members_.waiting["c"].front()->deadline, Clock::now() + std::chrono::seconds(10));
  members_.time_is_up();
  ASSERT_TRUE(asked.status().ok());
  EXPECT_EQ(std::get<std::string>(*asked.answer().parameters.find("ensemble_missing")), "c");
  EXPECT_THAT(members_.waiting["c"], IsEmpty());
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, AtTheDeadlineWithoutAQuorumItSaysWhoIsMissing) {
  make(combination(2, std::chrono::milliseconds(20)));
  for (const char* name : {"a", "b", "c"}) members_.add(name, gives(4));
  members_.hold("b");
  members_.hold("c");
  const Asked asked = ask("x");
  members_.time_is_up();
  EXPECT_EQ(asked.status().code(), Code::kDeadlineExceeded);
  EXPECT_THAT(asked.status().message(), HasSubstr("1 of 3 members have answered within its deadline of 20000 us, and "
                                                  "the quorum is 2; missing: 'b', 'c'"));
  members_.time_is_up();
  EXPECT_EQ(asked.sink->finals, 1);
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, MembersThatAreNotThereAreCountedToo) {
  make(combination(2));
  members_.add("a", gives(1));
  const Asked asked = ask("x");
  EXPECT_EQ(asked.status().message(),
            "in ensemble 'e', model 'c': Request for unknown model: 'c' is not found; 2 of 3 members have failed, and "
            "the quorum is 2");
  EXPECT_THAT(members_.asked, IsEmpty());
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, IsAvailableAsLongAsThereIsAQuorum) {
  make(combination(2));
  for (const char* name : {"a", "b", "c"}) members_.add(name, gives(4));
  EXPECT_TRUE(version_->availability().ok());
  members_.versions.erase("b");
  EXPECT_TRUE(version_->availability().ok());
  members_.versions.erase("a");
  EXPECT_THAT(version_->availability().message(), HasSubstr("ensemble 'e' depends on 'a' which can't be asked"));
}

TEST_F(EnsembleRunTest, FaresAsTheProcessesOfItsMembersDo) {
  make(combination(2));
  for (const char* name : {"a", "c"}) members_.add(name, gives(4));
  EXPECT_EQ(version_->process_health().failures, 0U);
  members_.versions["a"]->health = {2, "it had too much memory", 7};
  members_.versions["c"]->health = {1, "it was killed", 9};
  const ProcessHealth health = version_->process_health();
  EXPECT_EQ(health.failures, 3U);
  EXPECT_EQ(health.memory_bytes, 9U);
  EXPECT_EQ(health.last_failure, "'c': it was killed");
  // What a member had does not come back as new once it can be pinned again.
  auto a = std::move(members_.versions["a"]);
  members_.versions.erase("a");
  EXPECT_EQ(version_->process_health().failures, 3U);
  members_.versions["a"] = std::move(a);
  EXPECT_EQ(version_->process_health().failures, 3U);
}

TEST_F(EnsembleRunTest, CountsTheCrashesOfAMemberThatItAsksTwiceOnce) {
  auto plan = combination(2);
  plan->steps[2].model = "a";
  make(plan);
  for (const char* name : {"a", "b"}) members_.add(name, gives(4));
  members_.versions["a"]->health = {2, "it was killed", 7};
  members_.versions["b"]->health = {1, "it was killed", 9};
  EXPECT_EQ(version_->process_health().failures, 3U);
}

TEST_F(EnsembleRunTest, ASoftVoteTellsTheClass) {
  auto plan = combination(3, {}, Combiner::kSoftVote);
  plan->combination.label_output = "label";
  make(plan);
  const auto probabilities = [](std::vector<float> p) {
    return [p](const InferRequestPtr& request) {
      InferResponse response;
      response.outputs.push_back(floats("y", p));
      request->complete(std::move(response));
    };
  };
  members_.add("a", probabilities({0.9F, 0.1F}));
  members_.add("b", probabilities({0.4F, 0.6F}));
  members_.add("c", probabilities({0.2F, 0.8F}));
  const Asked asked = ask("x");
  ASSERT_EQ(asked.answer().outputs.size(), 2U) << asked.status().to_string();
  EXPECT_EQ(asked.answer().outputs[0].name, "y");
  EXPECT_EQ(asked.answer().outputs[1].name, "label");
  int64_t label = 0;
  std::memcpy(&label, asked.answer().outputs[1].data[0].data(), sizeof label);
  EXPECT_EQ(label, 1) << "0.425 and 0.575 by the weights 1, 1, 2";
  const Asked only = ask("x", {{"label"}});
  ASSERT_EQ(only.answer().outputs.size(), 1U);
  EXPECT_EQ(only.answer().outputs[0].name, "label");
}

TEST_F(EnsembleRunTest, WeightsThatWereLearnedCount) {
  const auto weights = std::make_shared<CombinationWeights>();
  make(combination(2, {}, Combiner::kWeighted), weights);
  members_.add("a", gives(1));
  members_.add("b", gives(3));
  members_.add("c", gives(8));
  EXPECT_THAT(floats_of(ask("x").answer().outputs.at(0)), ElementsAre(5)) << "nobody has said anything";
  weights->publish(std::make_shared<WeightTable>(WeightTable{{{"a", 0.75}, {"b", 0.25}, {"c", 0}}}));
  EXPECT_THAT(floats_of(ask("x").answer().outputs.at(0)), ElementsAre(1.5));
  EXPECT_EQ(version_->explain().weights.at(0), (std::pair<std::string, double>("a", 0.75)));
  members_.add("a", fails(internal("broken")));
  EXPECT_THAT(floats_of(ask("x").answer().outputs.at(0)), ElementsAre(3)) << "the others share its weight";
  weights->publish(std::make_shared<WeightTable>(WeightTable{{{"a", 0.75}, {"z", 0.25}}}));
  EXPECT_THAT(floats_of(ask("x").answer().outputs.at(0)), ElementsAre((3 + 2 * 8) / 3.F)) << "of other members";
  weights->publish(std::make_shared<WeightTable>(WeightTable{{{"a", 1}, {"b", 0}, {"c", 0}}}));
  EXPECT_THAT(floats_of(ask("x").answer().outputs.at(0)), ElementsAre((3 + 2 * 8) / 3.F)) << "nobody left has any";
}

TEST_F(EnsembleRunTest, WhatMembersSaidIsRememberedWhereItIsWanted) {
  const auto weights = std::make_shared<CombinationWeights>();
  make(combination(2, {}, Combiner::kWeighted), weights);
  members_.add("a", gives(1));
  members_.add("b", fails(internal("broken")));
  members_.add("c", gives(8));
  const uint64_t id = stable_hash("the id");
  (void)ask("x");
  EXPECT_EQ(weights->answers().find(id).known, AnswerMemory::Known::kUnknown);
  weights->remember(true);
  (void)ask("x");
  const auto found = weights->answers().find(id);
  ASSERT_EQ(found.known, AnswerMemory::Known::kWaits);
  EXPECT_THAT(*found.answers->members, ElementsAre("a", "b", "c"));
  EXPECT_THAT(found.answers->took_part, ElementsAre(0U, 2U));
  EXPECT_EQ(found.answers->dtype, DataType::kFp32);
  EXPECT_EQ(found.answers->shape, Shape{1});
  EXPECT_EQ(found.answers->combiner, Combiner::kWeighted);
  EXPECT_EQ(found.answers->output, "y");
  const float eight = 8;
  EXPECT_EQ(found.answers->data.at(1), std::string(reinterpret_cast<const char*>(&eight), sizeof eight));
}

TEST_F(EnsembleRunTest, WhatCanNotBeRememberedIsNotCopied) {
  const auto plan = combination(3, {}, Combiner::kWeighted);
  const auto names = std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"a", "b", "c"});
  EndedSteps ended;
  ended.took_part = {0, 1, 2};
  const Bytes chunk = Bytes::copy_of(std::string(size_t{1} << 20, 'x'));
  Tensor tensor{"y", DataType::kUint8, {21 << 20}, {}};
  for (int i = 0; i < 21; ++i) tensor.data.push_back(chunk);
  ended.tensors.assign(plan->tensors.size(), tensor);
  EXPECT_EQ(answers_to_remember(*plan, names, ended).data.size(), 3U);
  tensor.data.push_back(chunk);
  ended.tensors.assign(plan->tensors.size(), tensor);
  EXPECT_THAT(answers_to_remember(*plan, names, ended).data, IsEmpty()) << "66 MiB";
}

}  // namespace
}  // namespace modelmill
