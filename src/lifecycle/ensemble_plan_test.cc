#include "lifecycle/ensemble_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catalog/ensemble_levels.h"
#include "model/triton_config.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TensorSpec spec(const std::string& name, DataType dtype, Shape shape, bool optional = false) {
  return {name, dtype, std::move(shape), {}, optional};
}

constexpr DataType kF = DataType::kFp32;

class EnsemblePlanTest : public testing::Test {
 protected:
  EnsemblePlanTest() {
    // pre: raw [-1,8] -> image [-1,4]; net: x [-1,4], bias [-1,1] at will -> p [-1,3]; both in batches of 8.
    add("pre", 8, {spec("raw", kF, {-1, 8})}, {spec("image", kF, {-1, 4})});
    add("net", 8, {spec("x", kF, {-1, 4}), spec("bias", kF, {-1, 1}, true)}, {spec("p", kF, {-1, 3})});
    add("whole", 0, {spec("x", kF, {-1, 4})}, {spec("p", kF, {-1, 3})});
    add("single", 0, {spec("x", kF, {4})}, {spec("p", kF, {3})});
    add("labels", 8, {spec("x", kF, {-1, 4})}, {spec("label", DataType::kInt64, {-1}), spec("p", kF, {-1, 3})});
  }

  void add(const std::string& name, int64_t max_batch, std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
           bool decoupled = false) {
    EnsembleMember member;
    member.definition.name = name;
    member.definition.max_batch_size = max_batch;
    member.definition.batching.mode = BatchingDefinition::Mode::kDynamic;
    member.definition.decoupled = decoupled;
    member.signature = {std::move(inputs), std::move(outputs)};
    members_[name] = std::move(member);
  }

  Result<PlannedEnsemble> plan(const std::string& config) {
    auto parsed = parse_triton_config("name: 'e' platform: 'ensemble' " + config, "config.pbtxt");
    MM_RETURN_IF_ERROR(parsed.status());
    definition_ = *std::move(parsed);
    return plan_ensemble(definition_, find());
  }
  FindMember find() {
    return [this](const EnsembleStep& step) -> Result<EnsembleMember> {
      const auto it = members_.find(step.model);
      if (it == members_.end()) return not_found("no " + step.model);
      return it->second;
    };
  }

  Result<PlannedEnsemble> combine(CombinationDefinition combination, std::vector<std::string> members) {
    for (std::string& member : members) combination.members.push_back({std::move(member)});
    definition_ = {};
    definition_.name = "e";
    definition_.ensemble = EnsembleDefinition{{}, std::move(combination), 0};
    return plan_ensemble(definition_, find());
  }

  static std::string step(const std::string& model, const std::string& inputs, const std::string& outputs,
                          int version = -1) {
    std::string out = "{ model_name: '" + model + "' model_version: " + std::to_string(version) + " ";
    for (const auto& [maps, key] : {std::pair(inputs, "input_map"), std::pair(outputs, "output_map")})
      for (size_t at = 0; at < maps.size();) {
        const size_t equals = maps.find('=', at), end = std::min(maps.find(' ', at), maps.size());
        out += std::string(key) + " { key: '" + maps.substr(at, equals - at) + "' value: '" +
               maps.substr(equals + 1, end - equals - 1) + "' } ";
        at = end + 1;
      }
    return out + "}";
  }
  static std::string steps(const std::vector<std::string>& all) {
    std::string out;
    for (const std::string& one : all) out += (out.empty() ? "" : ", ") + one;
    return "ensemble_scheduling { step [ " + out + " ] } ";
  }
  static std::string input(const std::string& name, const std::string& dims, const std::string& more = "") {
    return "input { name: '" + name + "' data_type: TYPE_FP32 dims: " + dims + " " + more + " } ";
  }
  static std::string output(const std::string& name, const std::string& dims, const std::string& type = "FP32") {
    return "output { name: '" + name + "' data_type: TYPE_" + type + " dims: " + dims + " } ";
  }

  std::map<std::string, EnsembleMember> members_;
  ModelDefinition definition_;
};

