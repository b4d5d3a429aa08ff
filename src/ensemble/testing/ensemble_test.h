#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ensemble/ensemble_version.h"
#include "ensemble/testing/fake_members.h"

namespace modelmill {

/// Keeps what a request was answered with.
class Sink final : public ResponseSink {
 public:
  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response || !response.status.ok()) responses.push_back(std::move(response));
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

/// The ensemble e, over members that answer as a test says.
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
    auto plan = plan_of(
        {{"a", {{"x", "x"}}, {{"y", "a.y"}}}, {"b", {{"x", "x"}}, {{"y", "b.y"}}}, {"c", {{"x", "x"}}, {{"y", "c.y"}}}},
        {"x"}, {});
    plan->combines = true;
    plan->combination = {combiner, {{"y", DataType::kFp32, {}}}, {1, 1, 2}, "", quorum, deadline};
    for (const EnsemblePlan::Step& step : plan->steps)
      plan->combination.outputs[0].tensors.push_back(step.outputs[0].tensor);
    return plan;
  }

  void make(std::shared_ptr<const EnsemblePlan> plan, std::shared_ptr<CombinationWeights> weights = nullptr) {
    ModelVersion::Description description;
    description.definition.name = "e";
    description.version = 7;
    version_.reset();
    stats_.reset();
    stats_ = std::make_shared<VersionStats>(metrics_, "e", 7);
    epoch_ = std::make_shared<MemberEpoch>(plan, members_, weights != nullptr);
    auto cache = answers_ ? std::make_shared<VersionCache>(answers_, stats_, [epoch = epoch_] { return epoch->now(); })
                          : nullptr;
    version_ = std::make_unique<EnsembleVersion>(description, stats_, std::move(plan), members_, std::move(weights),
                                                 std::move(cache), epoch_);
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
    request->inputs.push_back(testing::floats(input, {1, 2}));
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
  std::shared_ptr<ResponseCache> answers_;  // null: they are not kept
  testing::FakeMembers members_;
  std::shared_ptr<MemberEpoch> epoch_;
  std::shared_ptr<VersionStats> stats_;
  std::unique_ptr<EnsembleVersion> version_;
};

}  // namespace modelmill
