#include "dialect/tfserving/rest_call.h"

#include <utility>

#include "dialect/http_infer_call.h"
#include "dialect/http_router.h"
#include "dialect/tfserving/examples.h"
#include "dialect/tfserving/json_predict.h"
#include "dialect/tfserving/model_target.h"
#include "dialect/tfserving/results.h"

namespace modelmill::tfserving {
namespace {

std::string_view api_name(Ask ask) {
  if (ask == Ask::kPredict) return "predict";
  return ask == Ask::kClassify ? "classify" : "regress";
}

/// One request.
class RestCall final : public HttpInferCall {
 public:
  RestCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const RestPath& path,
           std::shared_ptr<ServingMetrics> metrics)
      : HttpInferCall(inference, std::move(exchange), path.target.model),
        metrics_(std::move(metrics)),
        ask_(path.ask) {}

 private:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;
  Result<std::string> write_body(const InferResponse& response) const;

  const std::shared_ptr<ServingMetrics> metrics_;
  const TimePoint start_ = Clock::now();
  const Ask ask_;
  JsonFormat format_ = JsonFormat::kRow;
  size_t examples_ = 0;
  ModelVersion::Description description_;  // of classifications
};

Status RestCall::parse(const Bytes& body, const ModelVersion& version, InferRequest& request) {
  request.id = http().header("x-request-id");
  if (ask_ == Ask::kPredict) {
    MM_ASSIGN_OR_RETURN(format_, read_json_predict(body, version, request));
    return ok_status();
  }
  MM_ASSIGN_OR_RETURN(const Examples examples, read_json_examples(body, version));
  examples_ = examples.list.size();
  description_ = examples.entry->description();
  aim_at(*examples.entry, version, request);
  return put_examples(examples, examples.entry->signature(), request);
}

wire::HttpReply RestCall::write(InferResponse response) {
  Result<std::string> body = write_body(response);
  metrics_->answered(model(), api_name(ask_), "REST", body.status(), Clock::now() - start_);
  return body.ok() ? json_reply(200, std::move(body).value()) : error_reply(body.status());
}

Result<std::string> RestCall::write_body(const InferResponse& response) const {
  MM_RETURN_IF_ERROR(response.status);
  if (ask_ == Ask::kPredict) return write_json_predict(response, format_);
  if (ask_ == Ask::kRegress) {
    MM_ASSIGN_OR_RETURN(const RegressionResult result, regression_of(response, examples_));
    return json_of(result);
  }
  MM_ASSIGN_OR_RETURN(const ClassificationResult result, classification_of(response, description_, examples_));
  return json_of(result);
}

}  // namespace

void handle_rest_inference(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const RestPath& path,
                           Result<VersionPin> pin, const HttpOptions& options, std::shared_ptr<ServingMetrics> metrics,
                           RoutedRequestPtr routed) {
  std::make_shared<RestCall>(inference, std::move(exchange), path, std::move(metrics))
      ->start(std::move(pin), options, std::move(routed));
}

}  // namespace modelmill::tfserving