TEST_F(EnsemblePlanTest, TiesStepsByTensors) {
  const auto planned = plan("max_batch_size: 8 " + input("in", "[8]") + output("out", "[3]") +
                            steps({step("net", "x=mid", "p=out"), step("pre", "raw=in", "image=mid", 3)}));
  ASSERT_TRUE(planned.ok()) << planned.status().to_string();
  const EnsemblePlan& plan = *planned->plan;
  ASSERT_EQ(plan.steps.size(), 2U);
  EXPECT_EQ(plan.steps[0].version, 0) << "-1 is the default";
  EXPECT_EQ(plan.steps[1].version, 3);
  EXPECT_TRUE(plan.batched);
  EXPECT_FALSE(plan.steps[0].inputs[0].fits_batch);
  EXPECT_EQ(plan.writers[plan.steps[0].inputs[0].tensor], 1U);
  EXPECT_THAT(plan.readers[plan.steps[1].outputs[0].tensor], ElementsAre(0));
  EXPECT_THAT(planned->signature.inputs.at(0).shape, ElementsAre(-1, 8));
  EXPECT_THAT(planned->signature.outputs.at(0).shape, ElementsAre(-1, 3));
}

TEST_F(EnsemblePlanTest, FindsOutWhatIsNotSaid) {
  const auto planned = plan(steps({step("pre", "raw=in", "image=mid"), step("net", "x=mid bias=bias", "p=out")}));
  ASSERT_TRUE(planned.ok()) << planned.status().to_string();
  EXPECT_EQ(definition_.max_batch_size, 8);
  ASSERT_EQ(planned->signature.inputs.size(), 2U);
  EXPECT_EQ(planned->signature.inputs[0].name, "bias");
  EXPECT_TRUE(planned->signature.inputs[0].optional);
  EXPECT_EQ(planned->signature.inputs[1].name, "in");
  EXPECT_FALSE(planned->signature.inputs[1].optional);
  ASSERT_EQ(planned->signature.outputs.size(), 1U);
  EXPECT_EQ(planned->signature.outputs[0].name, "out");
}

TEST_F(EnsemblePlanTest, BatchesMeetWholeShapes) {
  const auto planned = plan(input("in", "[-1,8]") + output("out", "[-1,3]") +
                            steps({step("pre", "raw=in", "image=mid"), step("whole", "x=mid", "p=out")}));
  ASSERT_TRUE(planned.ok()) << planned.status().to_string();
  EXPECT_FALSE(planned->plan->batched);
  EXPECT_TRUE(planned->plan->steps[0].inputs[0].fits_batch);
  EXPECT_TRUE(planned->plan->steps[1].inputs[0].fits_batch);
  EXPECT_FALSE(planned->plan->outputs[0].fits_batch);
  const auto single =
      plan("max_batch_size: 4 " + input("in", "[4]") + output("out", "[3]") + steps({step("single", "x=in", "p=out")}));
  EXPECT_TRUE(single.ok()) << "a batch of one is taken apart: " << single.status().to_string();
}

struct BadPlan {
  std::string config;
  std::string message;
};

TEST_F(EnsemblePlanTest, RefusesWhatDoesNotFit) {
  add("stream", 8, {spec("x", kF, {-1, 4})}, {spec("p", kF, {-1, 3})}, true);
  add("ints", 8, {spec("x", DataType::kInt64, {-1, 4})}, {spec("p", kF, {-1, 3})});
  const std::string pre = step("pre", "raw=in", "image=mid"), net = step("net", "x=mid", "p=out");
  const std::string tensors = "max_batch_size: 8 " + input("in", "[8]") + output("out", "[3]");
  const std::vector<BadPlan> table{
      {tensors + steps({pre, step("nobody", "x=mid", "p=out")}), "no nobody"},
      {tensors + steps({pre, step("net", "y=mid", "p=out")}),
       "in ensemble e, ensemble tensor mid is mapping to non-existing input y in model net; its inputs are 'x', "
       "'bias'"},
      {tensors + steps({pre, step("net", "x=mid", "q=out")}),
       "in ensemble e, ensemble tensor out is mapped from non-existing output q in model net; its outputs are 'p'"},
      {tensors + steps({pre, step("net", "bias=mid", "p=out")}),
       "in ensemble e, input x in model net is not mapped to any ensemble tensors"},
      {tensors + steps({pre, step("ints", "x=mid", "p=out")}),
       "in ensemble e, ensemble tensor mid: inconsistent data type: TYPE_FP32 is inferred from model pre while "
       "TYPE_INT64 is inferred from model ints"},
      {"max_batch_size: 8 " + input("in", "[9]") + output("out", "[3]") + steps({pre, net}),
       "in ensemble e, ensemble tensor in: inconsistent shape: [-1,9] is inferred from model e while [-1,8] is "
       "inferred from model pre"},
      {"max_batch_size: 16 " + input("in", "[8]") + output("out", "[3]") + steps({pre, net}),
       "ensemble e allows maximum batch size 16, but it contains model pre which only allows maximum batch size to be "
       "8"},
      {"max_batch_size: 8 " + input("in", "[4]") + output("out", "[3]") + output("more", "[3]") +
           steps({step("stream", "x=in", "p=out"), step("stream", "x=in", "p=more")}),
       "in ensemble e, step of model 'e' receives inputs originated from different decoupled models"},
      {"max_batch_size: 8 " + input("in", "[8]", "optional: true") + output("out", "[3]") + steps({pre, net}),
       "in ensemble e, ensemble input in is optional, but input raw in model pre needs it"},
      {"max_batch_size: 8 " + input("in", "[8]") + output("out", "[3]", "INT32") + steps({pre, net}),
       "in ensemble e, ensemble tensor out: inconsistent data type: TYPE_INT32 is inferred from model e"},
  };
  for (const BadPlan& bad : table) {
    const auto planned = plan(bad.config);
    ASSERT_FALSE(planned.ok()) << bad.message;
    EXPECT_THAT(planned.status().message(), HasSubstr(bad.message));
  }
}

