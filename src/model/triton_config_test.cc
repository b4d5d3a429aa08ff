#include "model/triton_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Result<ModelDefinition> parse(const std::string& text) { return parse_triton_config(text, "m/config.pbtxt"); }

std::string error_of(const std::string& text) {
  const auto definition = parse(text);
  return definition.ok() ? "no error" : definition.status().message();
}

constexpr const char* kImageModel = R"(
name: "resnet"
platform: "onnxruntime_onnx"
max_batch_size: 32
input [
  {
    name: "images"
    data_type: TYPE_FP32
    format: FORMAT_NCHW
    dims: [ 3, 224, 224 ]
  }
]
output [
  {
    name: "scores"
    data_type: TYPE_FP32
    dims: [ 1000 ]
    label_filename: "labels.txt"
    reshape { shape: [ 1000, 1, 1 ] }
  }
]
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching {
  preferred_batch_size: [ 8, 4 ]
  max_queue_delay_microseconds: 500
  preserve_ordering: true
  default_queue_policy { default_timeout_microseconds: 2000 allow_timeout_override: true max_queue_size: 100 }
}
version_policy: { specific { versions: [ 3, 1 ] } }
optimization {
  graph { level: 1 }
  cuda { graphs: true }
  execution_accelerators { cpu_execution_accelerator: [ { name: "openvino" } ] }
}
parameters { key: "intra_op_thread_count" value: { string_value: "2" } }
metric_tags { key: "team" value: "vision" }
model_warmup [ { name: "w" batch_size: 1
  inputs { key: "images" value: { data_type: TYPE_FP32 dims: [ 3, 224, 224 ] zero_data: true } } } ]
)";

TEST(TritonConfig, ReadsAnImageModel) {
  const auto parsed = parse(kImageModel);
  ASSERT_TRUE(parsed.ok()) << parsed.status().to_string();
  const ModelDefinition& d = *parsed;
  EXPECT_EQ(d.name, "resnet");
  EXPECT_EQ(d.backend, "onnxruntime");
  EXPECT_EQ(d.platform, "onnxruntime_onnx");
  EXPECT_EQ(d.max_batch_size, 32);
  ASSERT_EQ(d.inputs.size(), 1U);
  EXPECT_EQ(d.inputs[0].dtype, DataType::kFp32);
  EXPECT_EQ(shape_text(dims(d.inputs[0].dims)), "[3,224,224]");
  ASSERT_EQ(d.outputs.size(), 1U);
  EXPECT_EQ(d.outputs[0].label_filename, "labels.txt");
  ASSERT_TRUE(d.outputs[0].reshape);
  EXPECT_EQ(shape_text(dims(*d.outputs[0].reshape)), "[1000,1,1]");
  ASSERT_EQ(d.instance_groups.size(), 1U);
  EXPECT_EQ(d.instance_groups[0].count, 2);
  EXPECT_EQ(d.instance_groups[0].kind, InstanceGroup::Kind::kCpu);
  EXPECT_EQ(d.batching.mode, BatchingDefinition::Mode::kDynamic);
  EXPECT_THAT(d.batching.preferred_sizes, ElementsAre(4, 8));
  EXPECT_EQ(d.batching.max_queue_delay, std::chrono::microseconds(500));
  EXPECT_TRUE(d.batching.preserve_ordering);
  EXPECT_EQ(d.batching.queue.default_timeout, std::chrono::microseconds(2000));
  EXPECT_TRUE(d.batching.queue.allow_timeout_override);
  EXPECT_EQ(d.batching.queue.max_queue_size, 100);
  EXPECT_EQ(d.version_policy.kind, VersionPolicy::Kind::kSpecific);
  EXPECT_THAT(d.version_policy.specific, ElementsAre(1, 3));
  EXPECT_EQ(d.parameters.at("intra_op_thread_count"), "2");
  EXPECT_EQ(d.metric_tags.at("team"), "vision");
}

