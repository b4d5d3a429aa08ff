#include "lifecycle/model_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "model/triton_config.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

ModelDefinition with(std::map<std::string, std::string> parameters) {
  ModelDefinition definition;
  definition.name = "m";
  definition.parameters = std::move(parameters);
  return definition;
}

TEST(ModelParameters, AnObjectiveIsTheModelsOwnOrTheOperators) {
  LoadSettings settings;
  EXPECT_EQ(objective_of(with({}), settings).value(), 0us);
  settings.objectives = {{"", 20ms}, {"other", 1s}};
  EXPECT_EQ(objective_of(with({}), settings).value(), 20ms);
  settings.objectives["m"] = 7ms;
  EXPECT_EQ(objective_of(with({}), settings).value(), 7ms);
  EXPECT_EQ(objective_of(with({{"objective_p99_us", "500"}}), settings).value(), 500us);
  for (const char* text : {"", "0", "5ms", "-1", "x"})
    EXPECT_THAT(objective_of(with({{"objective_p99_us", text}}), settings).status().message(),
                HasSubstr("'objective_p99_us' is '" + std::string(text) + "'"));
}

TEST(ModelParameters, AllowedSizes) {
  const auto sizes = [](const std::string& text, std::optional<int64_t> max_batch_size = 16) {
    ModelDefinition definition = with({{"allowed_batch_sizes", text}});
    definition.max_batch_size = max_batch_size;
    return allowed_sizes_of(definition);
  };
  EXPECT_TRUE(allowed_sizes_of(with({})).value().empty());
  EXPECT_EQ(sizes("1, 4 ,16").value(), (std::vector<int64_t>{1, 4, 16}));
  EXPECT_EQ(sizes("16").value(), std::vector<int64_t>{16});
  EXPECT_THAT(
      sizes("4,4,16").status().message(),
      HasSubstr("'4,4,16', but must be ascending: allowed_batch_sizes entries must be monotonically increasing"));
  EXPECT_THAT(sizes("1,8").status().message(),
              HasSubstr("Last entry in allowed_batch_sizes must match max_batch_size; last entry was 8; expected 16"));
  EXPECT_FALSE(sizes("1,8", std::nullopt).ok());
  for (const char* text : {"", ",", "1,", "0,16", "-1,16", "1;16", "1 16", "1,16x", "99999999999999999999"})
    EXPECT_THAT(sizes(text).status().message(), HasSubstr("numbers of 1 and more")) << text;
}

TEST(ModelParameters, TheNumberOfInstancesIsFixedUnlessAsked) {
  EXPECT_TRUE(limits_of(with({}), {}).value().fixed());
  EXPECT_TRUE(limits_of(with({{"min_instances", "2"}}), {}).value().fixed());
}

TEST(ModelParameters, LimitsOfInstances) {
  const InstanceLimits own = limits_of(with({{"min_instances", "2"}, {"max_instances", "5"}}), {}).value();
  EXPECT_EQ(own.min, 2);
  EXPECT_EQ(own.max, 5);
  EXPECT_EQ(limits_of(with({{"max_instances", "5"}}), {}).value().min, 1);
  LoadSettings settings;
  settings.instance_limits = {1, 4, {}};
  EXPECT_EQ(limits_of(with({}), settings).value().max, 4);
  EXPECT_EQ(limits_of(with({{"max_instances", "2"}}), settings).value().max, 2);
  EXPECT_THAT(limits_of(with({{"min_instances", "3"}, {"max_instances", "2"}}), {}).status().message(),
              HasSubstr("min_instances is 3, above max_instances, 2"));
  EXPECT_THAT(limits_of(with({{"max_instances", "many"}}), {}).status().message(), HasSubstr("from 0 to 1024"));
  EXPECT_FALSE(limits_of(with({{"max_instances", "1025"}}), {}).ok());
}

