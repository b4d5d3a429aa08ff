#include "model/effective_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/triton_config.h"
#include "model/yaml_config.h"

namespace modelmill {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::vector<ModelLayer> layers_of(const std::string& triton, const std::string& yaml) {
  std::vector<ConfigProblem> problems;
  std::vector<ModelLayer> layers{text_layer("name", "ocr", "models/ocr"),
                                 *triton_layer(triton, "config.pbtxt", problems)};
  YamlConfig config = read_yaml_config(yaml, "modelmill.yaml");
  EXPECT_THAT(config.models.at(0).problems, IsEmpty());
  layers.push_back(config.models[0].layer);
  return layers;
}

constexpr const char* kTriton = R"(
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "x y" data_type: TYPE_FP32 dims: [ 3, -1 ] optional: true } ]
output [ { name: "y" data_type: TYPE_STRING dims: [ 1 ] reshape { shape: [ ] } label_filename: "y.txt" } ]
dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 1500 priority_levels: 2
  default_priority_level: 2 priority_queue_policy { key: 1 value { max_queue_size: 3 timeout_action: DELAY } } }
parameters { key: "true" value { string_value: "7: #" } }
model_warmup { name: "w" batch_size: 1 inputs { key: "x y" value { data_type: TYPE_FP32 dims: [ 3, 2 ] zero_data: true } } }
)";

TEST(EffectiveConfig, ReadsBackAsTheSameDefinition) {
  for (const char* yaml :
       {"schema_version: 1", "instances: 2\npinned: true\nresponse_cache: true\nversions: {specific: [1, 2]}",
        "instances: {min: 0, max: 3, zero_after: 90s}\nlabels: {a: 1}\ndefault_version: 1\n"
        "swap: resource\nallow_breaking: true\ngpus: [0, 1]\nbatching: {objective: {p99: 750us}}"}) {
    const std::vector<ModelLayer> layers = layers_of(kTriton, yaml);
    const LayeredDefinition laid = lay_over(layers);
    ASSERT_THAT(laid.problems, IsEmpty());
    const std::string text = "models:\n" + effective_yaml(laid.definition, layers, "models/ocr", "its files");
    const YamlConfig again = read_yaml_config(text, "again.yaml");
    ASSERT_THAT(again.problems, IsEmpty()) << text;
    ASSERT_THAT(again.models.at(0).problems, IsEmpty()) << text << status_of(again.models[0].problems[0]).message();
    EXPECT_EQ(again.models[0].path, "models/ocr");
    const LayeredDefinition relaid = lay_over(std::span(&again.models[0].layer, 1));
    ASSERT_THAT(relaid.problems, IsEmpty()) << text;
    // The writer itself is what compares: all that it knows of is the same.
    const auto without_comments = [](std::string written) {
      std::string out;
      for (size_t begin = 0; begin < written.size();) {
        const size_t end = written.find('\n', begin);
        out += written.substr(begin, std::min(written.rfind("  # ", end), end) - begin) + "\n";
        begin = end + 1;
      }
      return out;
    };
    EXPECT_EQ(without_comments(effective_yaml(relaid.definition, layers, "models/ocr", "its files")),
              without_comments(effective_yaml(laid.definition, layers, "models/ocr", "its files")));
    EXPECT_EQ(relaid.definition.batching.queue_by_level.at(1).max_queue_size, 3);
    EXPECT_EQ(relaid.definition.inputs.at(0).name, "x y");
    EXPECT_EQ(relaid.definition.parameters.at("true"), "7: #");
    EXPECT_EQ(relaid.definition.pinned, laid.definition.pinned);
    EXPECT_EQ(relaid.definition.response_cache, laid.definition.response_cache);
    EXPECT_EQ(relaid.definition.instance_range.min, laid.definition.instance_range.min);
  }
}

TEST(EffectiveConfig, SaysWhereEachLineComesFrom) {
  const std::vector<ModelLayer> layers = layers_of(kTriton, "schema_version: 1\npinned: true");
  const std::string text = effective_yaml(lay_over(layers).definition, layers, "models/ocr", "its files");
  EXPECT_THAT(text, HasSubstr("  - name: ocr  # models/ocr\n"));
  EXPECT_THAT(text, HasSubstr("    backend: onnxruntime  # config.pbtxt:2:1\n"));
  EXPECT_THAT(text, HasSubstr("      max_size: 8  # config.pbtxt:3:1\n"));
  EXPECT_THAT(text, HasSubstr("    pinned: true  # modelmill.yaml:2:9\n"));
  EXPECT_THAT(text, HasSubstr("    swap: availability  # default\n"));
  EXPECT_THAT(text, HasSubstr("    versions: {latest: 1}  # default\n"));
}

TEST(EffectiveConfig, WhatIsDecidedAtLoadIsAComment) {
  ModelDefinition definition;
  definition.name = "m";
  definition.backend = "onnxruntime";
  const std::string text = effective_yaml(definition, {}, "m.onnx", "its file m.onnx");
  EXPECT_THAT(text, HasSubstr("    backend: onnxruntime  # its file m.onnx\n"));
  EXPECT_THAT(text, HasSubstr("    # batching:\n      # max_size: open  # decided at load"));
  EXPECT_THAT(text, HasSubstr("    # inputs: those of the model  # the model at load\n"));
  EXPECT_THAT(read_yaml_config("models:\n" + text, "x.yaml").models.at(0).problems, IsEmpty()) << text;
}

}  // namespace
}  // namespace modelmill
