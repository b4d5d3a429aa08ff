#include "model/model_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/triton_config.h"
#include "model/yaml_config.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ModelLayer triton(const std::string& text) {
  std::vector<ConfigProblem> problems;
  auto layer = triton_layer(text, "config.pbtxt", problems);
  EXPECT_THAT(problems, IsEmpty());
  return *layer;
}

ModelLayer yaml(const std::string& text) {
  YamlConfig config = read_yaml_config(text, "m.yaml");
  EXPECT_THAT(config.models.at(0).problems, IsEmpty());
  return config.models.at(0).layer;
}

TEST(ModelLayer, WhatALayerSaysReplacesTheLowerOnesAndTheRestStays) {
  const std::vector<ModelLayer> layers{
      text_layer("name", "folder", "folder"),
      triton("backend: 'a' max_batch_size: 4 dynamic_batching { preferred_batch_size: 2 preserve_ordering: true } "
             "parameters { key: 'p' value { string_value: 'v' } }"),
      yaml("batching: {delay: 5ms}\nlabels: {stable: 2}")};
  const LayeredDefinition laid = lay_over(layers);
  EXPECT_THAT(laid.problems, IsEmpty());
  EXPECT_EQ(laid.definition.name, "folder");
  EXPECT_EQ(laid.definition.backend, "a");
  EXPECT_EQ(laid.definition.max_batch_size, 4);
  EXPECT_THAT(laid.definition.batching.preferred_sizes, IsEmpty()) << "the section is replaced as a whole";
  EXPECT_EQ(laid.definition.batching.max_queue_delay, std::chrono::milliseconds(5));
  EXPECT_EQ(laid.definition.parameters.at("p"), "v");
  EXPECT_EQ(laid.definition.labels.at("stable"), 2);
}

TEST(ModelLayer, ParametersAreLaidOverEachOtherByName) {
  const LayeredDefinition laid = lay_over(std::vector<ModelLayer>{
      parameter_layer("low", "1", "x"), parameter_layer("both", "1", "x"), yaml("parameters: {both: 2, high: 2}")});
  EXPECT_THAT(
      laid.definition.parameters,
      testing::UnorderedElementsAre(testing::Pair("low", "1"), testing::Pair("both", "2"), testing::Pair("high", "2")));
}

TEST(ModelLayer, ZeroFromALayerIsNotAbsence) {
  const LayeredDefinition laid = lay_over(std::vector<ModelLayer>{triton("max_batch_size: 8"), yaml("batching: off")});
  EXPECT_EQ(laid.definition.max_batch_size, 0);
  EXPECT_EQ(laid.definition.batching.mode, BatchingDefinition::Mode::kDisabled);
}

TEST(ModelLayer, InstancesThatAreToBeChosenReplaceTheLowerOnes) {
  const LayeredDefinition laid =
      lay_over(std::vector<ModelLayer>{triton("instance_group { count: 3 }"), yaml("instances: 0")});
  EXPECT_THAT(laid.definition.instance_groups, IsEmpty());
  EXPECT_EQ(laid.definition.instance_range.max, std::nullopt);
}

TEST(ModelLayer, AProblemPointsToTheLayerThatCausedIt) {
  const std::vector<ModelLayer> layers{triton("max_batch_size: -2\ninput { name: 'x' }"),
                                       yaml("batching: {preferred_sizes: [9]}")};
  std::vector<std::string> places;
  for (const ConfigProblem& problem : lay_over(layers).problems) places.push_back(problem.place);
  EXPECT_THAT(places, ElementsAre("config.pbtxt:1:1", "config.pbtxt:2:1", "m.yaml:1:29"));
}

TEST(ModelLayer, OriginIsTheTopmostLayerThatSpeaks) {
  const std::vector<ModelLayer> layers{triton("max_batch_size: 4\nbackend: 'a'"), yaml("batching: {max_size: 8}")};
  EXPECT_EQ(origin_of(layers, "max_batch_size"), "m.yaml:1:22");
  EXPECT_EQ(origin_of(layers, "backend"), "config.pbtxt:2:1");
  EXPECT_EQ(origin_of(layers, "pinned"), "");
}

}  // namespace
}  // namespace modelmill
