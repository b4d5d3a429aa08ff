#include "dialect/torchserve/rest_infer.h"

#include <utility>

#include "dialect/http_infer_call.h"
#include "dialect/http_stream.h"
#include "dialect/route_facts.h"
#include "dialect/torchserve/answers.h"
#include "dialect/torchserve/infer_codec.h"

namespace modelmill::torchserve {
namespace {

/// One request.
class InferCall final : public HttpInferCall {
 public:
  InferCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, InferPath path,
            std::shared_ptr<TorchMetrics> metrics)
      : HttpInferCall(inference, std::move(exchange), path.model),
        path_(std::move(path)),
        metrics_(std::move(metrics)) {}

  void begin(Result<VersionPin> pin, const HttpOptions& options, RoutedRequestPtr routed) {
    if (pin.ok()) {
      series_ = metrics_->asked(path_.model, path_.version);
      if ((*pin)->definition().decoupled) stream_ = std::make_shared<HttpStream>(exchange());
      is_body_ = takes_bodies(**pin);
    }
    start(std::move(pin), options, std::move(routed));
  }
  void on_response(InferResponse response, bool final, bool has_response) override;

 private:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;
  size_t written_bytes(const InferResponse& response) const override {
    return is_body_ ? 0 : HttpInferCall::written_bytes(response);
  }
  const char* many_answers() const override { return stream_ ? nullptr : HttpInferCall::many_answers(); }
  void timed_out(const Status& status) override { metrics_->replied(failure_reply(status).status); }
  void abandoned() override {
    if (stream_) stream_->abandon();
  }
  NamedTexts headers() const;
  wire::HttpReply make(const InferResponse& response) const;
  void count(int status, const RequestTimes& times) const;

  const InferPath path_;
  const std::shared_ptr<TorchMetrics> metrics_;
  const TimePoint start_ = Clock::now();
  TorchMetrics::SeriesRef series_;  // null: no version was found, and the route may answer
  bool is_body_ = false;
  AnswerForm form_;
  std::shared_ptr<HttpStream> stream_;  // null: there is one answer
  // Of the stream; answers of a request come one after the other.
  bool begun_ = false;
  bool ended_ = false;
};

/// What a handler may look at. The path and `explain` are TorchServe's own additions.
NamedTexts InferCall::headers() const {
  NamedTexts all(http().headers);
  all.emplace_back("url_path", path_.url_path);
  all.emplace_back("explain", path_.explain ? "True" : "False");
  return all;
}

Status InferCall::parse(const Bytes& body, const ModelVersion& version, InferRequest& request) {
  request.id = http().header("x-request-id");
  if (stream_) request.room = stream_->room();
  Question question{body, http().header("content-type")};
  question.explain = path_.explain;
  if (is_body_) {
    MM_ASSIGN_OR_RETURN(question.query, parse_query(http().query));
    question.headers = headers();
  }
  return read_question(question, version, request, form_);
}

/// The answer as a reply, or what went wrong.
wire::HttpReply InferCall::make(const InferResponse& response) const {
  if (const auto failure = failure_in(response, form_)) return failure_reply(*failure);
  Result<Answer> answer = write_answer(response, form_);
  if (!answer.ok()) return failure_reply(answer.status());
  wire::HttpReply reply;
  reply.status = answer->status;
  if (!answer->content_type.empty()) reply.headers.emplace_back("Content-Type", std::move(answer->content_type));
  for (auto& header : answer->headers) reply.headers.push_back(std::move(header));
  reply.body = std::move(answer->body);
  return reply;
}

void InferCall::count(int status, const RequestTimes& times) const {
  metrics_->replied(status);
  if (status >= 300) return;
  const auto series = series_ ? series_ : metrics_->series(path_.model, path_.version);
  metrics_->answered(*series, times, Clock::now() - start_);
}

wire::HttpReply InferCall::write(InferResponse response) {
  wire::HttpReply reply = make(response);
  count(reply.status, response.times);
  return reply;
}

void InferCall::on_response(InferResponse response, bool final, bool has_response) {
  if (!stream_) return HttpInferCall::on_response(std::move(response), final, has_response);
  if (ended_) return;
  if (!has_response && !begun_) response.status = internal("the model ended without an answer");
  const bool failed = (has_response || !begun_) && failure_in(response, form_).has_value();
  wire::HttpReply reply = has_response || !begun_ ? make(response) : wire::HttpReply();
  if (!begun_) add_route_headers(reply, routed());
  ended_ = final || failed;
  if (ended_) count(reply.status, response.times);
  if (failed && !begun_) return stream_->reply(std::move(reply));
  begun_ = true;
  Chunks piece = std::exchange(reply.body, {});
  stream_->send(std::move(reply), std::move(piece), ended_);
}

}  // namespace

void handle_rest_inference(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const InferPath& path,
                           Result<VersionPin> pin, const HttpOptions& options, std::shared_ptr<TorchMetrics> metrics,
                           RoutedRequestPtr routed) {
  std::make_shared<InferCall>(inference, std::move(exchange), path, std::move(metrics))
      ->begin(std::move(pin), options, std::move(routed));
}

}  // namespace modelmill::torchserve