TEST_F(EnsemblePlanTest, AMemberWithAnyNumberOfAnswersMakesTheEnsembleOne) {
  add("stream", 8, {spec("x", kF, {-1, 4})}, {spec("p", kF, {-1, 4})}, true);
  const std::string tensors = "max_batch_size: 8 " + input("in", "[8]") + output("out", "[3]");
  const std::string members =
      steps({step("pre", "raw=in", "image=mid"), step("net", "x=part", "p=out"), step("stream", "x=mid", "p=part")});
  auto planned = plan(tensors + members);
  ASSERT_TRUE(planned.ok()) << planned.status().to_string();
  EXPECT_TRUE(definition_.decoupled);
  ASSERT_NE(planned->plan->levels, nullptr);
  EXPECT_EQ(planned->plan->levels->levels.size(), 2U);
  EXPECT_EQ(planned->plan->levels->most_under_way, 64U);
  std::string bounded = tensors + members;
  bounded.insert(bounded.rfind('}'), " max_inflight_requests: 3 ");
  planned = plan(bounded);
  ASSERT_TRUE(planned.ok()) << planned.status().to_string();
  EXPECT_EQ(planned->plan->levels->most_under_way, 3U);
  // As in Triton its own word doesn't count.
  planned = plan(tensors + "model_transaction_policy { decoupled: true } " +
                 steps({step("pre", "raw=in", "image=mid"), step("net", "x=mid", "p=out")}));
  ASSERT_TRUE(planned.ok()) << planned.status().to_string();
  EXPECT_FALSE(definition_.decoupled);
}

TEST_F(EnsemblePlanTest, RefusesWhatIsWrongInItself) {
  const std::string pre = step("pre", "raw=in", "image=mid"), net = step("net", "x=mid", "p=out");
  const std::string tensors = "max_batch_size: 8 " + input("in", "[8]") + output("out", "[3]");
  const std::vector<BadPlan> table{
      {"", "must specify 'step' for ensemble 'e'"},
      {tensors + steps({step("", "raw=in", "image=out")}), "must specify 'model_name' in step 0 of ensemble 'e'"},
      {tensors + steps({step("pre", "", "image=out")}), "must specify 'input_map' in step 0 of ensemble 'e'"},
      {tensors + steps({step("pre", "raw=in", "")}), "must specify 'output_map' in step 0 of ensemble 'e'"},
      {tensors + steps({pre, step("pre", "raw=in", "image=mid"), net}),
       "ensemble tensor 'mid' can appear in an output map only once for ensemble 'e' step 1"},
      {tensors + steps({step("e", "raw=in", "image=out")}), "ensemble 'e' can't be a member of itself"},
      {tensors + input("more", "[1]") + steps({pre, net}), "ensemble input 'more' for ensemble 'e' is not used"},
      {tensors + output("more", "[1]") + steps({pre, net}), "ensemble output 'more' for ensemble 'e' is not used"},
      {tensors + steps({pre, step("net", "x=mid bias=nowhere", "p=out")}),
       "ensemble tensor 'nowhere' for ensemble 'e' is not written"},
      {tensors + steps({pre, net, step("net", "x=mid", "p=other")}),
       "ensemble tensor 'other' is unused in ensemble 'e'"},
      {tensors + steps({step("net", "x=in bias=back", "p=out"), step("net", "x=out", "p=back")}),
       "the steps of ensemble 'e' wait for each other in a circle"},
      {tensors + steps({step("pre", "raw=in", "image=in"), step("net", "x=in", "p=out")}),
       "can't be written by a step"},
      {tensors + "instance_group { count: 1 } " + steps({pre, net}),
       "instance group should not be specified for ensemble 'e'"},
      {tensors + "optimization { priority: PRIORITY_MAX } " + steps({pre, net}),
       "optimization should not be specified for ensemble 'e'"},
      {tensors + "backend: 'onnxruntime' " + steps({pre, net}), "'backend' should not be specified"},
      {tensors + steps({step("pre", "raw=in", "image=mid", -2), net}), "version -2"},
  };
  for (const BadPlan& bad : table) {
    const auto planned = plan(bad.config);
    ASSERT_FALSE(planned.ok()) << bad.message;
    EXPECT_THAT(planned.status().message(), HasSubstr(bad.message));
  }
  EXPECT_THAT(parse_triton_config("name: 'e' backend: 'x' " + steps({pre, net}), "f").status().message(),
              HasSubstr("ensemble scheduling cannot be set for model 'e' whose platform is not ensemble"));
}

