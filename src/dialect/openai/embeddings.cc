#include "dialect/openai/embeddings.h"

#include <optional>
#include <string>
#include <utility>

#include "dialect/http_infer_call.h"
#include "dialect/http_router.h"
#include "dialect/large_work.h"
#include "dialect/model_wait.h"
#include "dialect/openai/embedding_model.h"
#include "dialect/openai/embeddings_reply.h"
#include "dialect/openai/embeddings_request.h"
#include "dialect/openai/errors.h"
#include "dialect/route_facts.h"
#include "dialect/version_text.h"

namespace modelmill::openai {
namespace {

using Exchange = std::shared_ptr<wire::HttpExchange>;
using Asked = std::shared_ptr<const EmbeddingsRequest>;

/// One request whose body has been read.
class EmbeddingsCall final : public HttpInferCall {
 public:
  EmbeddingsCall(Inference& inference, Exchange exchange, Asked asked)
      : HttpInferCall(inference, std::move(exchange), asked->model), asked_(std::move(asked)) {}

 private:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;
  bool reads_body() const override { return false; }
  size_t parsed_bytes(const Bytes&) const override { return asked_->token_count() * sizeof(int64_t); }
  const char* many_answers() const override { return "this model gives any number of answers, and no embeddings"; }

  const Asked asked_;
  ReplyPlan plan_;
  std::string_view param_;  // whose fault an error is
};

Status EmbeddingsCall::parse(const Bytes&, const ModelVersion& version, InferRequest& request) {
  request.id = http().header("x-request-id");
  param_ = "model";
  MM_ASSIGN_OR_RETURN(const EmbeddingModel model, embedding_model(version));
  plan_ = {model.output->name, model.counts == nullptr ? std::string() : model.counts->name,
           asked_->dimensions == 0 ? VectorCuts{} : cuts_of(version)};
  param_ = "dimensions";
  MM_RETURN_IF_ERROR(plan_.cuts.check(asked_->dimensions, model.output->shape[1]));
  param_ = "input";
  MM_RETURN_IF_ERROR(put_inputs(*asked_, model, version.name(), request));
  param_ = {};
  return ok_status();
}

wire::HttpReply EmbeddingsCall::write(InferResponse response) {
  if (!response.status.ok())
    return failure_reply(response.status, response.status.code() == Code::kNotFound ? "model" : param_);
  const Result<std::string> body = write_embeddings(*asked_, plan_, response, param_);
  return body.ok() ? json_reply(200, *body) : failure_reply(body.status(), param_);
}

/// Loop thread. The model may have to be waited for.
void ask(Inference& inference, const HttpOptions& options, Exchange exchange, Asked asked) {
  RoutedRequestPtr routed = inference.route(asked->model, facts_of(exchange->request()));
  Result<VersionPin> pin = pin_path_version(inference.catalog(), asked->model, "", routed);
  const std::string model = routed ? routed->target().model : asked->model;
  if (!pin.ok() && inference.loads_on_demand(model))
    return wait_for_model(
        inference, exchange, model,
        [&inference, options, asked](auto again) { ask(inference, options, std::move(again), asked); },
        [](const Status& status) { return failure_reply(status, "model"); });
  if (!pin.ok() && !routed) {  // a route may have an answer of its own
    const bool unknown = pin.status().code() == Code::kNotFound;
    return exchange->reply(
        failure_reply(unknown ? not_found("The model '" + asked->model + "' does not exist") : pin.status(), "model"));
  }
  std::make_shared<EmbeddingsCall>(inference, std::move(exchange), std::move(asked))
      ->start(std::move(pin), options, std::move(routed));
}

/// What a body says, or why it can't be read.
struct Reading {
  Status status;
  std::string_view param;
  Asked asked;
};

Reading read(const wire::HttpRequest& request, std::optional<Result<Bytes>> body, const InflateLimit& limit) {
  Reading out;
  const auto asked = std::make_shared<EmbeddingsRequest>();
  out.status = within_memory([&]() -> Status {
    if (!body) body = decode_body(request.body, request.header("content-encoding"), limit);
    MM_RETURN_IF_ERROR(body->status());
    return read_embeddings_request(**body, *asked, out.param);
  });
  out.asked = asked;
  return out;
}

/// Loop thread.
void go_on(Inference& inference, const HttpOptions& options, Exchange exchange, Reading reading) {
  if (!reading.status.ok()) return exchange->reply(failure_reply(reading.status, reading.param));
  ask(inference, options, std::move(exchange), std::move(reading.asked));
}

}  // namespace

void handle_embeddings(Inference& inference, const HttpOptions& options, Exchange exchange) {
  const wire::HttpRequest& request = exchange->request();
  if (request.method != "POST") return exchange->reply(method_not_allowed(request, "POST"));
  std::optional<Result<Bytes>> body = decode_on_loop(request, options);
  const bool large = !body || (body->ok() && (*body)->size() > kLoopBytes);
  if (!large || options.offload == nullptr)
    return go_on(inference, options, exchange, read(request, std::move(body), options.inflate));
  // Until the call is on its way it is not the call that hears of a client that goes. Both on the loop.
  const auto gone = std::make_shared<bool>(false);
  exchange->on_abandoned([gone] { *gone = true; });
  const Status status = run_large(*options.offload, [&inference, options, exchange, gone, body = std::move(body)] {
    Reading reading = read(exchange->request(), body, options.inflate);
    exchange->loop().post([&inference, options, exchange, gone, reading = std::move(reading)]() mutable {
      if (*gone) return;
      go_on(inference, options, exchange, std::move(reading));
    });
  });
  if (!status.ok()) exchange->reply(failure_reply(status));
}

}  // namespace modelmill::openai