TEST(TritonConfig, ReadsLevelsOfPriority) {
  const auto d = parse(
      "max_batch_size: 4 dynamic_batching { priority_levels: 3 default_priority_level: 2 default_queue_policy { "
      "max_queue_size: 9 } priority_queue_policy { key: 3 value { timeout_action: DELAY default_timeout_microseconds: "
      "70 allow_timeout_override: true max_queue_size: 5 } } }");
  ASSERT_TRUE(d.ok()) << d.status().to_string();
  EXPECT_EQ(d->batching.priority_levels, 3U);
  EXPECT_EQ(d->batching.default_priority_level, 2U);
  EXPECT_EQ(d->batching.queue.max_queue_size, 9);
  ASSERT_EQ(d->batching.queue_by_level.size(), 1U);
  const QueuePolicy& third = d->batching.queue_by_level.at(3);
  EXPECT_EQ(third.timeout_action, QueuePolicy::TimeoutAction::kDelay);
  EXPECT_EQ(third.default_timeout, std::chrono::microseconds(70));
  EXPECT_TRUE(third.allow_timeout_override);
  EXPECT_EQ(third.max_queue_size, 5);
  const auto none = parse("max_batch_size: 4 dynamic_batching { priority_queue_policy { key: 1 value { } } }");
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->batching.queue_by_level.empty()) << "without levels it is nobody's";
}

TEST(TritonConfig, TellsZeroFromAbsentBatchSize) {
  EXPECT_EQ(parse("max_batch_size: 0")->max_batch_size, 0);
  EXPECT_EQ(parse("max_batch_size: 0")->batching.mode, BatchingDefinition::Mode::kDisabled);
  EXPECT_EQ(parse("name: 'x'")->max_batch_size, std::nullopt);
  EXPECT_EQ(parse("name: 'x'")->batching.mode, BatchingDefinition::Mode::kAuto);
  EXPECT_EQ(parse("max_batch_size: 0 dynamic_batching { }")->batching.mode, BatchingDefinition::Mode::kDisabled);
}

TEST(TritonConfig, AcceptsAnEmptyFileAndComments) {
  EXPECT_TRUE(parse("").ok());
  EXPECT_TRUE(parse("# nothing to say\n").ok());
}

TEST(TritonConfig, LongDelaysDoNotOverflow) {
  const auto d = parse("max_batch_size: 2 dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 }");
  ASSERT_TRUE(d.ok());
  EXPECT_GT(d->batching.max_queue_delay.count(), 0);
}

TEST(TritonConfig, MapsPlatforms) {
  EXPECT_EQ(backend_of_platform("onnxruntime_onnx"), "onnxruntime");
  EXPECT_EQ(backend_of_platform("tensorflow_savedmodel"), "tensorflow");
  EXPECT_EQ(backend_of_platform("mystery"), "");
  EXPECT_EQ(platform_of_backend("onnxruntime"), "onnxruntime_onnx");
  EXPECT_EQ(parse("platform: 'onnxruntime_onnx' backend: 'other'")->backend, "other");
}

struct RefusedText {
  const char* text;
  const char* message;
};

class BadTexts : public testing::TestWithParam<RefusedText> {};

TEST_P(BadTexts, SayWhereAndWhat) { EXPECT_THAT(error_of(GetParam().text), HasSubstr(GetParam().message)); }