TEST_F(EnsemblePlanTest, CombinesWhatMembersHaveInCommon) {
  add("loose", 4, {spec("x", kF, {-1, -1}), spec("more", kF, {-1, 1}, true)}, {spec("p", kF, {-1, -1})});
  const auto planned = combine({}, {"net", "loose", "labels"});
  ASSERT_TRUE(planned.ok()) << planned.status().to_string();
  EXPECT_EQ(definition_.max_batch_size, 4);
  ASSERT_EQ(planned->signature.inputs.size(), 3U);
  EXPECT_THAT(planned->signature.inputs[0].shape, ElementsAre(-1, 4));
  EXPECT_EQ(planned->signature.inputs[1].name, "bias");
  EXPECT_TRUE(planned->signature.inputs[1].optional);
  ASSERT_EQ(planned->signature.outputs.size(), 1U);
  EXPECT_EQ(planned->signature.outputs[0].name, "p");
  EXPECT_THAT(planned->signature.outputs[0].shape, ElementsAre(-1, 3));
  EXPECT_EQ(planned->plan->combination.quorum, 3U) << "all, where nothing is said";
  EXPECT_EQ(planned->plan->combination.outputs.at(0).tensors.size(), 3U);
}

TEST_F(EnsemblePlanTest, ASoftVoteHasALabelToo) {
  const auto planned = combine({.combiner = Combiner::kSoftVote}, {"net", "labels"});
  ASSERT_TRUE(planned.ok()) << planned.status().to_string();
  ASSERT_EQ(planned->signature.outputs.size(), 2U);
  EXPECT_EQ(planned->signature.outputs[1].name, "label");
  EXPECT_EQ(planned->signature.outputs[1].dtype, DataType::kInt64);
  EXPECT_THAT(planned->signature.outputs[1].shape, ElementsAre(-1));
}

TEST_F(EnsemblePlanTest, RefusesWhatCantBeCombined) {
  add("four", 8, {spec("x", kF, {-1, 4})}, {spec("p", kF, {-1, 4})});
  const auto message = [this](CombinationDefinition combination, std::vector<std::string> members) {
    return combine(std::move(combination), std::move(members)).status().message();
  };
  EXPECT_THAT(message({}, {"net", "nobody"}), HasSubstr("no nobody"));
  EXPECT_THAT(message({}, {"net", "four"}),
              HasSubstr("output 'p' is FP32 [-1,3] of member 'net', but FP32 [-1,4] of member 'four'"));
  EXPECT_THAT(message({}, {"net", "pre"}), HasSubstr("member 'pre' has no output 'p'"));
  EXPECT_THAT(message({.combiner = Combiner::kMajority}, {"net", "labels"}),
              HasSubstr("member 'net' has no output that 'majority' can combine; it takes labels"));
  EXPECT_THAT(message({.outputs = {"label"}}, {"labels", "net"}),
              HasSubstr("output 'label' of member 'labels' is INT64, but 'average' takes FP32 or FP64"));
}

