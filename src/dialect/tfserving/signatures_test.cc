// Models with several entry points.
#include "dialect/tfserving/testing/service_rig.h"

namespace modelmill::tfserving {
namespace {

namespace api = tensorflow::serving;
using ::testing::HasSubstr;

/// A model with the entry points serving_default, which gives y, and "other", which takes and gives floats by the name
/// z.
class Signatures : public TfServing {
 protected:
  Signatures() {
    auto own = model("several", {{"x", DataType::kFp32, {-1}}}, {{"y", DataType::kFp32, {-1}}});
    own.signature_name = "serving_default";
    own.signature_method = "tensorflow/serving/predict";
    catalog_.add(own);
    auto other = model("several", {{"z", DataType::kFp32, {-1}}}, {{"z", DataType::kFp32, {-1}}});
    other.signature_name = "other";
    other.signature_method = "tensorflow/serving/regress";
    catalog_.add_signature("several", other);
  }
};

TEST_F(Signatures, AreChosenByName) {
  EXPECT_EQ(post("several:predict", R"({"instances":[{"x":1}]})"), R"({"predictions":[1.0]})");
  EXPECT_EQ(post("several:predict", R"({"signature_name":"other","instances":[{"z":2}]})"), R"({"predictions":[2.0]})");
  EXPECT_EQ(post("several:regress", R"({"signature_name":"other","examples":[{"z":2.5}]})"), R"({"results":[2.5]})");
  EXPECT_THAT(post("several:predict", R"({"signature_name":"other","inputs":{"x":[2]}})", 400), HasSubstr("input: z"));
  EXPECT_THAT(post("several:predict", R"({"signature_name":"none","instances":[1]})", 400),
              HasSubstr(R"(Serving signature name: \"none\" not found)"));

  api::PredictRequest request;
  request.mutable_model_spec()->set_name("several");
  request.mutable_model_spec()->set_signature_name("other");
  auto& z = (*request.mutable_inputs())["z"];
  z.set_dtype(tensorflow::DT_FLOAT);
  z.mutable_tensor_shape()->add_dim()->set_size(1);
  z.add_float_val(4);
  const auto answer = ask<api::PredictResponse>("Predict", request);
  EXPECT_EQ(answer.outputs().at("z").float_val(0), 4);
  EXPECT_EQ(answer.model_spec().signature_name(), "other");
  request.mutable_model_spec()->clear_signature_name();
  EXPECT_THAT(call("Predict", request.SerializeAsString())->status->message(), HasSubstr("'z'"));
  request.mutable_model_spec()->set_signature_name("none");
  EXPECT_EQ(call("Predict", request.SerializeAsString())->status->code(), Code::kFailedPrecondition);
}

TEST_F(Signatures, OneCallMayAskSeveral) {
  api::MultiInferenceRequest multi;
  auto& features = *multi.mutable_input()->mutable_example_list()->add_examples()->mutable_features();
  (*features.mutable_feature())["x"].mutable_float_list()->add_value(2.5F);
  (*features.mutable_feature())["z"].mutable_float_list()->add_value(7);
  for (const char* signature : {"other", "", "other"}) {
    auto& task = *multi.add_tasks();
    task.mutable_model_spec()->set_name("several");
    task.mutable_model_spec()->set_signature_name(signature);
    task.set_method_name("tensorflow/serving/regress");
  }
  const auto results = ask<api::MultiInferenceResponse>("MultiInference", multi);
  ASSERT_EQ(results.results_size(), 3);
  EXPECT_EQ(results.results(0).regression_result().regressions(0).value(), 7);
  EXPECT_EQ(results.results(1).regression_result().regressions(0).value(), 2.5F);
  EXPECT_EQ(results.results(2).regression_result().regressions(0).value(), 7);
  EXPECT_EQ(results.results(2).model_spec().signature_name(), "other");
  features.mutable_feature()->erase("z");
  EXPECT_THAT(call("MultiInference", multi.SerializeAsString())->status->message(),
              HasSubstr("feature 'z' is missing"));
  multi.mutable_tasks(1)->mutable_model_spec()->set_signature_name("none");
  EXPECT_THAT(call("MultiInference", multi.SerializeAsString())->status->message(),
              HasSubstr("No signature was found"));
}

TEST_F(Signatures, AreAllDescribed) {
  const std::string described = get("/v1/models/several/metadata");
  EXPECT_THAT(described, HasSubstr(R"("other":{"inputs":{"z":)"));
  EXPECT_THAT(described, HasSubstr(R"("method_name":"tensorflow/serving/regress")"));
  api::GetModelMetadataRequest request;
  request.mutable_model_spec()->set_name("several");
  request.add_metadata_field("signature_def");
  api::SignatureDefMap map;
  ASSERT_TRUE(
      ask<api::GetModelMetadataResponse>("GetModelMetadata", request).metadata().at("signature_def").UnpackTo(&map));
  ASSERT_EQ(map.signature_def_size(), 2);
  EXPECT_EQ(map.signature_def().at("other").method_name(), "tensorflow/serving/regress");
  EXPECT_EQ(map.signature_def().at("serving_default").inputs_size(), 1);
}

}  // namespace
}  // namespace modelmill::tfserving
