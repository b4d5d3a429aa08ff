#include "dialect/tfserving/rest_call.h"

#include <google/protobuf/message_lite.h>

#include <memory>
#include <utility>

#include "dialect/http_infer_call.h"
#include "dialect/http_router.h"
#include "dialect/proto_text.h"
#include "dialect/tfserving/examples.h"
#include "dialect/tfserving/json_predict.h"
#include "dialect/tfserving/model_target.h"
#include "dialect/tfserving/results.h"
#include "dialect/tfserving/saved_model.h"

namespace modelmill::tfserving {
namespace {

std::string_view api_name(Ask ask) {
  if (ask == Ask::kPredict) return "predict";
  return ask == Ask::kClassify ? "classify" : "regress";
}

/// As that of gRPC.
std::string_view method_name(Ask ask) {
  if (ask == Ask::kPredict) return "Predict";
  return ask == Ask::kClassify ? "Classify" : "Regress";
}

/// One request.
class RestCall final : public HttpInferCall {
 public:
  RestCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const RestPath& path,
           std::shared_ptr<Observers> observers)
      : HttpInferCall(inference, std::move(exchange), path.target.model),
        observers_(std::move(observers)),
        ask_(path.ask),
        kserve_(path.dialects == Dialects::kKserveV1) {}

 private:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;
  void timed_out(const Status& status) override {
    observers_->metrics.answered(model(), api_name(ask_), "REST", status, Clock::now() - start_);
  }
  Result<std::string> write_body(const InferResponse& response) const;
  bool draw(const ModelVersion& version, const InferRequest& request);
  void log(LoggedKind kind, const google::protobuf::MessageLite& result) const;
  /// Valid while the call lives.
  PredictSpec spec() const { return {model(), version(), signature_}; }

  const std::shared_ptr<Observers> observers_;
  const TimePoint start_ = Clock::now();
  const Ask ask_;
  const bool kserve_;  // it is KServe's alone
  JsonFormat format_ = JsonFormat::kRow;
  size_t examples_ = 0;
  std::unique_ptr<LoggedRequest> logged_;  // null: it is not
  std::string signature_;                  // of one that is logged
  ModelVersion::Description description_;  // of classifications
  std::string runtime_;
};

Status RestCall::parse(const Bytes& body, const ModelVersion& version, InferRequest& request) {
  request.id = http().header("x-request-id");
  runtime_ = runtime_of(version);
  if (ask_ == Ask::kPredict) {
    MM_ASSIGN_OR_RETURN(format_, read_json_predict(body, version, request));
    if (kserve_) format_ = JsonFormat::kRow;  // KServe answers `inputs` as it does `instances`
    if (draw(version, request)) logged_->request = write_predict_request(request, spec());
    return ok_status();
  }
  MM_ASSIGN_OR_RETURN(const Examples examples, read_json_examples(body, version));
  examples_ = examples.list.size();
  description_ = examples.entry->description();
  aim_at(*examples.entry, version, request);
  if (draw(version, request)) logged_->request = write_examples_request(examples.list, examples.context, spec());
  return put_examples(examples, examples.entry->signature(), request);
}

bool RestCall::draw(const ModelVersion& version, const InferRequest& request) {
  logged_ = observers_->log.draw(version);
  if (logged_) signature_ = aimed_at(version, request);
  return logged_ != nullptr;
}

/// `result` is the first field of either response.
void RestCall::log(LoggedKind kind, const google::protobuf::MessageLite& result) const {
  std::string response;
  append_bytes(response, 1, result.SerializeAsString());
  append_bytes(response, 2, model_spec(spec()));
  observers_->log.write(*logged_, kind, spec(), response);
}

wire::HttpReply RestCall::write(InferResponse response) {
  Result<std::string> body = write_body(response);
  if (response.status.ok()) {
    observers_->metrics.ran(model(), method_name(ask_), runtime_, response.times);
    if (examples_ > 0) observers_->metrics.had_examples(model(), examples_);
  }
  observers_->metrics.answered(model(), api_name(ask_), "REST", body.status(), Clock::now() - start_);
  return body.ok() ? json_reply(200, std::move(body).value()) : error_reply(body.status());
}

Result<std::string> RestCall::write_body(const InferResponse& response) const {
  MM_RETURN_IF_ERROR(response.status);
  if (ask_ == Ask::kPredict) {
    if (logged_)
      observers_->log.write(*logged_, LoggedKind::kPredict, spec(), write_predict_response(response, spec()));
    return write_json_predict(response, format_);
  }
  if (ask_ == Ask::kRegress) {
    MM_ASSIGN_OR_RETURN(const RegressionResult result, regression_of(response, examples_));
    if (logged_) log(LoggedKind::kRegress, result);
    return json_of(result);
  }
  MM_ASSIGN_OR_RETURN(const ClassificationResult result, classification_of(response, description_, examples_));
  if (logged_) log(LoggedKind::kClassify, result);
  return json_of(result);
}

}  // namespace

void handle_rest_inference(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const RestPath& path,
                           Result<VersionPin> pin, const HttpOptions& options, std::shared_ptr<Observers> observers,
                           RoutedRequestPtr routed) {
  std::make_shared<RestCall>(inference, std::move(exchange), path, std::move(observers))
      ->start(std::move(pin), options, std::move(routed));
}

}  // namespace modelmill::tfserving
