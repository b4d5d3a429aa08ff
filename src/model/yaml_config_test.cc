#include "model/yaml_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/triton_config.h"

namespace modelmill {
namespace {

using std::chrono::microseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

std::vector<std::string> texts(const std::vector<ConfigProblem>& problems) {
  std::vector<std::string> out;
  for (const ConfigProblem& problem : problems) out.push_back(status_of(problem).message());
  return out;
}

/// The definition of a file that describes one model, or the first thing wrong with it.
Result<ModelDefinition> parsed(const std::string& text) {
  const YamlConfig config = read_yaml_config(text, "m.yaml");
  if (!config.problems.empty()) return status_of(config.problems.front());
  if (!config.models.front().problems.empty()) return status_of(config.models.front().problems.front());
  LayeredDefinition laid = lay_over(std::span(&config.models.front().layer, 1));
  if (!laid.problems.empty()) return status_of(laid.problems.front());
  return laid.definition;
}

constexpr const char* kWhole = R"(
schema_version: 1
name: ocr
backend: onnxruntime
file: net.onnx
versions: {specific: [4, 3]}
labels: {stable: 3, canary: 4}
default_version: 3
instances: {min: 1, max: 4, zero_after: 600s}
instance_threads: 2
device: cpu
batching:
  max_size: 32
  delay: 1.5ms
  preferred_sizes: [8, 4]
  allowed_sizes: [1, 8, 32]
  preserve_ordering: false
  objective: {p99: 20ms}
queue: {max_size: 100, timeout: 50ms, timeout_action: delay, allow_timeout_override: true}
priorities:
  levels: 2
  default: 2
  queues:
    1: {max_size: 7}
swap: resource
allow_breaking: true
pinned: true
response_cache: true
inputs:
  - {name: x, type: FP32, dims: [3, -1], optional: true, ragged: true}
outputs:
  - {name: y, type: BYTES, dims: [1], reshape: [], labels: y.txt}
parameters: {intra_op_thread_count: 2, text: "a b", flag: true}
metric_tags: {team: vision}
warmup:
  - {inputs: {x: {type: FP32, dims: [3, 8], fill: random}}}
  - {name: real, batch_size: 4, count: 2, inputs: {x: {type: FP32, dims: [3, 8], file: x.bin}}}
)";

TEST(YamlConfig, TheChoiceOfARuntimeIsAParameter) {
  const auto d = parsed("name: a\nruntime: auto\nruntime_tolerance: 1e-3\nparameters: {other: 1}\n");
  ASSERT_TRUE(d.ok()) << d.status().to_string();
  EXPECT_EQ(d->parameters,
            (std::map<std::string, std::string>{{"runtime", "auto"}, {"runtime_tolerance", "1e-3"}, {"other", "1"}}));
  const auto lower = parsed("name: a\nruntime_precisions: [bf16, int8]\nruntime_tolerance: 0.01\n");
  ASSERT_TRUE(lower.ok()) << lower.status().to_string();
  EXPECT_EQ(lower->parameters.at("runtime_precisions"), "bf16,int8");
  EXPECT_FALSE(parsed("name: a\nruntime_precisions: [int4]\n").ok());
}

TEST(YamlConfig, MemoryOfDevices) {
  EXPECT_EQ(parsed("instance_memory: 2GiB")->parameters.at("instance_memory"), "2GiB");
  const YamlConfig each = read_yaml_config("models: []\ndevice_memory: 20GiB", "m.yaml");
  EXPECT_THAT(each.problems, IsEmpty());
  EXPECT_EQ(each.device_memory.find(3), uint64_t{20} << 30);
  const YamlConfig single = read_yaml_config("models: []\ndevice_memory: {0: 1KiB, 3: 0}", "m.yaml");
  EXPECT_THAT(single.problems, IsEmpty());
  EXPECT_EQ(single.device_memory.find(0), 1024u);
  EXPECT_EQ(single.device_memory.find(3), 0u);
  EXPECT_EQ(single.device_memory.find(1), std::nullopt);
  EXPECT_THAT(texts(read_yaml_config("models: []\ndevice_memory: {-1: 1GiB}", "m.yaml").problems),
              ElementsAre(HasSubstr("a key of 'device_memory' is '-1', but must be a whole number of 0 or more")));
}

TEST(YamlConfig, SaysEverythingThatADefinitionHolds) {
  const auto d = parsed(kWhole);
  ASSERT_TRUE(d.ok()) << d.status().to_string();
  EXPECT_EQ(d->name, "ocr");
  EXPECT_EQ(d->backend, "onnxruntime");
  EXPECT_EQ(d->default_model_filename, "net.onnx");
  EXPECT_EQ(d->version_policy.kind, VersionPolicy::Kind::kSpecific);
  EXPECT_THAT(d->version_policy.specific, ElementsAre(3, 4));
  EXPECT_THAT(d->labels, ElementsAre(Pair("canary", 4), Pair("stable", 3)));
  EXPECT_EQ(d->default_version, 3);
  EXPECT_EQ(d->instance_range.min, 1);
  EXPECT_EQ(d->instance_range.max, 4);
  EXPECT_EQ(d->instance_range.zero_after, std::chrono::seconds(600));
  EXPECT_EQ(d->instance_threads, 2);
  ASSERT_EQ(d->instance_groups.size(), 1U);
  EXPECT_EQ(d->instance_groups[0].kind, InstanceGroup::Kind::kCpu);
  EXPECT_EQ(d->max_batch_size, 32);
  EXPECT_EQ(d->batching.max_queue_delay, microseconds(1500));
  EXPECT_THAT(d->batching.preferred_sizes, ElementsAre(4, 8));
  EXPECT_THAT(d->batching.allowed_sizes, ElementsAre(1, 8, 32));
  EXPECT_EQ(d->batching.objective_p99, std::chrono::milliseconds(20));
  EXPECT_EQ(d->batching.queue.max_queue_size, 100);
  EXPECT_EQ(d->batching.queue.default_timeout, std::chrono::milliseconds(50));
  EXPECT_EQ(d->batching.queue.timeout_action, QueuePolicy::TimeoutAction::kDelay);
  EXPECT_TRUE(d->batching.queue.allow_timeout_override);
  EXPECT_EQ(d->batching.priority_levels, 2U);
  EXPECT_EQ(d->batching.default_priority_level, 2U);
  EXPECT_EQ(d->batching.queue_by_level.at(1).max_queue_size, 7);
  EXPECT_EQ(d->swap, SwapPolicy::kResource);
  EXPECT_TRUE(d->allow_breaking);
  EXPECT_TRUE(d->pinned);
  ASSERT_EQ(d->inputs.size(), 1U);
  EXPECT_EQ(d->inputs[0].dtype, DataType::kFp32);
  EXPECT_THAT(d->inputs[0].dims, ElementsAre(3, -1));
  EXPECT_TRUE(d->inputs[0].optional);
  EXPECT_TRUE(d->inputs[0].allow_ragged);
  ASSERT_EQ(d->outputs.size(), 1U);
  EXPECT_EQ(d->outputs[0].dtype, DataType::kBytes);
  EXPECT_EQ(d->outputs[0].reshape, Shape());
  EXPECT_EQ(d->outputs[0].label_filename, "y.txt");
  EXPECT_THAT(d->parameters,
              ElementsAre(Pair("flag", "true"), Pair("intra_op_thread_count", "2"), Pair("text", "a b")));
  EXPECT_THAT(d->metric_tags, ElementsAre(Pair("team", "vision")));
  const inference::ModelConfig config = complete_triton_config(*d, {});
  ASSERT_EQ(config.model_warmup_size(), 2);
  EXPECT_TRUE(config.model_warmup(0).inputs().at("x").random_data());
  EXPECT_EQ(config.model_warmup(1).batch_size(), 4U);
  EXPECT_EQ(config.model_warmup(1).inputs().at("x").input_data_file(), "x.bin");
}

TEST(YamlConfig, WhatItDoesNotSayIsLeftOpen) {
  for (const char* text : {"schema_version: 1", "# nothing\nname: m"}) {
    const auto d = parsed(text);
    ASSERT_TRUE(d.ok()) << d.status().to_string();
    EXPECT_EQ(d->max_batch_size, std::nullopt);
    EXPECT_EQ(d->batching.mode, BatchingDefinition::Mode::kAuto);
    EXPECT_EQ(d->swap, SwapPolicy::kAvailability);
    EXPECT_EQ(d->default_version, std::nullopt);
    EXPECT_EQ(d->version_policy.kind, VersionPolicy::Kind::kLatest);
  }
  EXPECT_THAT(read_yaml_config("", "m.yaml").problems, IsEmpty());
}

TEST(YamlConfig, ValuesThatHaveSeveralForms) {
  EXPECT_EQ(parsed("versions: all")->version_policy.kind, VersionPolicy::Kind::kAll);
  EXPECT_EQ(parsed("versions: {latest: 2}")->version_policy.latest, 2);
  EXPECT_EQ(parsed("instances: 3")->instance_groups.at(0).count, 3);
  EXPECT_EQ(parsed("instances: 3")->instance_range.max, 3);
  EXPECT_THAT(parsed("instances: 0")->instance_groups, IsEmpty());
  EXPECT_EQ(parsed("gpus: [1, 2]")->instance_groups.at(0).kind, InstanceGroup::Kind::kGpu);
  EXPECT_EQ(parsed("batching: off")->batching.mode, BatchingDefinition::Mode::kDisabled);
  EXPECT_EQ(parsed("batching: {max_size: 0}")->max_batch_size, 0);
  EXPECT_EQ(parsed("batching: {delay: 5ms}")->max_batch_size, std::nullopt);
}

TEST(YamlConfig, AListingKeepsItsModelsApart) {
  const YamlConfig config = read_yaml_config(
      "schema_version: 1\nmodels:\n  - name: a\n    path: x/a.onnx\n  - {name: b, batchng: off}\n  - name: c\n",
      "m.yaml");
  EXPECT_THAT(config.problems, IsEmpty());
  ASSERT_EQ(config.models.size(), 3U);
  EXPECT_EQ(config.models[0].name, "a");
  EXPECT_EQ(config.models[0].path, "x/a.onnx");
  EXPECT_THAT(config.models[0].problems, IsEmpty());
  EXPECT_THAT(texts(config.models[1].problems),
              ElementsAre("m.yaml:5:15: unknown key 'batchng' in models[1]; did you mean 'batching'?"));
  EXPECT_THAT(config.models[2].problems, IsEmpty());
  EXPECT_EQ(config.models[2].place, "m.yaml:6:5");
}

TEST(YamlConfig, EveryProblemOfAModelIsTold) {
  const YamlConfig config =
      read_yaml_config("instances: many\nswop: resource\nbatching:\n  max_size: -1\n  delay: 5\n", "m.yaml");
  EXPECT_THAT(
      texts(config.models.at(0).problems),
      ElementsAre(
          "m.yaml:1:12: 'instances' is 'many', but must be a group with the keys min, max, zero_after, or a whole "
          "number from 0 to 1024",
          "m.yaml:2:1: unknown key 'swop'; did you mean 'swap'?",
          "m.yaml:4:13: 'batching.max_size' is '-1', but must be a whole number from 0 to 2147483647",
          "m.yaml:5:10: 'batching.delay' is '5', but must be a time with its unit, such as 20ms, of at "
          "most an hour"));
}

TEST(YamlConfig, WishesAreTheJsonThatStartsThem) {
  const YamlConfig config = read_yaml_config(
      "models: []\n"
      "rollouts:\n"
      "  - {name: r, to: 7, steps: [shadow:10@30m, 5, 100], gates: [p99<=1.1x], compare: {y: {kind: top_k, k: 5}}}\n"
      "experiments:\n"
      "  - {name: x, route: r, goal: 'revenue:mean', margin: 0.01, deploy_winner: true}\n",
      "m.yaml");
  ASSERT_TRUE(config.problems.empty()) << config.problems[0].message;
  ASSERT_EQ(config.rollouts.size(), 1U);
  EXPECT_EQ(config.rollouts[0].name, "r");
  EXPECT_EQ(config.rollouts[0].place, "m.yaml:3:5");
  EXPECT_EQ(config.rollouts[0].plan,
            R"({"to":7,"steps":["shadow:10@30m",5,100],"gates":["p99<=1.1x"],"compare":{"y":{"kind":"top_k","k":5}}})");
  ASSERT_EQ(config.experiments.size(), 1U);
  EXPECT_EQ(config.experiments[0].plan, R"({"route":"r","goal":"revenue:mean","margin":0.01,"deploy_winner":true})");
}

struct BadYaml {
  const char* text;
  const char* message;
};

class BadYamls : public testing::TestWithParam<BadYaml> {};

TEST_P(BadYamls, SayWhereAndWhat) {
  const auto d = parsed(GetParam().text);
  ASSERT_FALSE(d.ok()) << GetParam().text;
  EXPECT_THAT(d.status().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadYamls,
    testing::Values(
        BadYaml{"a: [1", "m.yaml:1:1: not YAML: "}, BadYaml{"a: b: c", "m.yaml:1:5: not YAML: "},
        BadYaml{"- a", "m.yaml:1:1: expected keys"}, BadYaml{"just text", "expected keys"},
        BadYaml{"schema_version: 2", "m.yaml:1:17: schema_version 2 is newer than what this server reads, 1; "},
        BadYaml{"schema_version: one", "'schema_version' is 'one', but must be a whole number from 1"},
        BadYaml{"schema_version: \"1\"", "'schema_version' is '1', but must be a whole number"},
        BadYaml{"listen: 8000", "unknown key 'listen'; not read from this file yet; use the option --listen"},
        BadYaml{"models: 3", "m.yaml:1:9: 'models' is '3', but must be a list"},
        BadYaml{"routes: []",
                "m.yaml:1:1: unknown key 'routes'; it stands beside 'models', in a file that lists models"},
        BadYaml{"models: []\nroutes: [{name: r, split: {m: 101}}]",
                "m.yaml:2:31: 'routes[0].split.m' is '101', but must be a number of percents, from 0 to 100"},
        BadYaml{"models: []\nroutes: [{name: r, split: {m: 50}}]",
                "m.yaml:2:10: route 'r': split: the shares sum to 50; they are percents and must sum to 100"},
        BadYaml{"models: []\nroutes: [{name: r, spilt: {m: 50}}]",
                "m.yaml:2:20: unknown key 'spilt' in routes[0]; did you mean 'split'?"},
        BadYaml{"models: []\nrollouts: [{name: r, to: 7}, {name: r, to: 8}]",
                "m.yaml:2:30: rollout 'r' is declared twice; keep one"},
        BadYaml{"models: []\nrollouts: [{name: r}]", "'rollouts[0].to' is missing"},
        BadYaml{"models: []\nexperiments: [{name: x, route: r, goal: g, gaol: h}]",
                "m.yaml:2:44: unknown key 'gaol' in experiments[0]; did you mean 'goal'?"},
        BadYaml{"rollouts: []", "unknown key 'rollouts'; it stands beside 'models', in a file that lists models"},
        BadYaml{"models: []\ndevice_memory: {0: lots}",
                "m.yaml:2:20: 'device_memory.0' is 'lots', but must be a size in bytes or with its unit, such as 8GiB"},
        BadYaml{"device_memory: 8GiB",
                "it stands beside 'models', in a file that lists models; a model has instance_memory"},
        BadYaml{"instance_memory: lots", "'instance_memory' is 'lots', but must be a size"},
        BadYaml{"models: []\nname: x", "m.yaml:2:1: unknown key 'name'"},
        BadYaml{"name: a\nname: b", "m.yaml:2:1: 'name' is written twice"},
        BadYaml{"name: ../etc", "m.yaml:1:7: model name '../etc' must not contain '/'"},
        BadYaml{"name: ''", "'name' is '', but must not be empty"}, BadYaml{"name:", "m.yaml:1:1: 'name' is empty"},
        BadYaml{"max_size: 3", "unknown key 'max_size'; it belongs in batching"},
        BadYaml{"max_batch_size: 3", "write it as batching: {max_size: N}"},
        BadYaml{"objective: {p99: 1ms}", "it belongs in batching"},
        BadYaml{"batching: {objective: {}}", "'batching.objective.p99' is missing; it is a time with its unit"},
        BadYaml{"batching: on", "'batching' is 'on', but must be a group with the keys max_size, "},
        BadYaml{"pinned: yes", "'pinned' is 'yes', but must be true or false"},
        BadYaml{"response_cache: 1GiB", "'response_cache' is '1GiB', but must be true or false"},
        BadYaml{"response_cache: true\ndecoupled: true", "can't be kept in the response cache"},
        BadYaml{"swap: availabilty",
                "'swap' is 'availabilty', but must be one of availability, resource; did you mean 'availability'?"},
        BadYaml{"versions: [1]", "'versions' is a list, but must be a group with the keys latest, specific, or all"},
        BadYaml{"versions: {latest: 1, specific: [2]}", "'versions' must have one of latest and specific"},
        BadYaml{"versions: {specific: [0]}", "'versions.specific[0]' is '0', but must be a whole number of 1 or more"},
        BadYaml{"labels: {stable: newest}", "'labels.stable' is 'newest'"},
        BadYaml{"instances: 2000", "from 0 to 1024"},
        BadYaml{"instances: {min: 5, max: 2}", "m.yaml:1:12: the least number of instances, 5, is above the most, 2"},
        BadYaml{"batching: {max_size: 8, allowed_sizes: [4, 4, 8]}",
                "m.yaml:1:40: the allowed sizes of batches must "
                "ascend"},
        BadYaml{"batching: {max_size: 8, allowed_sizes: [4]}", "is 4, but must be the largest size of a batch, 8"},
        BadYaml{"batching: {max_size: 8, preferred_sizes: [9]}",
                "m.yaml:1:42: dynamic batching preferred size must be <= max batch size"},
        BadYaml{"batching: {max_size: 8, preserve_ordering: true}\npriorities: {levels: 2, default: 1}",
                "m.yaml:2:22: Only one priority level"},
        BadYaml{"priorities: {levels: 2, default: 1, queues: {x: {}}}", "must be a whole number of 1 or more"},
        BadYaml{"inputs: [{name: x, type: FP32}]", "'inputs[0].dims' is missing"},
        BadYaml{"inputs: [{name: x, datatype: FP32, dims: [1]}]", "did you mean 'type'?"},
        BadYaml{"inputs: [{name: x, type: FP32, dims: [0]}]",
                "m.yaml:1:38: model input 'x' dimension must be integer >= 1"},
        BadYaml{"warmup: [{inputs: {x: {type: FP32, dims: [1]}}}]", "must have one of fill and file"},
        BadYaml{"? [a, b]\n: c", "a key must be a name, not a list"}));

TEST(YamlConfig, DeepNestingIsRefusedAndNotFollowed) {
  EXPECT_THAT(texts(read_yaml_config(std::string(100'000, '['), "m.yaml").problems),
              ElementsAre(HasSubstr("not YAML")));
}

}  // namespace
}  // namespace modelmill
