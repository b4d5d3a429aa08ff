#include "dialect/kserve_v1/handler_call.h"

#include <utility>

#include "base/json_text.h"
#include "dialect/http_infer_call.h"
#include "dialect/http_router.h"
#include "dialect/torchserve/infer_codec.h"

namespace modelmill::kserve_v1 {
namespace {

/// One request.
class HandlerCall final : public HttpInferCall {
 public:
  HandlerCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model, bool explain)
      : HttpInferCall(inference, std::move(exchange), std::move(model)), explain_(explain) {}

 private:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;
  size_t written_bytes(const InferResponse&) const override { return 0; }  // a handler's answer is passed on
  bool explains() const override { return explain_; }

  const bool explain_;
  torchserve::AnswerForm form_;
};

Status HandlerCall::parse(const Bytes& body, const ModelVersion& version, InferRequest& request) {
  request.id = http().header("x-request-id");
  torchserve::Question question{body, http().header("content-type")};
  question.explain = explain_;
  question.headers = http().headers;
  question.headers.emplace_back("explain", explain_ ? "True" : "False");
  return read_question(question, version, request, form_);
}

wire::HttpReply HandlerCall::write(InferResponse response) {
  if (const auto failure = failure_in(response, form_)) {
    JsonWriter json;
    json.begin_object().field("error", failure->message).end_object();
    return json_reply(failure->status, json.take());
  }
  Result<torchserve::Answer> answer = write_answer(response, form_);
  if (!answer.ok()) return error_reply(answer.status());
  wire::HttpReply reply;
  reply.status = answer->status;
  reply.headers.emplace_back("Content-Type",
                             answer->content_type.empty() ? "application/json" : std::move(answer->content_type));
  for (auto& header : answer->headers) reply.headers.push_back(std::move(header));
  reply.body = std::move(answer->body);
  return reply;
}

}  // namespace

void handle_by_handler(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                       VersionPin pin, bool explain, const HttpOptions& options, RoutedRequestPtr routed) {
  std::make_shared<HandlerCall>(inference, std::move(exchange), std::move(model), explain)
      ->start(std::move(pin), options, std::move(routed));
}

}  // namespace modelmill::kserve_v1
