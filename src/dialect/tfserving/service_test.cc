#include "dialect/tfserving/service.h"

#include <algorithm>
#include <future>

#include "dialect/tfserving/testing/service_rig.h"

namespace modelmill::tfserving {
namespace {

namespace api = tensorflow::serving;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(TfServing, PredictsRowsAndColumns) {
  struct Case {
    const char *path, *body, *answer;
  };
  const Case table[] = {
      {"m:predict", R"({"instances":[[1,2.5,-3,4e2]]})", R"({"predictions":[[1.0,2.5,-3.0,400.0]]})"},
      {"m:predict", R"({"instances":[{"x":[1,2,3,4]},{"x":[5,6,7,8]}]})",
       R"({"predictions":[[1.0,2.0,3.0,4.0],[5.0,6.0,7.0,8.0]]})"},
      {"m:predict", R"({"inputs":[[1,2,3,0.1]]})", R"({"outputs":[[1.0,2.0,3.0,0.1]]})"},
      {"m:predict", R"({"inputs":{"x":[[1,2,3,4]],"unknown":1}})", R"({"outputs":[[1.0,2.0,3.0,4.0]]})"},
      {"m:predict", R"({"instances":[[NaN,Infinity,-Infinity,0]]})",
       R"({"predictions":[[NaN,Infinity,-Infinity,0.0]]})"},
      {"m:predict", R"({"signature_name":"serving_default","instances":[[1,2,3,4]]})",
       R"({"predictions":[[1.0,2.0,3.0,4.0]]})"},
      {"m/versions/1:predict", R"({"instances":[[1,2,3,4]]})", R"({"predictions":[[1.0,2.0,3.0,4.0]]})"},
      {"text:predict", R"({"instances":["a",{"b64":"AGI="}]})", "{\"predictions\":[\"a\",\"\\u0000b\"]}"},
      {"text:predict", R"({"inputs":{"b64":"YQ=="}})", ""},
      {"two:predict", R"({"instances":[{"a":1,"b":["x"]},{"b":[{"b64":"/w=="}],"a":2}]})",
       R"({"predictions":[{"a":1,"b_bytes":[{"b64":"eA=="}]},{"a":2,"b_bytes":[{"b64":"/w=="}]}]})"},
      {"two:predict", R"({"inputs":{"a":[1],"b":[["xyz"]]}})", R"({"outputs":{"a":[1],"b_bytes":[[{"b64":"eHl6"}]]}})"},
      {"scalar:predict", R"({"inputs":2})", R"({"outputs":2.0})"},
  };
  for (const Case& c : table)
    EXPECT_EQ(post(c.path, c.body, *c.answer == 0 ? 400 : 200).substr(0, *c.answer == 0 ? 9 : SIZE_MAX),
              *c.answer == 0 ? R"({"error":)" : c.answer)
        << c.body;
}

TEST_F(TfServing, RefusesInItsWords) {
  struct Case {
    const char *path, *body, *error;
    int status = 400;
  };
  const Case table[] = {
      {"m:predict", "", "JSON Parse error"},
      {"m:predict", "{", "JSON Parse error"},
      {"m:predict", "[1]", "JSON Value: [1] Is not object"},
      {"m:predict", "{}", "Missing 'inputs' or 'instances' key"},
      {"m:predict", R"({"inputs":1,"instances":[1]})", "expecting only one of 'inputs' or 'instances'"},
      {"m:predict", R"({"instances":1})", "Expecting 'instances' to be an list/array"},
      {"m:predict", R"({"instances":[]})", "No values in 'instances' array"},
      {"m:predict", R"({"instances":[[1,2],[1]]})", "equally long"},
      {"m:predict", R"({"instances":[[1,2,3,"a"]]})", "element 3 is"},
      {"m:predict", R"({"instances":[[1,2,3,4],{"x":1}]})", "Expecting value/list but got object at item 1"},
      {"m:predict", R"({"instances":[{"x":[1,2,3,4]},[1]]})", "Expecting object but got list at item 1"},
      {"m:predict", R"({"instances":[{"z":1}]})", "does not have named input: z"},
      {"m:predict", R"({"instances":[{"x":[1,2,3,4]},{"x":[1]}]})", "Expecting shape [4] but got: [1]"},
      {"m:predict", R"({"instances":[{"x":[1],"x":[1]}]})", "key: x"},
      {"m:predict", R"({"instances":[[1,2,3]]})", "unexpected shape for input 'x'"},
      {"m:predict", R"({"signature_name":1,"instances":[[1]]})", "'signature_name' key must be a string value."},
      {"m:predict", R"({"signature_name":"no","instances":[[1]]})",
       R"(Serving signature name: \"no\" not found in signature def)"},
      {"two:predict", R"({"instances":[1]})", "instances is a plain list"},
      {"two:predict", R"({"instances":[{"a":1}]})", "keys must be equal to: a,b"},
      {"two:predict", R"({"inputs":[1]})", "inputs is a plain value/list"},
      {"two:predict", R"({"inputs":{"a":[1]}})", "Missing named input: b in 'inputs' object."},
      {"two:predict", R"({"inputs":{"a":[1.5],"b":[["x"]]}})", "element 0 is 1.5"},
      {"text:predict", R"({"instances":[{"b64":"*"}]})", "Unable to base64 decode"},
      {"text:predict", R"({"instances":[1]})", "is not of expected type: string"},
      {"none:predict", R"({"instances":[1]})", "Servable not found for request: Latest(none)", 404},
      {"m/versions/7:predict", R"({"instances":[1]})", "Servable not found for request: Specific(m, 7)", 404},
      {"m/versions/0:predict", R"({"instances":[1]})", "Servable not found for request: Specific(m, 0)", 404},
      {"m/labels/l:predict", R"({"instances":[1]})", "Unrecognized servable version label: l"},
      {"m:explode", R"({"instances":[1]})", "Malformed request: POST /v1/models/m:explode"},
      {"m:explain", R"({"instances":[1]})", "model 'm' explains nothing", 501},
      {"x:explain", R"({"instances":[1]})", "Servable not found for request: Latest(x)", 404},
  };
  for (const Case& c : table) EXPECT_THAT(post(c.path, c.body, c.status), HasSubstr(c.error)) << c.body;
}

TEST_F(TfServing, LargeRowsAreReadAsSmallOnes) {
  auto large = model("large", {{"x", DataType::kFp32, {-1, -1}}}, {{"y", DataType::kFp32, {-1, -1}}});
  catalog_.add(large);
  std::string row = "[0.5";
  for (int i = 1; i < 5000; ++i) row += ",0.5";
  row += "]";
  EXPECT_EQ(post("large:predict", R"({"instances":[)" + row + "," + row + "]}"),
            R"({"predictions":[)" + row + "," + row + "]}");
  EXPECT_EQ(post("large:predict", R"({"instances":[{"x":)" + row + "}]}"), R"({"predictions":[)" + row + "]}");
  EXPECT_THAT(post("text:predict", R"({"instances":)" + row + "}", 400), HasSubstr("expected type: string"));
}

TEST_F(TfServing, StatusAndWhatKserveHasAtTheSamePaths) {
  catalog_.add_unready("broken", 2, "no such file");
  const std::string names = R"({"models":["broken","m","scalar","text","two"])";
  EXPECT_EQ(get("/kserve/v1/models"), names + "}");
  const std::string list = get("/v1/models");
  EXPECT_THAT(list, StartsWith(names + R"(,"object":"list","data":[{"id":"m","object":"model","created":)"));
  EXPECT_THAT(list, EndsWith(R"("owned_by":"modelmill"}]})"));
  EXPECT_EQ(std::count(list.begin(), list.end(), '{'), 5);  // the one that can't be asked is none of OpenAI's
  EXPECT_EQ(get("/tfserving/v1/models", 400), R"({"error":"Missing model name in request."})");
  const std::string available =
      R"("model_version_status":[{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]})";
  EXPECT_EQ(get("/tfserving/v1/models/m"), "{" + available);
  EXPECT_EQ(get("/kserve/v1/models/m"), R"({"name":"m","ready":true})");
  EXPECT_THAT(get("/v1/models/m"), StartsWith(R"({"name":"m","ready":true,"id":"m","object":"model","created":)"));
  EXPECT_THAT(get("/v1/models/m"), EndsWith(R"("owned_by":"modelmill",)" + available));
  EXPECT_EQ(
      get("/tfserving/v1/models/broken"),
      R"({"model_version_status":[{"version":"2","state":"END","status":{"error_code":"UNKNOWN","error_message":"no such file"}}]})");
  EXPECT_EQ(get("/kserve/v1/models/broken", 503), R"({"error":"Model with name broken is not ready."})");
  EXPECT_THAT(get("/v1/models/broken"), StartsWith(R"({"name":"broken","ready":false,"id":"broken",)"));
  EXPECT_EQ(get("/v1/models/x", 404), R"({"error":"Could not find any versions of model x"})");
  EXPECT_EQ(get("/v1/models/m/versions/9", 404), R"({"error":"Could not find version 9 of model m"})");
}

TEST_F(TfServing, ThePathsMayBeKservesAlone) {
  catalog_.add_unready("broken", 2, "no such file");
  HttpRouter router;
  add_to(router, inference_, {}, observers_, Dialects::kKserveV1);
  const auto ask = [&](const char* method, const char* path, const char* body = "") {
    const auto reply = testing::ask(thread_, router.handler(), testing::http_request(method, path, body));
    return std::to_string(reply.status) + " " + testing::joined(reply.body);
  };
  EXPECT_EQ(ask("GET", "/v1/models"), R"(200 {"models":["broken","m","scalar","text","two"]})");
  EXPECT_EQ(ask("GET", "/v1/models/m"), R"(200 {"name":"m","ready":true})");
  EXPECT_EQ(ask("GET", "/v1/models/broken"), R"(503 {"error":"Model with name broken is not ready."})");
  EXPECT_THAT(ask("GET", "/tfserving/v1/models/m"), StartsWith(R"(200 {"model_version_status":)"));
  for (const char* key : {"instances", "inputs"}) {
    const std::string body = "{\"" + std::string(key) + R"(":[[1,2,3,4]]})";
    EXPECT_THAT(ask("POST", "/v1/models/m:predict", body.c_str()), StartsWith(R"(200 {"predictions":[[1)")) << key;
  }
  EXPECT_THAT(ask("POST", "/tfserving/v1/models/m:predict", R"({"inputs":[[1,2,3,4]]})"), HasSubstr("\"outputs\""));
}