TEST(ModelParameters, WhatTheDefinitionSaysItselfCountsUnlessAParameterDoes) {
  ModelDefinition definition = with({});
  definition.batching.objective_p99 = 3ms;
  definition.batching.allowed_sizes = {1, 8};
  definition.instance_range = {1, 3, 60s};
  LoadSettings settings;
  settings.objectives = {{"m", 7ms}};
  settings.instance_limits = {2, 8, {}};
  EXPECT_EQ(objective_of(definition, settings).value(), 3ms);
  EXPECT_EQ(allowed_sizes_of(definition).value(), (std::vector<int64_t>{1, 8}));
  const InstanceLimits limits = limits_of(definition, settings).value();
  EXPECT_EQ(limits.min, 1);
  EXPECT_EQ(limits.max, 3);
  EXPECT_EQ(limits.zero_after, Duration(60s));
  definition.parameters = {{"objective_p99_us", "500"}, {"max_instances", "5"}};
  EXPECT_EQ(objective_of(definition, settings).value(), 500us);
  EXPECT_EQ(limits_of(definition, settings).value().max, 5);
  definition.instance_range = {2, 2, {}};
  definition.parameters.clear();
  EXPECT_TRUE(limits_of(definition, settings).value().fixed()) << "a number is not a range";
}

TEST(ModelParameters, CoresOfInstances) {
  EXPECT_TRUE(affinity_of(with({})).value().empty());
  const auto one = affinity_of(with({{"cpu_affinity", "0"}}));
  ASSERT_TRUE(one.ok()) << one.status().to_string();
  EXPECT_EQ(*one, (std::vector<std::vector<int>>{{0}}));
  const auto two = affinity_of(with({{"cpu_affinity", "0-0,0;0"}}));
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(*two, (std::vector<std::vector<int>>{{0, 0}, {0}}));
  EXPECT_THAT(affinity_of(with({{"cpu_affinity", "0;1000"}})).status().message(),
              HasSubstr("core 1000 is none of them"));
  for (const char* text : {"", "x", "0-", "1-0", "0,", "0;", ";0", "-1", "99999999999"})
    EXPECT_THAT(affinity_of(with({{"cpu_affinity", text}})).status().message(), HasSubstr("such as 0-1;2,3")) << text;
}

TEST(ModelParameters, MemoryOfAnInstance) {
  EXPECT_EQ(instance_memory_of(with({})).value(), 0u);
  EXPECT_EQ(instance_memory_of(with({{"instance_memory", "1.5GiB"}})).value(), uint64_t{1536} << 20);
  for (const char* text : {"", "much", "-1", "2GB/s"})
    EXPECT_THAT(instance_memory_of(with({{"instance_memory", text}})).status().message(),
                HasSubstr("'instance_memory' is '" + std::string(text) + "', but must be a size"))
        << text;
}

TEST(ModelParameters, MemoryOfAnInstanceThatTritonsSettingsBound) {
  ModelDefinition definition = with({});
  definition.backend = "onnxruntime";
  inference::ModelConfig config;
  auto& accelerator = *config.mutable_optimization()->mutable_execution_accelerators()->add_gpu_execution_accelerator();
  accelerator.set_name("cuda");
  (*accelerator.mutable_parameters())["gpu_mem_limit"] = "4294967296";
  definition.triton_config = config.SerializeAsString();
  EXPECT_EQ(instance_memory_of(definition).value(), uint64_t{4} << 30);
  definition.parameters["instance_memory"] = "5GiB";
  EXPECT_EQ(instance_memory_of(definition).value(), uint64_t{5} << 30) << "the word for this comes first";
  definition.parameters.clear();
  definition.backend = "other";
  EXPECT_EQ(instance_memory_of(definition).value(), 0u) << "to others it means nothing";
}

TEST(ModelParameters, ToZero) {
  LoadSettings settings;
  settings.instance_limits = {0, 0, 600s};
  const InstanceLimits limits = limits_of(with({}), settings).value();
  EXPECT_EQ(limits.min, 0);
  EXPECT_EQ(limits.max, 1);
  EXPECT_EQ(limits.zero_after, Duration(600s));
  EXPECT_EQ(limits_of(with({{"min_instances", "1"}}), settings).value().min, 1);
  EXPECT_EQ(limits_of(with({{"scale_to_zero_after", "5s"}}), settings).value().zero_after, Duration(5s));
  EXPECT_THAT(limits_of(with({{"scale_to_zero_after", "5"}}), settings).status().message(), HasSubstr("such as 600s"));
}

}  // namespace
}  // namespace modelmill
