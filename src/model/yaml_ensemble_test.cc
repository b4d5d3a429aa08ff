#include "model/yaml_ensemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/definition_key.h"
#include "model/effective_config.h"
#include "model/yaml_config.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

/// The definition of the model e, or what is wrong with it.
LayeredDefinition read(const std::string& ensemble) {
  const YamlConfig config = read_yaml_config("models:\n  - name: e\n" + ensemble, "m.yaml");
  LayeredDefinition out;
  if (!config.problems.empty() || !config.models.at(0).problems.empty()) {
    out.problems = config.problems.empty() ? config.models[0].problems : config.problems;
    return out;
  }
  return lay_over(std::span(&config.models[0].layer, 1));
}

TEST(YamlEnsemble, ReadsACombination) {
  const LayeredDefinition read_in = read(
      "    ensemble:\n"
      "      combine: weighted\n"
      "      members: [a, {model: b@3, weight: 0.5}, {model: c@stable, weight: 2}]\n"
      "      outputs: [p]\n"
      "      quorum: 2\n"
      "      deadline: 50ms\n");
  ASSERT_TRUE(read_in.problems.empty()) << read_in.problems[0].message;
  const ModelDefinition& definition = read_in.definition;
  EXPECT_EQ(definition.platform, "ensemble");
  ASSERT_TRUE(definition.ensemble && definition.ensemble->combination);
  const CombinationDefinition& combination = *definition.ensemble->combination;
  EXPECT_EQ(combination.combiner, Combiner::kWeighted);
  ASSERT_EQ(combination.members.size(), 3U);
  EXPECT_EQ(combination.members[1].model, "b");
  EXPECT_EQ(combination.members[1].version, 3);
  EXPECT_EQ(combination.members[1].weight, 0.5);
  EXPECT_EQ(combination.members[2].label, "stable");
  EXPECT_EQ(combination.outputs, std::vector<std::string>{"p"});
  EXPECT_EQ(combination.quorum, 2);
  EXPECT_EQ(combination.deadline, std::chrono::milliseconds(50));
  EXPECT_THAT(effective_yaml(definition, {}, "there", ""),
              HasSubstr("ensemble: {combine: weighted, members: [a, {model: \"b@3\", weight: 0.5}, {model: "
                        "\"c@stable\", weight: 2}], outputs: [p], quorum: 2, deadline: 50ms}"));
  ModelDefinition other = definition;
  other.ensemble->combination->quorum = 3;
  EXPECT_NE(making_key(other), making_key(definition)) << "it is made anew when its combination changes";
}

TEST(YamlEnsemble, ReadsHowWeightsAreLearned) {
  const LayeredDefinition read_in = read(
      "    ensemble:\n"
      "      combine: weighted\n"
      "      members: [a, b]\n"
      "      outputs: [p, q]\n"
      "      weights: {learn: feedback, rate: 0.5, floor: 0.05, loss: absolute, range: 20, output: q}\n");
  ASSERT_TRUE(read_in.problems.empty()) << read_in.problems[0].message;
  const auto& learning = read_in.definition.ensemble->combination->learning;
  ASSERT_TRUE(learning);
  EXPECT_EQ(*learning, (WeightLearning{0.5, 0.05, MemberLoss::kAbsolute, 20, "q"}));
  EXPECT_THAT(effective_yaml(read_in.definition, {}, "there", ""),
              HasSubstr("weights: {learn: feedback, rate: 0.5, floor: 0.05, loss: absolute, range: 20, output: q}"));
  ModelDefinition other = read_in.definition;
  other.ensemble->combination->learning->rate = 0.6;
  EXPECT_NE(making_key(other), making_key(read_in.definition));
}

TEST(YamlEnsemble, ReadsSteps) {
  const LayeredDefinition read_in = read(
      "    ensemble:\n"
      "      steps:\n"
      "        - {model: pre, inputs: {raw: in}, outputs: {image: mid}}\n"
      "        - {model: net@2, inputs: {x: mid}, outputs: {p: out}}\n");
  ASSERT_TRUE(read_in.problems.empty()) << read_in.problems[0].message;
  ASSERT_TRUE(read_in.definition.ensemble);
  EXPECT_FALSE(read_in.definition.ensemble->combination);
  ASSERT_EQ(read_in.definition.ensemble->steps.size(), 2U);
  EXPECT_EQ(read_in.definition.ensemble->steps[1].text(), "net@2");
  EXPECT_EQ(read_in.definition.ensemble->steps[1].inputs.at("x"), "mid");
  EXPECT_EQ(read_in.definition.ensemble->members(), (std::vector<std::string>{"pre", "net"}));
}

