// Requests to ensembles, over members that answer as the tests say.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

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
using ::testing::UnorderedElementsAre;

TEST_F(EnsembleRunTest, StepsRunAsSoonAsTheirTensorsAreThere) {
  make(diamond());
  for (const char* name : {"a", "b", "c", "d"}) members_.add(name, gives(4));
  members_.hold("b");
  members_.hold("c");
  const Asked asked = ask("in");
  EXPECT_THAT(members_.asked, ElementsAre("a", "b", "c")) << "b and c side by side";
  gives(8)(members_.take("c"));
  EXPECT_THAT(members_.asked, ElementsAre("a", "b", "c"));
  gives(9)(members_.take("b"));
  EXPECT_THAT(members_.asked, ElementsAre("a", "b", "c", "d"));
  ASSERT_TRUE(asked.status().ok()) << asked.status().to_string();
  EXPECT_EQ(asked.answer().version, 7);
  EXPECT_EQ(asked.answer().outputs.at(0).name, "out");
  EXPECT_THAT(floats_of(asked.answer().outputs[0]), ElementsAre(4));
  expect_nothing_held();
  const VersionStats::View view = stats_->view();
  EXPECT_EQ(view.success.count, 1U);
  EXPECT_EQ(view.inference_count, 2U);
  EXPECT_EQ(view.execution_count, 1U);
  EXPECT_EQ(view.pending, 0U);
}

TEST_F(EnsembleRunTest, MembersGetWhatTheRequestSaysAndShareItsBytes) {
  make(plan_of({{"a", {{"x", "in"}}, {{"y", "m"}}}, {"b", {{"p", "m"}, {"q", "in"}}, {{"z", "out"}}}}, {"in"},
               {"out", "m"}));
  InferRequestPtr first, second;
  members_.add("a", [&](InferRequestPtr request) { first = std::move(request); });
  members_.add("b", [&](InferRequestPtr request) { second = std::move(request); });
  const Asked asked = ask("in");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->id, "the id");
  EXPECT_EQ(first->priority, 3U);
  EXPECT_EQ(first->timeout.count(), 77);
  EXPECT_LT(first->deadline, kNever);
  ASSERT_NE(first->parameters.find("p"), nullptr);
  ASSERT_EQ(first->outputs.size(), 1U);
  EXPECT_EQ(first->outputs[0].name, "y");
  const std::byte* const given = first->input("x")->data[0].data();
  Tensor middle = floats("y", {5});
  const std::byte* const made = middle.data[0].data();
  InferResponse response;
  response.outputs.push_back(std::move(middle));
  first->complete(std::move(response));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->input("p")->data[0].data(), made) << "no copy";
  EXPECT_EQ(second->input("q")->data[0].data(), given);
  gives(6)(std::move(second));
  ASSERT_TRUE(asked.status().ok());
  ASSERT_EQ(asked.answer().outputs.size(), 2U);
  EXPECT_EQ(asked.answer().outputs[1].data[0].data(), made);
}

TEST_F(EnsembleRunTest, AnErrorOfAnyStepFailsTheWholeAndNamesIt) {
  for (const std::string failing : {"a", "b", "c", "d"}) {
    make(diamond());
    members_.asked.clear();
    for (const char* name : {"a", "b", "c", "d"}) members_.add(name, gives(4));
    members_.answers[failing] = fails(resource_exhausted("the queue is full"));
    const Asked asked = ask("in");
    EXPECT_EQ(asked.status().code(), Code::kResourceExhausted);
    EXPECT_EQ(asked.status().message(), "in ensemble 'e', model '" + failing + "': the queue is full");
    expect_nothing_held();
    EXPECT_EQ(stats_->view().fail.count, 1U);
    EXPECT_EQ(members_.asked.back(), failing) << "nothing begins after it";
  }
}