TEST_F(TfServing, Metadata) {
  EXPECT_EQ(
      get("/v1/models/scalar/metadata"),
      R"({"model_spec":{"name":"scalar","signature_name":"","version":"1"},"metadata":{"signature_def":{"signature_def":{"serving_default":{"inputs":{"x":{"dtype":"DT_DOUBLE","tensor_shape":{"dim":[],"unknown_rank":false},"name":"x"}},"outputs":{"y":{"dtype":"DT_DOUBLE","tensor_shape":{"dim":[],"unknown_rank":false},"name":"y"}},"method_name":"tensorflow/serving/predict"}}}}})");
  api::GetModelMetadataRequest request;
  EXPECT_EQ(call("GetModelMetadata", request.SerializeAsString())->status->message(), "Missing ModelSpec");
  request.mutable_model_spec()->set_name("m");
  EXPECT_THAT(call("GetModelMetadata", request.SerializeAsString())->status->message(), HasSubstr("at least one"));
  request.add_metadata_field("signature_def");
  const auto response = ask<api::GetModelMetadataResponse>("GetModelMetadata", request);
  api::SignatureDefMap map;
  ASSERT_TRUE(response.metadata().at("signature_def").UnpackTo(&map));
  EXPECT_EQ(response.metadata().at("signature_def").type_url(),
            "type.googleapis.com/tensorflow.serving.SignatureDefMap");
  EXPECT_EQ(map.signature_def().at("serving_default").inputs().at("x").tensor_shape().dim(0).size(), -1);
  request.add_metadata_field("other");
  EXPECT_EQ(call("GetModelMetadata", request.SerializeAsString())->status->message(),
            "Metadata field other is not supported");
}