TEST(YamlEnsemble, ReadsConditions) {
  const std::string text =
      "    ensemble:\n"
      "      steps:\n"
      "        - {model: score, inputs: {x: in}, outputs: {s: score, l: language}}\n"
      "        - {model: large, when: {tensor: score, at_least: 0.5, of: any}, inputs: {x: in}, outputs: {y: out}}\n"
      "        - {model: other, when: {tensor: language, equals: \"1\"}, inputs: {x: in}, outputs: {y: out}}\n"
      "        - {model: small@2, when: otherwise, inputs: {x: in}, outputs: {y: out}}\n";
  const LayeredDefinition read_in = read(text);
  ASSERT_TRUE(read_in.problems.empty()) << read_in.problems[0].message;
  EXPECT_EQ(read_in.definition.platform, "ensemble");
  const std::vector<EnsembleStep>& steps = read_in.definition.ensemble->steps;
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_FALSE(steps[0].when);
  EXPECT_EQ(*steps[1].when,
            (StepCondition{"score", StepCondition::Test::kAtLeast, 0.5, "", false, StepCondition::Reduction::kAny}));
  EXPECT_EQ(*steps[2].when,
            (StepCondition{"language", StepCondition::Test::kEquals, 0, "1", true, StepCondition::Reduction::kAll}));
  EXPECT_TRUE(steps[3].otherwise);
  EXPECT_EQ(steps[3].text(), "small@2");
  const std::string effective = effective_yaml(read_in.definition, {}, "there", "");
  EXPECT_THAT(effective, HasSubstr("when: {tensor: score, at_least: 0.5, of: any}"));
  EXPECT_THAT(effective, HasSubstr("when: {tensor: language, equals: \"1\"}"));
  EXPECT_THAT(effective, HasSubstr("when: otherwise"));
  ModelDefinition changed = read_in.definition;
  changed.ensemble->steps[1].when->number = 0.6;
  EXPECT_NE(making_key(changed), making_key(read_in.definition)) << "it is made anew when a condition changes";
}

struct BadText {
  const char* text;
  const char* message;
};

TEST(YamlEnsemble, TellsWhatIsWrong) {
  const std::vector<BadText> table{
      {"{}", "an ensemble must have one of members and steps"},
      {"{members: [a, b]}", "an ensemble with members must say how to combine them"},
      {"{combine: average, members: [a]}", "members"},
      {"{combine: mean, members: [a, b]}", "mean"},
      {"{combine: average, members: [a, a]}", "'a' is a member twice"},
      {"{combine: average, members: [a, e]}", "it can't be a member of itself"},
      {"{combine: average, members: [a, {model: b, weight: 2}]}", "'average' takes no weights"},
      {"{combine: weighted, members: [a, {model: b, weight: 0}]}", "the weight of 'b' must be a number above 0"},
      {"{combine: weighted, members: [a, {model: b, weight: much}]}", "weight 'much' is not a number"},
      {"{combine: average, members: [a, b@]}", "'b@' names no version"},
      {"{combine: average, members: [a, b], quorum: 3}", "its quorum of 3 is more than its members, 2"},
      {"{steps: [{model: a, inputs: {x: in}, outputs: {y: out}}], quorum: 1}",
       "'quorum' is for an ensemble with members"},
      {"{steps: [{model: a@b, inputs: {x: in}, outputs: {y: out}}]}", "by its number, not 'a@b'"},
      {"{steps: [{model: a, inputs: {x: in}, outputs: {y: in}}]}", "wait for each other in a circle"},
      {"{combine: average, members: [a, b], weights: {learn: feedback}}", "'average' takes no weights"},
      {"{combine: majority, members: [a, b], weights: {learn: luck}}", "luck"},
      {"{combine: majority, members: [a, b], weights: {learn: feedback, rate: 0}}", "above 0 and at most 10"},
      {"{combine: majority, members: [a, b], weights: {learn: feedback, rate: x}}", "rate 'x' is not a number"},
      {"{combine: majority, members: [a, b], weights: {learn: feedback, floor: 0.5}}", "from 0 to below 1 / 2"},
      {"{combine: majority, members: [a, b], weights: {learn: feedback, loss: brier}}", "brier is not for majority"},
      {"{combine: majority, members: [a, b], weights: {learn: feedback, range: 2}}", "not of zero_one"},
      {"{combine: weighted, members: [a, b], weights: {learn: feedback, range: -2}}", "a number above 0"},
      {"{combine: weighted, members: [a, b], outputs: [p], weights: {learn: feedback, output: q}}", "'q'"},
      {"{steps: [{model: a, inputs: {x: in}, outputs: {y: out}}], weights: {learn: feedback}}",
       "'weights' is for an ensemble with members"},
      {"{combine: average, members: [a, b]}\n    instances: 2", "it has no instances"},
      {"{combine: average, members: [a, b]}\n    backend: x", "no backend runs it"},
      {"{combine: average, members: [a, b]}\n    path: x", "an ensemble has no path"},
      {"{combine: average, members: [a, b]}\n    batching: {max_size: 4}", "its members make the batches"},
  };
  for (const BadText& bad : table) {
    const LayeredDefinition read_in = read(std::string("    ensemble: ") + bad.text + "\n");
    ASSERT_FALSE(read_in.problems.empty()) << bad.text;
    EXPECT_THAT(read_in.problems[0].message, HasSubstr(bad.message)) << bad.text;
    EXPECT_THAT(read_in.problems[0].place, HasSubstr("m.yaml:")) << bad.text;
  }
}

