#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catalog/testing/kept_records.h"
#include "catalog/testing/no_model_control.h"
#include "dialect/testing/fakes.h"
#include "dialect/tfserving/service.h"
#include "serve/testing/fake_version.h"
#include "tf_serving_api.pb.h"

namespace modelmill::tfserving {

/// A description of an unbatched model.
inline ModelVersion::Description model(const std::string& name, std::vector<TensorSpec> inputs,
                                       std::vector<TensorSpec> outputs) {
  auto d = testing::simple_description(name);
  d.definition.max_batch_size = 0;
  d.signature = {std::move(inputs), std::move(outputs)};
  return d;
}

/// Answers as it is told, and keeps what was asked.
class FakeControl final : public modelmill::testing::NoModelControl {
 public:
  void serve_listed(TfServingConfig list, Done done) override {
    listed = std::move(list);
    done(listed.problems.empty() ? answer : status_of(listed.problems.front()));
  }

  Status answer;
  TfServingConfig listed;
};

/// TensorFlow Serving's calls, over HTTP and gRPC, on a catalog of fakes.
class TfServing : public ::testing::Test {
 protected:
  TfServing() : inference_(catalog_.catalog()) {
    add_to(router_, inference_, {}, observers_);
    add_to(methods_, inference_, control_, {}, observers_);
    catalog_.add(testing::simple_description("m"));
    catalog_.add(model("two", {{"a", DataType::kInt32, {-1}}, {"b", DataType::kBytes, {-1, 1}}},
                       {{"a", DataType::kInt32, {-1}}, {"b_bytes", DataType::kBytes, {-1, 1}}}));
    catalog_.add(model("text", {{"s", DataType::kBytes, {-1}}}, {{"s", DataType::kBytes, {-1}}}));
    catalog_.add(model("scalar", {{"x", DataType::kFp64, {}}}, {{"y", DataType::kFp64, {}}}));
  }

  wire::HttpReply http(std::string method, std::string path, std::string body = "") {
    return testing::ask(thread_, router_.handler(),
                        testing::http_request(std::move(method), std::move(path), std::move(body)));
  }
  std::string post(const std::string& path, const std::string& body, int status = 200) {
    const auto reply = http("POST", "/v1/models/" + path, body);
    EXPECT_EQ(reply.status, status) << testing::joined(reply.body);
    EXPECT_EQ(testing::header_of(reply, "Content-Type"), "application/json");
    return testing::joined(reply.body);
  }
  std::string get(const std::string& path, int status = 200) {
    const auto reply = http("GET", path);
    EXPECT_EQ(reply.status, status) << testing::joined(reply.body);
    return testing::joined(reply.body);
  }

  std::shared_ptr<testing::FakeCall> call(const std::string& method, const std::string& message) {
    const bool of_models = method == "GetModelStatus" || method == "HandleReloadConfigRequest";
    const std::string service = of_models ? "ModelService/" : "PredictionService/";
    const std::string path = "/tensorflow.serving." + service + method;
    return testing::call_unary(thread_, methods_, path, message);
  }
  template <typename Response, typename Request>
  Response ask(const std::string& method, const Request& request) {
    const auto answered = call(method, request.SerializeAsString());
    EXPECT_TRUE(answered->status->ok()) << answered->status->to_string();
    Response response;
    EXPECT_TRUE(response.ParseFromString(answered->sent.empty() ? "" : answered->sent[0]));
    return response;
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_;
  testing::KeptRecords records_;
  std::shared_ptr<Observers> observers_ = std::make_shared<Observers>(records_);
  HttpRouter router_;
  wire::GrpcMethods methods_;
  FakeControl control_;
};

}  // namespace modelmill::tfserving