INSTANTIATE_TEST_SUITE_P(
    Syntax, BadTexts,
    testing::Values(
        RefusedText{"\n  max_batchsize: 3",
                    "m/config.pbtxt:2:3: unknown field 'max_batchsize' in ModelConfig; did you mean 'max_batch_size'?"},
        RefusedText{"inputs [ { name: 'x' } ]", "did you mean 'input'?"},
        RefusedText{"input [ { name: 'x' shape: [1] } ]", "unknown field 'shape' in ModelInput; did you mean 'dims'?"},
        RefusedText{"input [ { name: 'x' dtype: TYPE_FP32 } ]", "did you mean 'data_type'?"},
        RefusedText{"input [ { name: 'x' data_type: TYPE_FLOAT } ]",
                    "unknown value 'TYPE_FLOAT' for field 'data_type'; did you mean TYPE_FP32?"},
        RefusedText{"input [ { name: 'x' data_type: INT64 } ]", "did you mean TYPE_INT64?"},
        RefusedText{"input [ { name: 'x' data_type: BANANA } ]", "it can be TYPE_BOOL, TYPE_UINT8"},
        RefusedText{"instance_group [ { kind: KIND_CUP } ]", "did you mean KIND_CPU?"},
        RefusedText{"max_queue_delay_microseconds: 5",
                    "unknown field 'max_queue_delay_microseconds' in ModelConfig; it belongs in dynamic_batching"},
        RefusedText{"dynamic_batching { max_batch_size: 8 }", "it belongs at the top of the file"},
        RefusedText{"zzzzzz: 1", "unknown field 'zzzzzz' in ModelConfig"},
        RefusedText{"max_batch_size: \"8\"", "m/config.pbtxt:1:17: "},
        RefusedText{"max_batch_size: 99999999999", "m/config.pbtxt:1:"}, RefusedText{"input [ {", "m/config.pbtxt:1:"},
        RefusedText{"name: 'a' name: 'b'", "name"},
        RefusedText{"name: 'x'\nplatform: '\xff'", "m/config.pbtxt:2:12: not UTF-8 text"}));

