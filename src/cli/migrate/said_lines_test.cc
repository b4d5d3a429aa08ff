#include "cli/migrate/said_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/migrate/leftover_config.h"
#include "cli/migrate/moved_settings.h"
#include "model/effective_config.h"
#include "model/triton_config.h"
#include "model/yaml_config.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ModelLayer triton(const std::string& text) {
  std::vector<ConfigProblem> problems;
  auto layer = triton_layer(text, "config.pbtxt", problems);
  EXPECT_TRUE(layer.has_value() && problems.empty());
  return layer.value_or(ModelLayer());
}

inference::ModelConfig config_of(const std::vector<ModelLayer>& layers) {
  inference::ModelConfig config;
  EXPECT_TRUE(config.ParseFromString(lay_over(layers).definition.triton_config));
  return config;
}

/// "FATE THEIRS -> OURS" of each setting.
std::vector<std::string> settings_of(const std::string& text, bool tune_again = false) {
  const std::vector<ModelLayer> layers = {text_layer("name", "m", "m"), triton(text)};
  const LayeredDefinition laid = lay_over(layers);
  SettingsInput input{MigratedSystem::kTriton, layers, laid.notes, fields_without_key(config_of(layers)), tune_again};
  std::vector<std::string> out;
  for (const MovedSetting& setting : moved_settings(input))
    out.push_back(std::string(fate_name(setting.fate)) + " " + setting.theirs +
                  (setting.ours.empty() ? "" : " -> " + setting.ours));
  return out;
}

constexpr const char* kTuned =
    "max_batch_size: 8 instance_group { count: 2 kind: KIND_CPU } "
    "dynamic_batching { preferred_batch_size: 4 max_queue_delay_microseconds: 500 preserve_ordering: true }";

TEST(SaidLines, NestedKeysAndLists) {
  const auto lines = lines_of(
      "a: b  # x:1\nbatching:\n  max_size: 8  # y\n  # nothing: here\nqueues:\n  deep:\n    1: {x: y}  # z\ninputs:\n  "
      "- {name: x}  # w\nc: \"d: e\"\n");
  std::vector<std::string> texts;
  for (const SaidLine& line : lines) texts.push_back(line.key + "=" + line.value);
  EXPECT_THAT(texts,
              ElementsAre("a=b", "batching.max_size=8", "queues.deep.1={x: y}", "inputs={name: x}", "c=\"d: e\""));
}

TEST(SaidLines, OnlyWhatIsSaidIsWritten) {
  const std::vector<ModelLayer> layers = {text_layer("name", "m", "m"), triton(kTuned)};
  const std::string yaml = said_yaml(lay_over(layers).definition, layers);
  EXPECT_THAT(yaml, HasSubstr("instances: 2  # config.pbtxt:1:"));
  EXPECT_THAT(yaml, HasSubstr("batching:\n  max_size: 8  # "));
  EXPECT_THAT(yaml, HasSubstr("  delay: 500us  # "));
  EXPECT_THAT(yaml, HasSubstr("  preferred_sizes: [4]  # "));
  EXPECT_THAT(yaml, HasSubstr("device: cpu  # "));
  for (const char* unsaid : {"swap", "pinned", "name:", "path", "versions", "default", "instance_threads", "warmup"})
    EXPECT_THAT(yaml, Not(HasSubstr(unsaid)));
  const YamlConfig read = read_yaml_config(yaml, "modelmill.yaml");
  ASSERT_EQ(read.models.size(), 1u);
  EXPECT_THAT(read.models[0].problems, IsEmpty());
}

TEST(SaidLines, UntunedLayersKeepWhatClientsSee) {
  const std::vector<ModelLayer> layers = untuned(std::vector{triton(kTuned)});
  const std::string yaml = said_yaml(lay_over(layers).definition, layers);
  EXPECT_THAT(yaml, HasSubstr("max_size: 8"));
  EXPECT_THAT(yaml, HasSubstr("preserve_ordering: true"));
  for (const char* tuned : {"instances", "delay", "preferred_sizes"}) EXPECT_THAT(yaml, Not(HasSubstr(tuned)));
}

TEST(MovedSettings, HandSetNumbersAreKeptUntilTheyAreTunedAgain) {
  EXPECT_THAT(settings_of(kTuned),
              ElementsAre("same max_batch_size -> batching.max_size: 8",
                          "better dynamic_batching.max_queue_delay_microseconds -> batching.delay: 500us",
                          "better dynamic_batching.preferred_batch_size -> batching.preferred_sizes: [4]",
                          "same dynamic_batching.preserve_ordering -> batching.preserve_ordering: true",
                          "better instance_group.count -> instances: 2", "same instance_group.kind -> device: cpu"));
  EXPECT_THAT(settings_of("instance_group { count: 2 kind: KIND_CPU }", true),
              ElementsAre("better instance_group.count", "same instance_group.kind -> device: cpu"));
}

TEST(MovedSettings, EverySettingHasALine) {
  EXPECT_THAT(settings_of("name: 'm' platform: 'onnxruntime_onnx' version_policy { all {} } dynamic_batching {} "
                          "max_batch_size: 4 parameters { key: 'a' value { string_value: 'b' } } "
                          "optimization { priority: PRIORITY_MAX }"),
              ElementsAre("same name -> the folder's name", "same platform -> backend: onnxruntime",
                          "same version_policy -> versions: all", "same max_batch_size -> batching.max_size: 4",
                          "better dynamic_batching", "same optimization -> config.pbtxt: optimization",
                          "same parameters -> parameters: {a: b}"));
}

TEST(MovedSettings, WhatMeansNothingIsGoneWithItsReason) {
  EXPECT_THAT(settings_of("instance_group { count: 1 host_policy: 'p' }"),
              ElementsAre("better instance_group.count -> instances: 1", "gone instance_group[0].host_policy"));
}

TEST(LeftoverConfig, HasWhatThereIsNoKeyFor) {
  const auto left = [](const std::string& text) {
    const inference::ModelConfig config = config_of({triton(text)});
    return leftover_config(config, fields_without_key(config));
  };
  EXPECT_EQ(left(kTuned), "");
  EXPECT_EQ(left("max_batch_size: 4 sequence_batching { max_sequence_idle_microseconds: 7 }"),
            "sequence_batching {\n  max_sequence_idle_microseconds: 7\n}\n");
  EXPECT_THAT(
      left("instance_group { count: 1 kind: KIND_CPU host_policy: 'p' } instance_group { count: 2 kind: KIND_CPU }"),
      AllOf(HasSubstr("count: 2"), Not(HasSubstr("host_policy"))));
  EXPECT_THAT(left("instance_group { count: 1 rate_limiter { resources { name: 'r' count: 1 } } }"),
              AllOf(HasSubstr("instance_group"), HasSubstr("name: \"r\"")));
  EXPECT_THAT(left("max_batch_size: 4 input { name: 'x' data_type: TYPE_FP32 dims: [3, 4, 4] format: FORMAT_NCHW }"),
              HasSubstr("FORMAT_NCHW"));
}

}  // namespace
}  // namespace modelmill
