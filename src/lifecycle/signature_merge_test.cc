#include "lifecycle/signature_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/triton_config.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

BackendModelInfo image_model() {
  BackendModelInfo info;
  info.signature.inputs = {{"x", DataType::kFp32, {-1, 3, -1, -1}, {"N", "", "H", "W"}, false},
                           {"rate", DataType::kInt64, {}, {}, false}};
  info.signature.outputs = {{"y", DataType::kFp32, {-1, 10}, {"N", ""}, false},
                            {"z", DataType::kInt64, {-1}, {"N"}, false}};
  return info;
}

BackendModelInfo plain_model() {
  BackendModelInfo info = image_model();
  info.signature.inputs.pop_back();
  return info;
}

ModelDefinition config(const std::string& text) {
  auto definition = parse_triton_config("name: 'm' backend: 'b' " + text, "config.pbtxt");
  EXPECT_TRUE(definition.ok()) << definition.status().to_string();
  return *definition;
}

std::string shape(const TensorSpec& spec) { return shape_text(dims(spec.shape)); }

TEST(MergeSignature, WithoutAConfigurationTheModelSpeaks) {
  ModelDefinition d = config("");
  const auto merged = merge_signature(d, image_model());
  ASSERT_TRUE(merged.ok());
  EXPECT_FALSE(merged->batch_declared);
  EXPECT_EQ(shape(merged->signature.inputs[0]), "[-1,3,-1,-1]");
  EXPECT_EQ(merged->signature.inputs[0].symbols[2], "H");
  EXPECT_EQ(shape(merged->signature.inputs[1]), "[]");
}

TEST(MergeSignature, ConfiguredDimsLeaveOutTheBatch) {
  ModelDefinition d = config(
      "max_batch_size: 8 input { name: 'x' data_type: TYPE_FP32 dims: [3, 224, 224] } output { name: 'y' data_type: "
      "TYPE_FP32 dims: [10] }");
  const auto merged = merge_signature(d, plain_model());
  ASSERT_TRUE(merged.ok()) << merged.status().to_string();
  EXPECT_TRUE(merged->batch_declared);
  EXPECT_EQ(shape(merged->signature.inputs[0]), "[-1,3,224,224]");
  ASSERT_EQ(merged->signature.outputs.size(), 1U);
  EXPECT_EQ(shape(merged->signature.outputs[0]), "[-1,10]");
}

TEST(MergeSignature, BatchSizeAloneTakesTheModelsShapes) {
  ModelDefinition d = config("max_batch_size: 8");
  const auto merged = merge_signature(d, plain_model());
  ASSERT_TRUE(merged.ok());
  EXPECT_TRUE(merged->batch_declared);
  EXPECT_EQ(shape(merged->signature.inputs[0]), "[-1,3,-1,-1]");
}

TEST(MergeSignature, DimsTellWhetherTheBatchIsInThem) {
  ModelDefinition without = config("input { name: 'x' data_type: TYPE_FP32 dims: [3, -1, -1] }");
  EXPECT_TRUE(merge_signature(without, plain_model())->batch_declared);
  ModelDefinition whole = config("input { name: 'x' data_type: TYPE_FP32 dims: [-1, 3, -1, -1] }");
  EXPECT_FALSE(merge_signature(whole, plain_model())->batch_declared);
  ModelDefinition zero = config("max_batch_size: 0 input { name: 'x' data_type: TYPE_FP32 dims: [3, -1, -1] }");
  EXPECT_THAT(merge_signature(zero, plain_model()).status().message(),
              HasSubstr("without max_batch_size the dims are whole shapes"));
}

TEST(MergeSignature, AOneForAScalarBecomesAReshape) {
  ModelDefinition d = config(
      "max_batch_size: 0 input [ { name: 'x' data_type: TYPE_FP32 dims: [-1, 3, -1, -1] }, { name: 'rate' data_type: "
      "TYPE_INT64 dims: [1] } ]");
  const auto merged = merge_signature(d, image_model());
  ASSERT_TRUE(merged.ok()) << merged.status().to_string();
  EXPECT_EQ(shape(merged->signature.inputs[1]), "[1]");
  ASSERT_TRUE(d.inputs[1].reshape);
  EXPECT_TRUE(d.inputs[1].reshape->empty());
}

TEST(MergeSignature, ReshapeIsWhatTheModelGets) {
  ModelDefinition d =
      config("max_batch_size: 4 output { name: 'z' data_type: TYPE_INT64 dims: [1] reshape { shape: [ ] } }");
  const auto merged = merge_signature(d, plain_model());
  ASSERT_TRUE(merged.ok()) << merged.status().to_string();
  EXPECT_EQ(shape(merged->signature.outputs[0]), "[-1,1]");
  EXPECT_EQ(merged->signature.outputs[0].symbols[0], "N");
}