TEST_F(EnsembleRunTest, AnErrorCancelsWhatStillRuns) {
  make(diamond());
  for (const char* name : {"a", "b", "c", "d"}) members_.add(name, gives(4));
  members_.hold("b");
  members_.hold("c");
  const Asked asked = ask("in");
  fails(internal("broken"))(members_.take("c"));
  EXPECT_THAT(asked.status().message(), HasSubstr("model 'c': broken"));
  EXPECT_THAT(members_.dropped, ElementsAre("b"));
  EXPECT_THAT(members_.waiting["b"], IsEmpty()) << "it was told that nobody wants it";
  EXPECT_FALSE(asked.cancel->cancelled()) << "that is the client's own";
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, ALateAnswerIsNotHeard) {
  make(diamond());
  for (const char* name : {"a", "b", "c", "d"}) members_.add(name, gives(4));
  InferRequestPtr running;
  members_.answers["b"] = [&](InferRequestPtr request) { running = std::move(request); };
  members_.answers["c"] = fails(internal("broken"));
  const Asked asked = ask("in");
  EXPECT_THAT(asked.status().message(), HasSubstr("broken"));
  EXPECT_TRUE(running->cancelled());
  EXPECT_EQ(version_->gate().inside_approx(), 0U) << "the ensemble may go while a member still works";
  version_.reset();
  gives(1)(std::move(running));
  EXPECT_EQ(asked.sink->finals, 1);
  EXPECT_EQ(members_.versions["b"]->gate().inside_approx(), 0U);
}