/// A pipeline with conditions: pre makes image of raw, and then what `rest` says.
class ConditionPlanTest : public EnsemblePlanTest {
 protected:
  Result<PlannedEnsemble> plan_steps(std::vector<EnsembleStep> rest) {
    definition_ = {};
    definition_.name = "e";
    EnsembleDefinition ensemble;
    ensemble.steps.push_back({"pre", 0, "", {{"raw", "raw"}}, {{"image", "image"}}, std::nullopt, false});
    for (EnsembleStep& step : rest) ensemble.steps.push_back(std::move(step));
    definition_.ensemble = std::move(ensemble);
    return plan_ensemble(definition_, find());
  }
  static EnsembleStep net(const std::string& model, std::optional<StepCondition> when, bool otherwise = false) {
    return {model, 0, "", {{"x", "image"}}, {{"p", "p"}}, std::move(when), otherwise};
  }
  static StepCondition above(const std::string& tensor) {
    return {tensor, StepCondition::Test::kAbove, 0.5, "", false, StepCondition::Reduction::kAll};
  }
};

TEST_F(ConditionPlanTest, AlternativesAreKnown) {
  const auto planned = plan_steps({net("net", above("image")), net("labels", std::nullopt, true)});
  ASSERT_TRUE(planned.ok()) << planned.status().message();
  const EnsemblePlan& plan = *planned->plan;
  EXPECT_TRUE(plan.conditional);
  EXPECT_EQ(plan.tensors[plan.steps[1].when_tensor], "image");
  EXPECT_THAT(plan.steps[0].alternatives, ElementsAre());
  EXPECT_THAT(plan.steps[1].alternatives, ElementsAre(1U, 2U));
  EXPECT_THAT(plan.steps[2].alternatives, ElementsAre(1U, 2U));
  EXPECT_THAT(plan.readers[plan.steps[1].when_tensor], ElementsAre(1U, 2U));
  ASSERT_EQ(planned->signature.outputs.size(), 1U);
  EXPECT_EQ(planned->signature.outputs[0].name, "p");
}

TEST_F(ConditionPlanTest, AnOutputThatNobodyMightWriteIsRefused) {
  EXPECT_THAT(plan_steps({net("net", above("image"))}).status().message(),
              HasSubstr("output 'p' may be written by nobody: all steps that write it have conditions"));
  EXPECT_THAT(plan_steps({net("net", above("image")), net("labels", above("raw"))}).status().message(),
              HasSubstr("output 'p' may be written by nobody"));
  // What follows in a branch may be missing too.
  EnsembleStep follows{"net", 0, "", {{"x", "inner"}}, {{"p", "q"}}, std::nullopt, false};
  EnsembleStep branch{"pre", 0, "", {{"raw", "raw"}}, {{"image", "inner"}}, above("image"), false};
  EXPECT_THAT(plan_steps({branch, follows, net("net", std::nullopt)}).status().message(),
              HasSubstr("output 'q' may be written by nobody"));
  EnsembleStep last{"labels", 0, "", {{"x", "image"}}, {{"p", "q"}}, std::nullopt, true};
  EXPECT_TRUE(plan_steps({branch, follows, last}).ok());
}

TEST_F(ConditionPlanTest, AnOptionalInputMayBeMissing) {
  add("maker", 8, {spec("x", kF, {-1, 4})}, {spec("b", kF, {-1, 1})});
  EnsembleStep maker{"maker", 0, "", {{"x", "image"}}, {{"b", "bias"}}, above("image"), false};
  EnsembleStep user{"net", 0, "", {{"x", "image"}, {"bias", "bias"}}, {{"p", "p"}}, std::nullopt, false};
  EXPECT_TRUE(plan_steps({maker, user}).ok());
}

TEST_F(ConditionPlanTest, TypesAndBatchesMustSuit) {
  StepCondition text = above("image");
  text.test = StepCondition::Test::kEquals;
  text.is_text = true;
  text.text = "cat";
  EXPECT_THAT(plan_steps({net("net", text), net("labels", std::nullopt, true)}).status().message(),
              HasSubstr("tensor 'image' is FP32, and its condition is of the text 'cat'"));
  EXPECT_THAT(plan_steps({net("net", above("image")), net("whole", std::nullopt, true)}).status().message(),
              HasSubstr("models whole and net write the same tensors, and only one of them has a batch dimension"));
}

}  // namespace
}  // namespace modelmill