TEST(MergeSignature, ABackendThatCannotTellTakesTheConfiguration) {
  ModelDefinition d = config(
      "max_batch_size: 4 input { name: 'a' data_type: TYPE_STRING dims: [2] } output { name: 'b' data_type: "
      "TYPE_STRING dims: [2] }");
  const auto merged = merge_signature(d, {});
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(shape(merged->signature.inputs[0]), "[-1,2]");
  ModelDefinition nothing = config("");
  EXPECT_THAT(merge_signature(nothing, {}).status().message(), HasSubstr("can't tell the model's inputs and outputs"));
}

TEST(MergeSignature, AnOpenSignatureIsWhatIsSaidOfIt) {
  BackendModelInfo info;
  info.signature.open = true;
  info.signature.inputs = {{"a", DataType::kFp32, {-1}, {}, true}};
  ModelDefinition nothing = config("");
  const auto own = merge_signature(nothing, info);
  ASSERT_TRUE(own.ok());
  EXPECT_TRUE(own->signature.open);
  EXPECT_EQ(own->signature.inputs.at(0).name, "a");
  EXPECT_TRUE(own->signature.outputs.empty());
  ModelDefinition said = config("input { name: 'b' data_type: TYPE_STRING dims: [2] }");
  const auto configured = merge_signature(said, info);
  ASSERT_TRUE(configured.ok());
  EXPECT_TRUE(configured->signature.open);
  EXPECT_EQ(configured->signature.inputs.at(0).name, "b");
}

struct Mismatch {
  const char* text;
  const char* message;
};

class Mismatches : public testing::TestWithParam<Mismatch> {};

TEST_P(Mismatches, NameBothSides) {
  ModelDefinition d = config(GetParam().text);
  const auto merged = merge_signature(d, plain_model());
  ASSERT_FALSE(merged.ok());
  EXPECT_EQ(merged.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(merged.status().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, Mismatches,
    testing::Values(
        Mismatch{"input { name: 'x' data_type: TYPE_FP16 dims: [-1, 3, -1, -1] }",
                 "input 'x' has the type TYPE_FP32 in the model file, but the configuration says TYPE_FP16"},
        Mismatch{"input { name: 'x' data_type: TYPE_FP32 dims: [-1, 4, -1, -1] }",
                 "input 'x' has shape [-1,3,-1,-1] in the model file, but the configuration expects [-1,4,-1,-1]"},
        Mismatch{"max_batch_size: 2 input { name: 'x' data_type: TYPE_FP32 dims: [-1, 3, -1, -1] }",
                 "the dims leave out the batch dimension"},
        Mismatch{"output { name: 'y' data_type: TYPE_FP32 dims: [-1, -1] }",
                 "[-1,10] in the model file, but the configuration expects [-1,-1]"},
        Mismatch{"input { name: 'xx' data_type: TYPE_FP32 dims: [-1] }",
                 "unexpected inference input 'xx', allowed inputs are: x; did you mean 'x'?"},
        Mismatch{"input [ { name: 'x' data_type: TYPE_FP32 dims: [-1, 3, -1, -1] }, { name: 'X' data_type: TYPE_FP32 "
                 "dims: [1] } ]",
                 "unexpected inference input 'X', allowed inputs are: x"},
        Mismatch{"output { name: 'yy' data_type: TYPE_FP32 dims: [-1, 10] }",
                 "unexpected inference output 'yy', allowed outputs are: y, z; did you mean 'y'?"},
        Mismatch{"input { name: 'x' data_type: TYPE_FP32 dims: [-1, 3, -1, -1] optional: true }",
                 "optional in the configuration, but the model needs it"}));

TEST(MergeSignature, EveryInputThatTheModelNeedsIsConfigured) {
  ModelDefinition d = config("input { name: 'x' data_type: TYPE_FP32 dims: [-1, 3, -1, -1] }");
  EXPECT_THAT(
      merge_signature(d, image_model()).status().message(),
      HasSubstr("unable to load model 'm', configuration expects 1 inputs, model provides 2; add input 'rate'"));
}

TEST(MergeSignature, BatchingNeedsAnOpenFirstDimension) {
  BackendModelInfo info = plain_model();
  info.signature.outputs[1].shape = {1};
  ModelDefinition d = config("max_batch_size: 2");
  EXPECT_THAT(merge_signature(d, info).status().message(),
              HasSubstr("output 'z' has shape [1] in the model file, but for the model to support batching"));
}

TEST(MergeSignature, OptionalInputsMayBeLeftOut) {
  BackendModelInfo info = plain_model();
  info.signature.inputs.push_back({"opt", DataType::kFp32, {1}, {}, true});
  ModelDefinition d = config("input { name: 'x' data_type: TYPE_FP32 dims: [-1, 3, -1, -1] }");
  const auto merged = merge_signature(d, info);
  ASSERT_TRUE(merged.ok()) << merged.status().to_string();
  EXPECT_EQ(merged->signature.inputs.size(), 1U);
}

}  // namespace
}  // namespace modelmill