INSTANTIATE_TEST_SUITE_P(
    Rules, BadTexts,
    testing::Values(
        RefusedText{"max_batch_size: -1",
                    "m/config.pbtxt:1:1: max_batch_size: 'max_batch_size' must be non-negative value"},
        RefusedText{"input { data_type: TYPE_FP32 dims: [1] }", "model input must specify 'name'"},
        RefusedText{"input { name: 'x' dims: [1] }", "model input 'x' must specify 'data_type'"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32 }", "model input 'x' must specify 'dims'"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32\n dims: [0] }",
                    "m/config.pbtxt:2:2: input[0].dims: model input 'x' dimension must be integer >= 1, or -1"},
        RefusedText{"output { name: 'y' data_type: TYPE_FP32 dims: [-2] }",
                    "model output 'y' dimension must be integer >= 1"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32 dims: [4] reshape { shape: [3] } }",
                    "has different size for dims and reshape"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32 dims: [4, -1] reshape { shape: [4] } }",
                    "has different number of variable-size dimensions for dims and reshape"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32 dims: [4, -1] reshape { shape: [-1, 4] } }",
                    "has different size"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32 dims: [1, 1] reshape { } }", "empty reshape"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32 dims: [9000000000000000000, 9000000000000000000] reshape { "
                    "shape: [1] } }",
                    "2^63"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32 dims: [4] format: FORMAT_NHWC }",
                    "NHWC/NCHW require 3 dims"},
        RefusedText{"input { name: 'x' data_type: TYPE_FP32 dims: [4] is_shape_tensor: true }",
                    "shape tensors are only supported for TensorRT"},
        RefusedText{
            "input { name: 'x' data_type: TYPE_FP32 dims: [4] } input { name: 'x' data_type: TYPE_FP32 dims: [4] }",
            "two inputs named 'x'"},
        RefusedText{"max_batch_size: 4 dynamic_batching { preferred_batch_size: [ 0 ] }",
                    "preferred size must be positive"},
        RefusedText{"max_batch_size: 4 dynamic_batching { preferred_batch_size: [ 8 ] }",
                    "preferred size must be <= max batch size"},
        RefusedText{
            "max_batch_size: 4 dynamic_batching { preserve_ordering: true default_queue_policy { timeout_action: "
            "DELAY default_timeout_microseconds: 1 } }",
            "DELAY"},
        RefusedText{"max_batch_size: 4 dynamic_batching { preserve_ordering: true priority_levels: 1 "
                    "default_priority_level: 1 priority_queue_policy { key: 1 value { timeout_action: DELAY "
                    "default_timeout_microseconds: 1 } } }",
                    "dynamic_batching.priority_queue_policy: Queue policy can not have DELAY"},
        RefusedText{"max_batch_size: 4 dynamic_batching { priority_levels: 2 }",
                    "default priority level must be in range [1, 2] for "},
        RefusedText{
            "max_batch_size: 4 dynamic_batching { priority_levels: 2\n default_priority_level: 3 }",
            "m/config.pbtxt:2:2: dynamic_batching.default_priority_level: default priority level must be in range "
            "[1, 2]"},
        RefusedText{"max_batch_size: 4 dynamic_batching { priority_levels: 2 default_priority_level: 1 "
                    "priority_queue_policy { key: 3 value { } } }",
                    "priority queue policy must have priority level in range [1, 2]"},
        RefusedText{"max_batch_size: 4 dynamic_batching { priority_levels: 2 default_priority_level: 1 "
                    "preserve_ordering: true }",
                    "Only one priority level is allowed when 'preserve_ordering' is true"},
        RefusedText{"instance_group { kind: KIND_CPU gpus: [0] }", "has kind KIND_CPU but specifies one or more GPUs"},
        RefusedText{"instance_group { kind: KIND_MODEL gpus: [0] }",
                    "has kind KIND_MODEL but specifies one or more GPUs"},
        RefusedText{"instance_group { count: -1 }", "negative count"},
        RefusedText{"version_policy { latest { num_versions: 0 } }", "num_versions"},
        RefusedText{"version_policy { specific { } }", "at least one of 'versions'"},
        RefusedText{
            "model_warmup { name: 'w' inputs { key: 'x' value { data_type: TYPE_FP32 dims: [-1] zero_data: true } } }",
            "-1 can't be made"},
        RefusedText{"model_warmup { name: 'w' inputs { key: 'x' value { data_type: TYPE_FP32 dims: [1] } } }",
                    "zero_data, random_data or input_data_file"},
        RefusedText{"model_metrics { metric_control { } }", "non-empty 'family'"},
        RefusedText{"model_metrics { metric_control { metric_identifier { family: 'f' } histogram_options { buckets: "
                    "[1, 3, 3] } } }",
                    "the 'buckets' of 'f' must ascend"},
        RefusedText{"response_cache { enable: true } model_transaction_policy { decoupled: true }",
                    "can't be kept in the response cache, because it is decoupled"},
        RefusedText{"ensemble_scheduling { }", "ensemble_scheduling: ensemble scheduling cannot be set"},
        RefusedText{"platform: 'ensemble'", "platform: must specify 'step'"}));

class Unsupported : public testing::TestWithParam<RefusedText> {};

TEST_P(Unsupported, IsRefusedWithItsNameAndARemedy) {
  const auto definition = parse(GetParam().text);
  ASSERT_FALSE(definition.ok());
  EXPECT_EQ(definition.status().code(), Code::kUnimplemented);
  EXPECT_THAT(definition.status().message(), StartsWith("m/config.pbtxt:1:"));
  EXPECT_THAT(definition.status().message(), HasSubstr(GetParam().message));
  EXPECT_THAT(definition.status().message(), HasSubstr("not supported; "));
}

INSTANTIATE_TEST_SUITE_P(
    Features, Unsupported,
    testing::Values(RefusedText{"sequence_batching { }", "sequence_batching: "},
                    RefusedText{"batch_input { target_name: 'b' }", "batch_input[0]: "},
                    RefusedText{"batch_output { target_name: 'b' }", "batch_output[0]: "},
                    RefusedText{"model_operations { op_library_filename: 'x.so' }", "model_operations: "},
                    RefusedText{"model_repository_agents { agents { name: 'checksum' } }", "model_repository_agents: "},
                    RefusedText{"instance_group { passive: true }", "instance_group[0].passive: "},
                    RefusedText{"runtime: 'mine.so'", "runtime: "}));