TEST_F(EnsembleRunTest, AMemberThatIsMissingIsNamedBeforeAnythingRuns) {
  make(diamond());
  for (const char* name : {"a", "b", "c"}) members_.add(name, gives(4));
  const Asked asked = ask("in");
  EXPECT_EQ(asked.status().code(), Code::kUnavailable);
  EXPECT_THAT(asked.status().message(), HasSubstr("in ensemble 'e', model 'd': "));
  EXPECT_THAT(members_.asked, IsEmpty());
  EXPECT_THAT(version_->availability().message(), HasSubstr("ensemble 'e' depends on 'd' which can't be asked"));
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, AClientThatGoesIsAnsweredAtOnce) {
  make(diamond());
  for (const char* name : {"a", "b", "c", "d"}) members_.add(name, gives(4));
  members_.hold("b");
  members_.hold("c");
  const Asked asked = ask("in");
  asked.cancel->cancel(CancelToken::Reason::kClientGone);
  EXPECT_TRUE(members_.waiting["b"].front()->cancelled()) << "it is a part of the whole";
  version_->drop_unwanted();
  EXPECT_EQ(asked.status().code(), Code::kCancelled);
  EXPECT_THAT(members_.waiting["b"], IsEmpty());
  EXPECT_THAT(members_.waiting["c"], IsEmpty());
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, WhatCameTooLateRunsNothing) {
  make(diamond());
  for (const char* name : {"a", "b", "c", "d"}) members_.add(name, gives(4));
  auto sink = std::make_shared<Sink>();
  auto request = std::make_unique<InferRequest>(sink);
  request->inputs.push_back(floats("in", {1}));
  request->deadline = Clock::now() - std::chrono::seconds(1);
  version_->submit(std::move(request));
  ASSERT_EQ(sink->finals, 1);
  EXPECT_EQ(sink->responses[0].status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(members_.asked, IsEmpty());
}

TEST_F(EnsembleRunTest, StepsThatNobodyWantsDoNotRun) {
  make(plan_of(
      {{"a", {{"x", "in"}}, {{"y", "m"}}}, {"b", {{"x", "m"}}, {{"y", "one"}}}, {"c", {{"x", "m"}}, {{"y", "two"}}}},
      {"in"}, {"one", "two"}));
  for (const char* name : {"a", "b", "c"}) members_.add(name, gives(4));
  const Asked asked = ask("in", {{"two"}});
  ASSERT_TRUE(asked.status().ok());
  EXPECT_THAT(members_.asked, ElementsAre("a", "c"));
  ASSERT_EQ(asked.answer().outputs.size(), 1U);
  EXPECT_EQ(asked.answer().outputs[0].name, "two");
  expect_nothing_held();
}

TEST_F(EnsembleRunTest, WhatIsLeftOutIsLeftOutOfTheSteps) {
  auto plan = plan_of({{"a", {{"x", "in"}, {"extra", "extra"}}, {{"y", "out"}}}}, {"in", "extra"}, {"out"});
  make(plan);
  size_t inputs = 0;
  members_.add("a", [&](InferRequestPtr request) {
    inputs = request->inputs.size();
    gives(1)(std::move(request));
  });
  EXPECT_TRUE(ask("in").status().ok());
  EXPECT_EQ(inputs, 1U);
}

TEST_F(EnsembleRunTest, ALongChainOfMembersThatAnswerAtOnceIsNotDeep) {
  std::vector<StepText> steps;
  std::vector<std::string> names;
  for (int i = 0; i <= 20'000; ++i) names.push_back("t" + std::to_string(i));
  auto plan = std::make_shared<EnsemblePlan>();
  plan->name = "e";
  plan->tensors = names;
  for (size_t i = 0; i < 20'000; ++i) {
    EnsemblePlan::Step step;
    step.model = "a";
    step.inputs.push_back({{"x", i}});
    step.outputs.push_back({"y", i + 1});
    plan->steps.push_back(std::move(step));
    plan->readers.push_back({i});
    plan->writers.push_back(i == 0 ? 20'000 : i - 1);
  }
  plan->readers.emplace_back();
  plan->writers.push_back(19'999);
  plan->inputs.push_back({"t0", 0});
  plan->outputs.push_back({{"t20000", 20'000}});
  make(plan);
  members_.add("a", gives(3));
  EXPECT_TRUE(ask("t0").status().ok());
  EXPECT_EQ(members_.asked.size(), 20'000U);
}

TEST_F(EnsembleRunTest, ABatchOfOneIsMadeOrTakenAwayBetweenModels) {
  auto plan = plan_of({{"a", {{"x", "in"}}, {{"y", "out"}}}}, {"in"}, {"out"});
  plan->batched = false;
  plan->steps[0].batched = true;
  plan->steps[0].inputs[0].fits_batch = true;
  plan->steps[0].inputs[0].dims = {2};
  plan->outputs[0].fits_batch = true;
  plan->outputs[0].dims = {1};
  make(plan);
  Shape seen;
  members_.add("a", [&](InferRequestPtr request) {
    seen = request->inputs[0].shape;
    InferResponse response;
    Tensor y = floats("y", {4});
    y.shape = {1, 1};
    response.outputs.push_back(std::move(y));
    request->complete(std::move(response));
  });
  const Asked asked = ask("in");
  EXPECT_THAT(seen, ElementsAre(1, 2));
  EXPECT_THAT(asked.answer().outputs.at(0).shape, ElementsAre(1));
}

TEST_F(EnsembleRunTest, IsUnavailableWhenAMemberHasChanged) {
  auto plan = diamond();
  for (EnsemblePlan::Step& step : plan->steps) step.signature.inputs = {{"x", DataType::kFp32, {-1}, {}, false}};
  make(plan);
  ModelVersion::Description description;
  description.signature.inputs = {{"x", DataType::kFp32, {-1}, {}, false}};
  for (const char* name : {"a", "b", "c", "d"}) members_.add(name, gives(1), description);
  EXPECT_TRUE(version_->availability().ok());
  description.signature.inputs[0].dtype = DataType::kInt64;
  members_.add("c", gives(1), description);
  EXPECT_THAT(version_->availability().message(), HasSubstr("'c' which has other inputs or outputs"));
}

TEST_F(EnsembleRunTest, ExplainsItsSteps) {
  make(diamond());
  const Explanation explanation = version_->explain();
  EXPECT_EQ(explanation.policy, "ensemble");
  EXPECT_THAT(explanation.steps, UnorderedElementsAre("d (l: left, r: right) -> (y: out)", "b (x: middle) -> (y: left)",
                                                      "c (x: middle) -> (y: right)", "a (x: in) -> (y: middle)"));
}

}  // namespace
}  // namespace modelmill
