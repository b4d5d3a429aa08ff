#include "dialect/tfserving/request_log.h"

#include <map>

#include "dialect/proto_wire.h"
#include "dialect/tfserving/testing/service_rig.h"

namespace modelmill::tfserving {
namespace {

namespace api = tensorflow::serving;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string field(std::string_view message, uint32_t number) {
  ProtoReader reader(message);
  std::string out;
  while (reader.next())
    if (reader.is(number, WireType::kBytes)) out = reader.bytes();
  EXPECT_TRUE(reader.ok());
  return out;
}

/// A PredictionLog taken apart.
struct Logged {
  api::ModelSpec spec;
  std::string request, response;
};

class RequestLogTest : public TfServing {
 protected:
  void add_logged(ModelVersion::Description description, std::vector<RequestLogging> logs) {
    description.definition.request_logs = std::move(logs);
    catalog_.add(std::move(description));
  }

  Logged only(LoggedKind kind) {
    const auto all = records_.all();
    EXPECT_EQ(all.size(), 1U);
    Logged out;
    if (all.empty()) return out;
    EXPECT_TRUE(out.spec.ParseFromString(field(field(all.back().bytes, 1), 1)));
    const std::string both = field(all.back().bytes, static_cast<uint32_t>(kind));
    out.request = field(both, 1);
    out.response = field(both, 2);
    return out;
  }
};

api::PredictRequest rows(const std::string& model) {
  api::PredictRequest request;
  request.mutable_model_spec()->set_name(model);
  auto& x = (*request.mutable_inputs())["x"];
  x.set_dtype(tensorflow::DT_FLOAT);
  x.mutable_tensor_shape()->add_dim()->set_size(1);
  x.mutable_tensor_shape()->add_dim()->set_size(4);
  for (const float value : {1.F, 2.F, 3.F, 4.F}) x.add_float_val(value);
  return request;
}

void expect_rows(const Logged& logged, const std::string& model) {
  EXPECT_EQ(logged.spec.name(), model);
  EXPECT_EQ(logged.spec.version().value(), 1);
  api::PredictRequest request;
  ASSERT_TRUE(request.ParseFromString(logged.request));
  EXPECT_EQ(request.model_spec().name(), model);
  EXPECT_THAT(request.inputs().at("x").float_val(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(request.inputs().at("x").tensor_shape().dim_size(), 2);
  api::PredictResponse response;
  ASSERT_TRUE(response.ParseFromString(logged.response));
  ASSERT_EQ(response.outputs().size(), 1U);
  EXPECT_THAT(response.outputs().begin()->second.float_val(), ElementsAre(1, 2, 3, 4));
}

TEST_F(RequestLogTest, Predict) {
  add_logged(testing::simple_description("logged"), {{"/logs/a", 1}});
  (void)ask<api::PredictResponse>("Predict", rows("logged"));
  expect_rows(only(LoggedKind::kPredict), "logged");
  EXPECT_EQ(records_.all()[0].file_prefix, "/logs/a");
  EXPECT_EQ(records_.all()[0].model, "logged");
  (void)ask<api::PredictResponse>("Predict", rows("m"));
  EXPECT_EQ(records_.all().size(), 1U) << "m has no log";
}

TEST_F(RequestLogTest, PredictAsJson) {
  add_logged(testing::simple_description("logged"), {{"/logs/a", 1}});
  post("logged:predict", R"({"instances":[[1,2,3,4]]})");
  expect_rows(only(LoggedKind::kPredict), "logged");
}

TEST_F(RequestLogTest, WhatFailsIsNotLogged) {
  add_logged(testing::simple_description("logged"), {{"/logs/a", 1}});
  post("logged:predict", R"({"instances":[[1,2,3]]})", 400);
  api::PredictRequest request = rows("logged");
  (*request.mutable_inputs())["unknown"] = request.inputs().at("x");
  (void)call("Predict", request.SerializeAsString());
  EXPECT_TRUE(records_.all().empty());
}

TEST_F(RequestLogTest, EachLogTakesItsShare) {
  add_logged(testing::simple_description("logged"), {{"all", 1}, {"half", 0.5}});
  for (int i = 0; i < 400; ++i) post("logged:predict", R"({"instances":[[1,2,3,4]]})");
  std::map<std::string, int> counts;
  for (const auto& record : records_.all()) ++counts[record.file_prefix];
  EXPECT_EQ(counts["all"], 400);
  EXPECT_GT(counts["half"], 100) << "of 400; fewer come once in 10^24";
  EXPECT_LT(counts["half"], 300);
}

TEST_F(RequestLogTest, ClassifyAndRegress) {
  add_logged(model("scores", {{"x", DataType::kFp32, {-1, 1}}}, {{"y", DataType::kFp32, {-1, 1}}}), {{"l", 1}});
  EXPECT_THAT(post("scores:regress", R"({"examples":[{"x":2.5}]})"), HasSubstr("2.5"));
  const Logged logged = only(LoggedKind::kRegress);
  api::RegressionRequest request;
  ASSERT_TRUE(request.ParseFromString(logged.request));
  const auto& example = request.input().example_list().examples(0);
  EXPECT_THAT(example.features().feature().at("x").float_list().value(), ElementsAre(2.5F));
  api::RegressionResponse response;
  ASSERT_TRUE(response.ParseFromString(logged.response));
  EXPECT_EQ(response.result().regressions(0).value(), 2.5F);
  const auto answer = ask<api::RegressionResponse>("Regress", request);
  EXPECT_EQ(answer.result().regressions(0).value(), 2.5F);
  ASSERT_EQ(records_.all().size(), 2U);
  EXPECT_EQ(field(field(records_.all()[1].bytes, 3), 1), request.SerializeAsString());
}

}  // namespace
}  // namespace modelmill::tfserving