TEST(TritonConfig, TakesWhatExecutionsNeed) {
  const auto d = parse(
      "name: 'm' instance_group { rate_limiter { resources [ { name: 'R' count: 4 }, { name: 'G' global: true count: 2 "
      "} ] "
      "priority: 3 } }");
  ASSERT_TRUE(d.ok()) << d.status().message();
  const InstanceGroup& group = d->instance_groups.at(0);
  EXPECT_EQ(group.resources, (std::vector<ResourceNeed>{{"R", false, 4}, {"G", true, 2}}));
  EXPECT_EQ(group.resource_priority, 3U);
}

TEST(TritonConfig, AnswersMayBeKept) {
  const auto kept = parse("response_cache { enable: true }"), not_kept = parse("response_cache { enable: false }");
  ASSERT_TRUE(kept.ok() && not_kept.ok());
  EXPECT_TRUE(kept->response_cache);
  EXPECT_FALSE(not_kept->response_cache);
  EXPECT_FALSE(parse("").value().response_cache);
}

TEST(TritonConfig, AcceptsHints) {
  for (const char* text :
       {"optimization { cuda { graphs: true } priority: PRIORITY_MAX input_pinned_memory { enable: false } }",
        "metric_tags { key: 'a' value: 'b' }", "response_cache { enable: false }",
        "cc_model_filenames { key: '7.5' value: 'm.plan' }",
        "instance_group { rate_limiter { resources { name: 'R' count: 1 } priority: 2 } host_policy: 'cpu' }",
        "model_transaction_policy { decoupled: false }", "backend: 'onnxruntime' runtime: 'libtriton_onnxruntime.so'"})
    EXPECT_EQ(error_of(text), "no error") << text;
}

TEST(ModelName, Rules) {
  EXPECT_TRUE(check_model_name("resnet-50_v1.5").ok());
  EXPECT_TRUE(check_model_name("模型").ok());
  for (const std::string& bad : {std::string(), std::string("a/b"), std::string("a\\b"), std::string("a\nb"),
                                 std::string(".."), std::string("."), std::string(256, 'x'), std::string("a\0b", 3)})
    EXPECT_FALSE(check_model_name(bad).ok()) << bad;
}

Signature signature(Shape input, Shape output) {
  return {{{"x", DataType::kFp32, std::move(input), {}, false}},
          {{"y", DataType::kInt64, std::move(output), {}, false}}};
}

TEST(CompleteConfig, FillsInWhatANamelessModelLacks) {
  ModelDefinition d;
  d.name = "m";
  d.backend = "onnxruntime";
  d.default_model_filename = "model.onnx";
  d.max_batch_size = 64;
  d.instance_groups.push_back({"m_0", InstanceGroup::Kind::kCpu, 2, {}});
  const inference::ModelConfig c = complete_triton_config(d, signature({-1, 4}, {-1}));
  EXPECT_EQ(c.name(), "m");
  EXPECT_EQ(c.platform(), "onnxruntime_onnx");
  EXPECT_EQ(c.backend(), "onnxruntime");
  EXPECT_EQ(c.default_model_filename(), "model.onnx");
  EXPECT_EQ(c.version_policy().latest().num_versions(), 1U);
  EXPECT_EQ(c.max_batch_size(), 64);
  ASSERT_EQ(c.input_size(), 1);
  EXPECT_THAT(c.input(0).dims(), ElementsAre(4));
  EXPECT_EQ(c.input(0).data_type(), inference::TYPE_FP32);
  ASSERT_EQ(c.output_size(), 1);
  EXPECT_THAT(c.output(0).dims(), ElementsAre(1));
  EXPECT_TRUE(c.output(0).has_reshape());
  EXPECT_EQ(c.output(0).reshape().shape_size(), 0);
  EXPECT_THAT(c.dynamic_batching().preferred_batch_size(), ElementsAre(64));
  ASSERT_EQ(c.instance_group_size(), 1);
  EXPECT_EQ(c.instance_group(0).name(), "m_0");
  EXPECT_EQ(c.instance_group(0).count(), 2);
  EXPECT_EQ(c.instance_group(0).kind(), inference::ModelInstanceGroup::KIND_CPU);
  EXPECT_TRUE(c.optimization().input_pinned_memory().enable());
  EXPECT_TRUE(c.optimization().output_pinned_memory().enable());
}

