// Requests to ensembles, over members that answer as the tests say.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "ensemble/ensemble_version.h"
#include "ensemble/testing/fake_members.h"

namespace modelmill {
namespace {

using testing::fails;
using testing::floats;
using testing::floats_of;
using testing::gives;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Sink final : public ResponseSink {
 public:
  void on_response(InferResponse response, bool final, bool) override {
    responses.push_back(std::move(response));
    finals += final;
  }
  std::vector<InferResponse> responses;
  int finals = 0;
};

/// A plan's steps, put down as "model: input=tensor, ... -> output=tensor, ...".
struct StepText {
  const char* model;
  std::vector<std::pair<const char*, const char*>> inputs, outputs;
};

class EnsembleRunTest : public ::testing::Test {
 protected:
  size_t tensor(EnsemblePlan& plan, const std::string& name) {
    for (size_t i = 0; i < plan.tensors.size(); ++i)
      if (plan.tensors[i] == name) return i;
    plan.tensors.push_back(name);
    plan.readers.emplace_back();
    plan.writers.push_back(SIZE_MAX);
    return plan.tensors.size() - 1;
  }

  std::shared_ptr<EnsemblePlan> plan_of(const std::vector<StepText>& steps, const std::vector<const char*>& inputs,
                                        const std::vector<const char*>& outputs) {
    auto plan = std::make_shared<EnsemblePlan>();
    plan->name = "e";
    for (size_t s = 0; s < steps.size(); ++s) {
      EnsemblePlan::Step step;
      step.model = steps[s].model;
      for (const auto& [input, name] : steps[s].inputs) {
        step.inputs.push_back({{input, tensor(*plan, name)}});
        plan->readers[step.inputs.back().tensor].push_back(s);
      }
      for (const auto& [output, name] : steps[s].outputs) {
        step.outputs.push_back({output, tensor(*plan, name)});
        plan->writers[step.outputs.back().tensor] = s;
      }
      plan->steps.push_back(std::move(step));
    }
    for (size_t& writer : plan->writers)
      if (writer == SIZE_MAX) writer = steps.size();
    for (const char* input : inputs) plan->inputs.push_back({input, tensor(*plan, input)});
    for (const char* output : outputs) plan->outputs.push_back({{output, tensor(*plan, output)}});
    return plan;
  }

  /// a, then b and c side by side, then d.
  std::shared_ptr<EnsemblePlan> diamond() {
    return plan_of({{"d", {{"l", "left"}, {"r", "right"}}, {{"y", "out"}}},
                    {"b", {{"x", "middle"}}, {{"y", "left"}}},
                    {"c", {{"x", "middle"}}, {{"y", "right"}}},
                    {"a", {{"x", "in"}}, {{"y", "middle"}}}},
                   {"in"}, {"out"});
  }

  /// Three members whose output y is combined.
  std::shared_ptr<EnsemblePlan> combination(size_t quorum, std::chrono::microseconds deadline = {},
                                            Combiner combiner = Combiner::kAverage) {
    auto plan = plan_of({{"a", {{"x", "x"}}, {{"y", "a.y"}}},
                         {"b", {{"x", "x"}}, {{"y", "b.y"}}},
                         {"c", {{"x", "x"}}, {{"y", "c.y"}}}},
                        {"x"}, {});
    plan->combines = true;
    plan->combination = {combiner, {{"y", DataType::kFp32, {}}}, {1, 1, 2}, "", quorum, deadline};
    for (const EnsemblePlan::Step& step : plan->steps)
      plan->combination.outputs[0].tensors.push_back(step.outputs[0].tensor);
    return plan;
  }

  void make(std::shared_ptr<const EnsemblePlan> plan) {
    ModelVersion::Description description;
    description.definition.name = "e";
    description.version = 7;
    version_.reset();
    stats_.reset();
    stats_ = std::make_shared<VersionStats>(metrics_, "e", 7);
    version_ = std::make_unique<EnsembleVersion>(description, stats_, std::move(plan), members_);
  }

  struct Asked {
    std::shared_ptr<Sink> sink = std::make_shared<Sink>();
    std::shared_ptr<CancelToken> cancel = std::make_shared<CancelToken>();
    const InferResponse& answer() const {
      EXPECT_EQ(sink->finals, 1);
      return sink->responses.at(0);
    }
    const Status& status() const { return answer().status; }
  };
  Asked ask(const char* input, std::vector<RequestedOutput> outputs = {}) {
    Asked asked;
    auto request = std::make_unique<InferRequest>(asked.sink);
    request->model = "e";
    request->id = "the id";
    request->priority = 3;
    request->timeout = std::chrono::microseconds(77);
    request->deadline = Clock::now() + std::chrono::hours(1);
    request->parameters.set("p", int64_t{5});
    request->cancel = asked.cancel;
    request->batch_rows = 2;
    request->inputs.push_back(floats(input, {1, 2}));
    request->outputs.assign(outputs.begin(), outputs.end());
    VersionPin pin(*version_);
    std::move(pin).hand_to(*request);
    version_->submit(std::move(request));
    return asked;
  }

  /// Nothing holds a member or the ensemble any more.
  void expect_nothing_held() {
    for (const auto& [name, version] : members_.versions) EXPECT_EQ(version->gate().inside_approx(), 0U) << name;
    EXPECT_EQ(version_->gate().inside_approx(), 0U);
  }

  MetricRegistry metrics_;
  testing::FakeMembers members_;
  std::shared_ptr<VersionStats> stats_;
  std::unique_ptr<EnsembleVersion> version_;
};

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
  make(plan_of({{"a", {{"x", "in"}}, {{"y", "m"}}}, {"b", {{"x", "m"}}, {{"y", "one"}}}, {"c", {{"x", "m"}}, {{"y", "two"}}}},
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