/// Steps of one model each: "a" reads in and writes score.
std::string steps_of(const std::string& rest) {
  return "    ensemble: {steps: [{model: a, inputs: {x: in}, outputs: {y: score}}, " + rest + "]}\n";
}

TEST(YamlEnsemble, TellsWhatIsWrongWithConditions) {
  const std::vector<BadText> table{
      {"{model: b, when: {tensor: score}, inputs: {x: in}, outputs: {y: out}}", "it has 0"},
      {"{model: b, when: {tensor: score, above: 1, below: 2}, inputs: {x: in}, outputs: {y: out}}", "it has 2"},
      {"{model: b, when: {tensor: score, above: much}, inputs: {x: in}, outputs: {y: out}}",
       "above is for numbers, and 'much' is none"},
      {"{model: b, when: {tensor: score, above: 1, of: most}, inputs: {x: in}, outputs: {y: out}}", "most"},
      {"{model: b, when: sometimes, inputs: {x: in}, outputs: {y: out}}", "sometimes"},
      {"{model: b, when: {tensor: scores, above: 1}, inputs: {x: in}, outputs: {y: out}}",
       "tensor 'scores', which the condition of step 2 ('b') looks at, is none of the ensemble's"},
      {"{model: b, when: otherwise, inputs: {x: in}, outputs: {y: out}}",
       "step 2 ('b') has when: otherwise, but no step before it writes the same tensors"},
      {"{model: b, inputs: {x: in}, outputs: {y: out}}, "
       "{model: c, when: {tensor: score, above: 1}, inputs: {x: in}, outputs: {y: out}}",
       "step 3 ('c') never runs: step 2 ('b') writes the same tensors"},
      {"{model: b, when: {tensor: score, above: 1}, inputs: {x: in}, outputs: {y: out, z: more}}, "
       "{model: c, when: otherwise, inputs: {x: in}, outputs: {y: out}}",
       "they must write the same tensors"},
      {"{model: b, when: {tensor: out, above: 1}, inputs: {x: in}, outputs: {y: out}}",
       "wait for each other in a circle, which must be broken: step 2 ('b')"},
      {"{model: e, when: {tensor: score, above: 1}, inputs: {x: in}, outputs: {y: out}}", "a member of itself"},
  };
  for (const BadText& bad : table) {
    const LayeredDefinition read_in = read(steps_of(bad.text));
    ASSERT_FALSE(read_in.problems.empty()) << bad.text;
    EXPECT_THAT(read_in.problems[0].message, HasSubstr(bad.message)) << bad.text;
    EXPECT_THAT(read_in.problems[0].place, HasSubstr("m.yaml:")) << bad.text;
  }
}

}  // namespace
}  // namespace modelmill