TEST(CompleteConfig, UnbatchedKeepsWholeShapesAndNoDynamicBatching) {
  ModelDefinition d;
  d.name = "m";
  d.max_batch_size = 0;
  d.batching.mode = BatchingDefinition::Mode::kDisabled;
  const inference::ModelConfig c = complete_triton_config(d, signature({-1, 4}, {-1}));
  EXPECT_THAT(c.input(0).dims(), ElementsAre(-1, 4));
  EXPECT_THAT(c.output(0).dims(), ElementsAre(-1));
  EXPECT_FALSE(c.has_dynamic_batching());
}

TEST(CompleteConfig, KeepsWhatTheSourceSaid) {
  auto d = parse(kImageModel);
  ASSERT_TRUE(d.ok());
  Signature s{{{"images", DataType::kFp32, {-1, 3, 224, 224}, {}, false}},
              {{"scores", DataType::kFp32, {-1, 1000}, {}, false}}};
  const inference::ModelConfig c = complete_triton_config(*d, s);
  EXPECT_EQ(c.input_size(), 1);
  EXPECT_EQ(c.input(0).format(), inference::ModelInput::FORMAT_NCHW);
  EXPECT_THAT(c.input(0).dims(), ElementsAre(3, 224, 224));
  EXPECT_THAT(c.output(0).reshape().shape(), ElementsAre(1000, 1, 1));
  EXPECT_EQ(c.output(0).label_filename(), "labels.txt");
  EXPECT_EQ(c.optimization().graph().level(), 1);
  EXPECT_THAT(c.dynamic_batching().preferred_batch_size(), ElementsAre(8, 4));
  EXPECT_EQ(c.instance_group(0).name(), "resnet_0");
  EXPECT_EQ(c.model_warmup_size(), 1);
  EXPECT_THAT(c.version_policy().specific().versions(), ElementsAre(3, 1));
}

TEST(CompleteConfig, ItsJsonHasTritonsShape) {
  auto d = parse(kImageModel);
  ASSERT_TRUE(d.ok());
  const std::string json = triton_config_json(complete_triton_config(*d, {}));
  EXPECT_THAT(json, HasSubstr("\"dims\":[3,224,224]"));
  EXPECT_THAT(json, HasSubstr("\"data_type\":\"TYPE_FP32\""));
  EXPECT_THAT(json, HasSubstr("\"max_queue_delay_microseconds\":500"));
  EXPECT_THAT(json, HasSubstr("\"specific\":{\"versions\":[3,1]}"));
  EXPECT_THAT(json, HasSubstr("\"parameters\":{\"intra_op_thread_count\":{\"string_value\":\"2\"}}"));
  EXPECT_THAT(json, HasSubstr("\"is_shape_tensor\":false"));
  EXPECT_THAT(json, HasSubstr("\"batch_input\":[]"));
  EXPECT_THAT(json, testing::Not(HasSubstr("sequence_batching")));
  EXPECT_THAT(json, HasSubstr("\"zero_data\":true"));
  EXPECT_THAT(json, testing::Not(HasSubstr("random_data")));
}

TEST(CompleteConfig, RoundTripsThroughItsOwnText) {
  auto d = parse(kImageModel);
  ASSERT_TRUE(d.ok());
  const inference::ModelConfig c = complete_triton_config(*d, {});
  const auto again = definition_from_triton_config(c, true);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_EQ(again->batching.preferred_sizes, d->batching.preferred_sizes);
  EXPECT_EQ(complete_triton_config(*again, {}).SerializeAsString().size(), c.SerializeAsString().size());
}

}  // namespace
}  // namespace modelmill