TEST_F(TfServing, PredictsByGrpc) {
  api::PredictRequest request;
  EXPECT_EQ(call("Predict", "")->status->message(), "Missing ModelSpec");
  request.mutable_model_spec();
  EXPECT_EQ(call("Predict", request.SerializeAsString())->status->message(), "ModelSpec has no name specified.");
  request.mutable_model_spec()->set_name("m");
  auto& x = (*request.mutable_inputs())["x"];
  x.set_dtype(tensorflow::DT_FLOAT);
  x.mutable_tensor_shape()->add_dim()->set_size(1);
  x.mutable_tensor_shape()->add_dim()->set_size(4);
  for (const float value : {1.F, 2.F, 3.F, 4.F}) x.add_float_val(value);
  auto response = ask<api::PredictResponse>("Predict", request);
  EXPECT_THAT(response.outputs().at("y").float_val(), ::testing::ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(response.model_spec().version().value(), 1);
  EXPECT_EQ(response.model_spec().signature_name(), "serving_default");
  request.add_output_filter("z");
  EXPECT_EQ(call("Predict", request.SerializeAsString())->status->code(), Code::kInvalidArgument);
  request.set_output_filter(0, "y");
  EXPECT_EQ(ask<api::PredictResponse>("Predict", request).outputs_size(), 1);
  request.mutable_model_spec()->set_signature_name("other");
  const auto wrong = call("Predict", request.SerializeAsString());
  EXPECT_EQ(wrong->status->code(), Code::kFailedPrecondition);
  EXPECT_EQ(wrong->status->message(), "Serving signature key \"other\" not found.");
  request.mutable_model_spec()->set_name("none");
  EXPECT_EQ(call("Predict", request.SerializeAsString())->status->code(), Code::kNotFound);
  EXPECT_THAT(call("Predict", "\x12\x7f")->status->message(), HasSubstr("no valid PredictRequest"));
}

TEST_F(TfServing, ClassifiesAndRegressesByGrpc) {
  catalog_.add(model("one", {{"x", DataType::kFp32, {-1, 1}}}, {{"y", DataType::kFp32, {-1, 1}}}));
  api::MultiInferenceRequest multi;
  auto& features = *multi.mutable_input()->mutable_example_list()->add_examples()->mutable_features();
  (*features.mutable_feature())["x"].mutable_float_list()->add_value(2.5F);
  api::ClassificationRequest classify;
  *classify.mutable_input() = multi.input();
  EXPECT_EQ(call("Classify", classify.SerializeAsString())->status->message(), "Missing ModelSpec");
  classify.mutable_model_spec()->set_name("one");
  const auto classes = ask<api::ClassificationResponse>("Classify", classify);
  EXPECT_EQ(classes.result().classifications(0).classes(0).score(), 2.5F);
  EXPECT_EQ(classes.model_spec().name(), "one");
  api::RegressionRequest regress;
  *regress.mutable_input() = multi.input();
  *regress.mutable_model_spec() = classify.model_spec();
  EXPECT_EQ(ask<api::RegressionResponse>("Regress", regress).result().regressions(0).value(), 2.5F);
  EXPECT_THAT(call("MultiInference", multi.SerializeAsString())->status->message(), HasSubstr("no inference tasks"));
  for (const char* method : {"tensorflow/serving/regress", "tensorflow/serving/classify"}) {
    auto& task = *multi.add_tasks();
    *task.mutable_model_spec() = classify.model_spec();
    task.set_method_name(method);
  }
  const auto results = ask<api::MultiInferenceResponse>("MultiInference", multi);
  EXPECT_EQ(results.results(0).regression_result().regressions(0).value(), 2.5F);
  EXPECT_EQ(results.results(1).classification_result().classifications(0).classes(0).score(), 2.5F);
  multi.mutable_tasks(1)->mutable_model_spec()->set_name("m");
  EXPECT_THAT(call("MultiInference", multi.SerializeAsString())->status->message(), HasSubstr("same model name"));
  multi.mutable_tasks(1)->set_method_name("tensorflow/serving/predict");
  EXPECT_EQ(call("MultiInference", multi.SerializeAsString())->status->code(), Code::kUnimplemented);
}

TEST_F(TfServing, AnInferenceMayTakeSoLong) {
  HttpRouter limited;
  HttpOptions options;
  options.timeout = std::chrono::milliseconds(1);
  add_to(limited, inference_, options, observers_);
  std::promise<InferRequestPtr> kept;
  catalog_.add(testing::simple_description("slow"),
               [&kept](InferRequestPtr request) { kept.set_value(std::move(request)); });
  const auto ask = [&](const char* path) {
    return testing::ask(thread_, limited.handler(),
                        testing::http_request("POST", path, R"({"instances":[[1,2,3,4]]})"));
  };
  const auto reply = ask("/v1/models/slow:predict");
  EXPECT_EQ(reply.status, 504);
  EXPECT_THAT(testing::joined(reply.body), HasSubstr("model 'slow' has taken more than 1 ms"));
  InferRequestPtr request = kept.get_future().get();
  EXPECT_TRUE(request->cancelled()) << "nobody waits for it any more";
  thread_.run([&] {
    request->complete(InferResponse());  // into nothing
    request.reset();
  });
  const std::string counted = get("/monitoring/prometheus/metrics");
  const std::string of_slow = R"(:tensorflow:serving:request_count{model_name="slow",status=)";
  EXPECT_THAT(counted, HasSubstr(of_slow + R"("DEADLINE_EXCEEDED"} 1)"));
  EXPECT_THAT(counted, ::testing::Not(HasSubstr(of_slow + R"("OK")"))) << "the late answer is nobody's";
  EXPECT_EQ(ask("/v1/models/m:predict").status, 200);
}

TEST_F(TfServing, MetricsHaveItsNames) {
  post("m:predict", R"({"instances":[[1,2,3,4]]})");
  post("m:predict", R"({"instances":[[1,2,3]]})", 400);
  post("nobody:predict", R"({"instances":[1]})", 404);
  api::PredictRequest request;
  request.mutable_model_spec()->set_name("m");
  call("Predict", request.SerializeAsString());
  const std::string page = get("/monitoring/prometheus/metrics");
  const std::string count = R"(:tensorflow:serving:request_count{model_name="m",status=)";
  EXPECT_THAT(page, HasSubstr(count + R"("OK"} 1)"));
  EXPECT_THAT(page, HasSubstr(count + R"("INVALID_ARGUMENT"} 2)"));
  EXPECT_THAT(
      page,
      HasSubstr(R"(:tensorflow:serving:request_latency_count{model_name="m",API="predict",entrypoint="REST"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(entrypoint="REST",le="18"})"));
  EXPECT_THAT(page, ::testing::Not(HasSubstr("nobody"))) << "clients make no series by asking for what there is not";
  EXPECT_EQ(get("/monitoring", 404).substr(0, 9), R"({"error":)");
  catalog_.catalog().publish(std::make_shared<ModelTable>());
  EXPECT_THAT(get("/monitoring/prometheus/metrics"), ::testing::Not(HasSubstr("model_name")));
}

TEST_F(TfServing, StatusByGrpc) {
  api::GetModelStatusRequest request;
  EXPECT_EQ(call("GetModelStatus", request.SerializeAsString())->status->message(), "Missing ModelSpec");
  request.mutable_model_spec()->set_name("m");
  EXPECT_EQ(ask<api::GetModelStatusResponse>("GetModelStatus", request).model_version_status(0).state(),
            api::ModelVersionStatus::AVAILABLE);
  request.mutable_model_spec()->mutable_version()->set_value(5);
  EXPECT_EQ(call("GetModelStatus", request.SerializeAsString())->status->code(), Code::kNotFound);
}

TEST_F(TfServing, ListsOfModelsAreHandedOn) {
  api::ReloadConfigRequest request;
  EXPECT_THAT(call("HandleReloadConfigRequest", request.SerializeAsString())->status->message(),
              HasSubstr("has no model_config_list"));
  auto& entry = *request.mutable_config()->mutable_model_config_list()->add_config();
  entry.set_name("half");
  entry.set_base_path("/models/half");
  entry.mutable_model_version_policy()->mutable_latest()->set_num_versions(2);
  (*entry.mutable_version_labels())["stable"] = 3;
  const auto response = ask<api::ReloadConfigResponse>("HandleReloadConfigRequest", request);
  EXPECT_TRUE(response.has_status());
  EXPECT_EQ(response.status().error_code(), 0);
  ASSERT_EQ(control_.listed.models.size(), 1U);
  EXPECT_EQ(control_.listed.models[0].base_path, "/models/half");
  EXPECT_EQ(control_.listed.models[0].layer.config.version_policy().latest().num_versions(), 2U);
  EXPECT_EQ(control_.listed.models[0].layer.labels->at("stable"), 3);
  control_.answer = not_found("base_path is not there");
  EXPECT_EQ(*call("HandleReloadConfigRequest", request.SerializeAsString())->status, control_.answer);
}

}  // namespace
}  // namespace modelmill::tfserving
